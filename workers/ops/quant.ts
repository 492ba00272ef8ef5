import { attributesOf } from '../graph/attributes.ts'
import type { Graph, Node } from '../graph/graph.ts'
import { isDefaultDomain, type OpType } from '../graph/schema.ts'
import { numbersOf } from '../graph/tensor.ts'
import { asTensor } from '../graph/types.ts'

/** How an operator takes part in quantized inference, as onnxruntime's CPU kernels have it. */
export type QuantRule =
  /** Multiplies an activation (input 0) by a weight: an integer kernel with an int32 bias. */
  | {
      readonly kind: 'weighted'
      readonly weight: number
      readonly bias?: number
      /** Axis of the weight along which output channels lie; undefined where only one scale for all will do. */
      readonly axis: (node: Node, rank: number) => number | undefined
    }
  /** An integer kernel that needs scales of all its float inputs and of its output. */
  | { readonly kind: 'compute' }
  /** Moves or picks codes: its outputs have the scale of input 0. `when` tells nodes for which that is not so. */
  | { readonly kind: 'shares'; readonly when?: (node: Node, graph: Graph) => boolean }
  /** Does nothing that the clamp of the quantization before it would not do, if the range allows. */
  | { readonly kind: 'absorbed' }
  /** Stays in float; the reason is shown to people. */
  | { readonly kind: 'float'; readonly reason: string }

const attributes = (node: Node) => attributesOf(node)

/** Padding with zeros, or with what is there, needs no new scale. */
function padsWithKnown(node: Node, graph: Graph): boolean {
  const { mode = 'constant', value = 0 } = attributes(node)
  const name = node.inputs[2] ?? ''
  const constant = graph.initializers.get(name)
  if (mode !== 'constant') return true
  return name === '' ? value === 0 : constant !== undefined && numbersOf(constant).every((v) => v === 0)
}

const covered = {
  Conv: { kind: 'weighted', weight: 1, bias: 2, axis: () => 0 },
  ConvTranspose: {
    kind: 'weighted',
    weight: 1,
    bias: 2,
    axis: (node) => ((attributes(node)['group'] ?? 1) === 1 ? 1 : undefined),
  },
  Gemm: { kind: 'weighted', weight: 1, bias: 2, axis: (node) => (attributes(node)['transB'] ? 0 : 1) },
  MatMul: { kind: 'weighted', weight: 1, axis: (_node, rank) => (rank === 2 ? 1 : undefined) },
  Add: { kind: 'compute' },
  Mul: { kind: 'compute' },
  Concat: { kind: 'compute' },
  GlobalAveragePool: { kind: 'compute' },
  LeakyRelu: { kind: 'compute' },
  Sigmoid: { kind: 'compute' },
  AveragePool: { kind: 'shares' },
  MaxPool: { kind: 'shares', when: (node) => (node.outputs[1] ?? '') === '' },
  Reshape: { kind: 'shares' },
  Flatten: { kind: 'shares' },
  Squeeze: { kind: 'shares' },
  Unsqueeze: { kind: 'shares' },
  Transpose: { kind: 'shares' },
  Slice: { kind: 'shares' },
  Split: { kind: 'shares' },
  Gather: { kind: 'shares', when: (node, graph) => !graph.initializers.has(node.inputs[0] ?? '') },
  Pad: { kind: 'shares', when: padsWithKnown },
  Resize: { kind: 'shares', when: (node) => attributes(node)['mode'] !== 'cubic' },
  Identity: { kind: 'shares' },
  DepthToSpace: { kind: 'shares' },
  SpaceToDepth: { kind: 'shares' },
  Relu: { kind: 'absorbed' },
  Clip: { kind: 'absorbed' },
} as const satisfies Partial<Record<OpType, QuantRule>>

const noKernel = 'onnxruntime has no integer kernel for it on the CPU'
const sensitive = 'its values are sensitive and it costs little: it stays in float'
const notFloat = 'it does not work on real numbers'
const already = 'it is quantized already'
const control = 'its subgraphs stay as they are'
const recurrent = 'only dynamic quantization has an integer kernel for it'

/** Operators that stay in float in a statically quantized graph, by reason. */
const reasons = {
  [noKernel]: [
    'Abs',
    'Acos',
    'Acosh',
    'AffineGrid',
    'ArgMax',
    'ArgMin',
    'Asin',
    'Asinh',
    'Atan',
    'Atanh',
    'BatchNormalization',
    'BlackmanWindow',
    'CausalConvWithState',
    'Ceil',
    'Celu',
    'CenterCropPad',
    'Col2Im',
    'Compress',
    'Cos',
    'Cosh',
    'CumProd',
    'CumSum',
    'DFT',
    'DeformConv',
    'Det',
    'Div',
    'Dropout',
    'Einsum',
    'Elu',
    'Erf',
    'Exp',
    'Expand',
    'Floor',
    'GatherElements',
    'GatherND',
    'Gelu',
    'GlobalLpPool',
    'GlobalMaxPool',
    'GridSample',
    'HammingWindow',
    'HannWindow',
    'HardSigmoid',
    'HardSwish',
    'Hardmax',
    'LRN',
    'Log',
    'LpNormalization',
    'LpPool',
    'Max',
    'MaxRoiPool',
    'MaxUnpool',
    'Mean',
    'MelWeightMatrix',
    'Min',
    'Mish',
    'Mod',
    'Neg',
    'PRelu',
    'Pow',
    'Reciprocal',
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSum',
    'ReduceLogSumExp',
    'ReduceMax',
    'ReduceMean',
    'ReduceMin',
    'ReduceProd',
    'ReduceSum',
    'ReduceSumSquare',
    'ReverseSequence',
    'RoiAlign',
    'RotaryEmbedding',
    'Round',
    'STFT',
    'Scatter',
    'ScatterElements',
    'ScatterND',
    'Selu',
    'Shrink',
    'Sign',
    'Sin',
    'Sinh',
    'Softplus',
    'Softsign',
    'Sqrt',
    'Sub',
    'Sum',
    'SwiGLU',
    'Swish',
    'Tan',
    'Tanh',
    'TensorScatter',
    'ThresholdedRelu',
    'Tile',
    'TopK',
    'Trilu',
    'Upsample',
    'Where',
  ],
  [sensitive]: [
    'Attention',
    'GroupNormalization',
    'InstanceNormalization',
    'LayerNormalization',
    'LinearAttention',
    'LogSoftmax',
    'MeanVarianceNormalization',
    'NegativeLogLikelihoodLoss',
    'RMSNormalization',
    'Softmax',
    'SoftmaxCrossEntropyLoss',
  ],
  [notFloat]: [
    'And',
    'Bernoulli',
    'BitCast',
    'BitShift',
    'BitwiseAnd',
    'BitwiseNot',
    'BitwiseOr',
    'BitwiseXor',
    'Cast',
    'CastLike',
    'Constant',
    'ConstantOfShape',
    'ConcatFromSequence',
    'Equal',
    'EyeLike',
    'Greater',
    'GreaterOrEqual',
    'ImageDecoder',
    'IsInf',
    'IsNaN',
    'Less',
    'LessOrEqual',
    'Multinomial',
    'NonMaxSuppression',
    'NonZero',
    'Not',
    'OneHot',
    'Optional',
    'OptionalGetElement',
    'OptionalHasElement',
    'Or',
    'RandomNormal',
    'RandomNormalLike',
    'RandomUniform',
    'RandomUniformLike',
    'Range',
    'RegexFullMatch',
    'SequenceAt',
    'SequenceConstruct',
    'SequenceEmpty',
    'SequenceErase',
    'SequenceInsert',
    'SequenceLength',
    'Shape',
    'Size',
    'SplitToSequence',
    'StringConcat',
    'StringNormalizer',
    'StringSplit',
    'TfIdfVectorizer',
    'Unique',
    'Xor',
  ],
  [already]: [
    'ConvInteger',
    'DequantizeLinear',
    'DynamicQuantizeLinear',
    'MatMulInteger',
    'QLinearConv',
    'QLinearMatMul',
    'QuantizeLinear',
  ],
  [control]: ['If', 'Loop', 'Scan', 'SequenceMap'],
  [recurrent]: ['GRU', 'LSTM', 'RNN'],
} as const

type Uncovered = (typeof reasons)[keyof typeof reasons][number]
/** An operator that is in neither list is a type error here. */
type Missing = Exclude<OpType, keyof typeof covered | Uncovered>
const complete: [Missing] extends [never] ? true : Missing = true

const uncovered = new Map<string, string>(
  Object.entries(reasons).flatMap(([reason, ops]) => ops.map((op) => [op, reason] as const)),
)

/** How a node takes part in static quantization; nodes of other domains stay as they are. */
export function quantRuleOf(node: Node): QuantRule {
  if (!isDefaultDomain(node.domain)) {
    return { kind: 'float', reason: `operators of the domain "${node.domain}" stay as they are` }
  }
  const rule: QuantRule | undefined = Object.hasOwn(covered, node.op)
    ? covered[node.op as keyof typeof covered]
    : undefined
  return rule ?? { kind: 'float', reason: uncovered.get(node.op) ?? (complete && 'it is unknown to Alambic') }
}

/** A constant weight of a multiplying node. */
export interface WeightUse {
  readonly name: string
  /** Which input of the node it is. */
  readonly index: number
  /** Axis of its output channels; undefined where it can only have a single scale. */
  readonly axis: number | undefined
}

/** The float32 weight that a node multiplies by, when it is a constant; undefined for other nodes. */
export function weightUseOf(node: Node, graph: Graph): WeightUse | undefined {
  const rule = quantRuleOf(node)
  if (rule.kind !== 'weighted') return undefined
  const name = node.inputs[rule.weight] ?? ''
  const weight = graph.initializers.get(name)
  if (weight?.dtype !== 'f32' || weight.dims.length < 2) return undefined
  return { name, index: rule.weight, axis: rule.axis(node, weight.dims.length) }
}

/** Whether a value is known to be float32. */
export const isFloat32 = (graph: Graph, value: string): boolean => asTensor(graph.type(value))?.dtype === 'f32'
