import type { OpType } from '../graph/schema.ts'
import { COMPOSITES } from './composites.ts'
import { activation } from './gradient/activation.ts'
import { elementwise } from './gradient/elementwise.ts'
import { fakeQuant, learnedQuant } from './gradient/fake-quant.ts'
import { indexing } from './gradient/indexing.ts'
import { linear } from './gradient/linear.ts'
import { normalisation } from './gradient/normalisation.ts'
import { pool } from './gradient/pool.ts'
import { reduce } from './gradient/reduce.ts'
import { shape } from './gradient/shape.ts'
import { rounds, stops, unsupported, type GradientRule, type NoGradient } from './gradient/rule.ts'

const decomposed = unsupported('it was not decomposed before differentiation')
const control = unsupported('control flow')
const sequence = unsupported('it works on sequences or optional values')
const integer = rounds('it computes with integers: its output is integer, and a rounded value has no gradient')
const quantizer = rounds('it rounds activations to integers: train the float model that this one was made from')
const random = stops('it makes random values')
const made = stops('it makes a table from sizes, not from values')
const signal = unsupported('signal processing')
const text = stops('it works on text')

/** What the operators without a rule of their own say to a person who wants to train through them. */
const others = {
  // Written with simpler operators before differentiation (workers/ops/decompose.ts).
  LSTM: decomposed,
  GRU: decomposed,
  RNN: decomposed,
  LayerNormalization: decomposed,
  InstanceNormalization: decomposed,
  GroupNormalization: decomposed,
  RMSNormalization: decomposed,
  RotaryEmbedding: decomposed,
  MeanVarianceNormalization: decomposed,
  SwiGLU: unsupported('a gated activation as one operator'),
  Attention: unsupported('attention with a cache, windows or more than one output'),
  LinearAttention: unsupported('attention as one operator'),
  CausalConvWithState: unsupported('a convolution with a running state'),
  NegativeLogLikelihoodLoss: unsupported('the model brings its own loss; remove it, Alambic adds one'),
  SoftmaxCrossEntropyLoss: unsupported('the model brings its own loss; remove it, Alambic adds one'),
  If: control,
  Loop: control,
  Scan: control,
  SequenceAt: sequence,
  SequenceConstruct: sequence,
  SequenceEmpty: sequence,
  SequenceErase: sequence,
  SequenceInsert: sequence,
  SequenceLength: sequence,
  SequenceMap: sequence,
  SplitToSequence: sequence,
  ConcatFromSequence: sequence,
  Optional: sequence,
  OptionalGetElement: sequence,
  OptionalHasElement: sequence,
  ConvInteger: integer,
  MatMulInteger: integer,
  QLinearConv: integer,
  QLinearMatMul: integer,
  QuantizeLinear: quantizer,
  DynamicQuantizeLinear: quantizer,
  DequantizeLinear: rounds('its input is integer, computed from activations'),
  NonMaxSuppression: stops('its output is indices'),
  Bernoulli: random,
  Multinomial: random,
  RandomNormal: random,
  RandomNormalLike: random,
  RandomUniform: random,
  RandomUniformLike: random,
  BlackmanWindow: made,
  HammingWindow: made,
  HannWindow: made,
  MelWeightMatrix: made,
  DFT: signal,
  STFT: signal,
  Det: unsupported('determinants'),
  Col2Im: unsupported('column to image'),
  CumProd: unsupported('cumulative products'),
  DeformConv: unsupported('deformable convolution'),
  GridSample: unsupported('sampling at computed positions'),
  AffineGrid: unsupported('sampling at computed positions'),
  ImageDecoder: stops('it decodes image files'),
  RegexFullMatch: text,
  StringConcat: text,
  StringNormalizer: text,
  StringSplit: text,
  TfIdfVectorizer: text,
} as const

/** How the gradient goes through every operator of the default domain, or why it does not. */
export const gradientRules: { readonly [Op in OpType]: GradientRule<Op> | NoGradient } = {
  ...elementwise,
  ...activation,
  ...linear,
  ...pool,
  ...normalisation,
  ...reduce,
  ...shape,
  ...indexing,
  ...others,
}

/** The same for Alambic's private operators. */
const compositeRules: Readonly<Record<string, GradientRule | NoGradient>> = {
  BatchNormTraining: ({ g, inputs, outputs, dy }) =>
    g.node(COMPOSITES, 'BatchNormGrad', [dy, inputs[0], inputs[1], outputs[3], outputs[4]], {}, { outputs: 3 }),
  FakeQuant: fakeQuant,
  LearnedQuant: learnedQuant,
  StopGradient: stops('it is there to stop gradients'),
}

const cached = unsupported('attention with a cache, as decoders use it when they generate')
const packed = unsupported('its weights are packed in 4 bits in a form that only onnxruntime reads')
const channelsLast = unsupported(
  'a channels-last form that onnxruntime writes for one machine: use the model it came from',
)
const experts = unsupported('it picks experts by their scores')
const unopened = unsupported('an operator of onnxruntime that Alambic does not write with standard ones yet')

/** What onnxruntime's own operators say, where `unfuse` does not write them with standard ones. */
const microsoftRules: Readonly<Record<string, NoGradient>> = {
  ...Object.fromEntries(
    [
      'QLinearConv',
      'QAttention',
      'QEmbedLayerNormalization',
      'QGemm',
      'QLinearAdd',
      'QLinearAveragePool',
      'QLinearConcat',
    ]
      .concat([
        'QLinearGlobalAveragePool',
        'QLinearLeakyRelu',
        'QLinearMul',
        'QLinearSigmoid',
        'QLinearSoftmax',
        'QLinearWhere',
      ])
      .concat(['DynamicQuantizeLSTM', 'DynamicQuantizeMatMul', 'MatMulInteger16', 'MatMulIntegerToFloat', 'QMoE'])
      .map((op) => [op, integer]),
  ),
  QuantizeLinear: quantizer,
  DequantizeLinear: rounds('its input is integer, computed from activations'),
  MatMulBnb4: packed,
  MatMulFpQ4: packed,
  GatherBlockQuantized: packed,
  DecoderMaskedMultiHeadAttention: cached,
  GroupQueryAttention: cached,
  NhwcConv: channelsLast,
  NhwcFusedConv: channelsLast,
  NhwcMaxPool: channelsLast,
  GroupNorm: channelsLast,
  SkipGroupNorm: channelsLast,
  MoE: experts,
  BiasDropout: unsupported('a dropout of a training graph'),
  Inverse: unsupported('matrix inverses'),
}

const otherDomains: Readonly<Record<string, Readonly<Record<string, GradientRule | NoGradient>>>> = {
  [COMPOSITES]: compositeRules,
  'com.microsoft': microsoftRules,
}

/** The rule of a node, or the reason why there is none. */
export function gradientRuleOf(op: string, domain: string): GradientRule | NoGradient {
  const table: Readonly<Record<string, GradientRule | NoGradient>> =
    domain === '' || domain === 'ai.onnx' ? gradientRules : (otherDomains[domain] ?? {})
  if (domain === 'com.microsoft') return table[op] ?? unopened
  return (
    table[op] ?? unsupported(domain === '' ? 'an operator unknown to Alambic' : `an operator of the domain "${domain}"`)
  )
}
