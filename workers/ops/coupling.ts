import { isDefaultDomain, type OpType } from '../graph/schema.ts'
import { attention, rotary } from './coupling/attention.ts'
import { fixed } from './coupling/axis.ts'
import type { Coupled, CouplingCall, CouplingRule, CouplingRules } from './coupling/call.ts'
import { elementwise, same } from './coupling/elementwise.ts'
import { linear } from './coupling/linear.ts'
import { microsoft } from './coupling/microsoft.ts'
import { move } from './coupling/move.ts'
import { norm } from './coupling/norm.ts'
import { quantization } from './coupling/quantization.ts'
import { recurrent } from './coupling/recurrent.ts'
import { reduce } from './coupling/reduce.ts'

/** Results that hold no channels: sizes, and tensors that are made from nothing. */
const unrelated = (c: CouplingCall): Coupled => ({
  outputs: c.node.outputs.map((_, k) => c.outShape(k)?.map(() => fixed(`${c.label} makes it`))),
})

/**
 * Which axes of an operator's operands are cut together (Fang et al. 2023, DepGraph, arXiv:2301.12900, section 3.2,
 * over ONNX operators): each rule joins the axes of inputs and weights and says what axes its outputs have.
 */
export const couplingRules = {
  ...elementwise,
  ...linear,
  ...move,
  ...norm,
  ...reduce,
  ...recurrent,
  ...quantization,
  Attention: attention,
  RotaryEmbedding: rotary,
  Shape: unrelated,
  Size: unrelated,
  Constant: unrelated,
  Range: unrelated,
  RandomNormal: unrelated,
  RandomUniform: unrelated,
  BlackmanWindow: unrelated,
  HammingWindow: unrelated,
  HannWindow: unrelated,
  MelWeightMatrix: unrelated,
  EyeLike: (c: CouplingCall) => c.barrier('an identity matrix'),
  ReverseSequence: (c: CouplingCall) => {
    c.pinInput(1, 'lengths of sequences')
    return same(c)
  },
} satisfies CouplingRules

const data = 'what it picks depends on the data'
const signal = 'it mixes all elements of a signal'
const control = 'its branches or loop bodies read it'
const list = 'it works on lists of tensors or optional values'
const text = 'it works on text'
const integer = 'its weights are quantized; prune the float model'
const loss = 'a loss'
const matrix = 'it works on whole matrices'

/** Operators that nothing is cut through, with the reason that people read. */
export const couplingBarriers: Readonly<Record<Exclude<OpType, keyof typeof couplingRules>, string>> = {
  AffineGrid: 'it makes coordinates',
  BitCast: 'it reads elements as others',
  CausalConvWithState: 'a convolution with a running state',
  CenterCropPad: 'it crops by a computed size',
  Col2Im: 'it puts patches together',
  Compress: data,
  ConcatFromSequence: list,
  ConvInteger: integer,
  DFT: signal,
  DeformConv: 'a convolution with learnt offsets',
  Det: matrix,
  DynamicQuantizeLinear: integer,
  GatherElements: data,
  GatherND: data,
  If: control,
  ImageDecoder: 'it decodes images',
  LinearAttention: 'attention with a running state',
  Loop: control,
  MatMulInteger: integer,
  Multinomial: data,
  NegativeLogLikelihoodLoss: loss,
  NonMaxSuppression: data,
  NonZero: data,
  OneHot: data,
  Optional: list,
  OptionalGetElement: list,
  OptionalHasElement: list,
  QLinearConv: integer,
  QLinearMatMul: integer,
  RegexFullMatch: text,
  STFT: signal,
  Scan: control,
  Scatter: data,
  ScatterElements: data,
  ScatterND: data,
  SequenceAt: list,
  SequenceConstruct: list,
  SequenceEmpty: list,
  SequenceErase: list,
  SequenceInsert: list,
  SequenceLength: list,
  SequenceMap: list,
  SoftmaxCrossEntropyLoss: loss,
  SplitToSequence: list,
  StringConcat: text,
  StringNormalizer: text,
  StringSplit: text,
  SwiGLU: 'a gated activation as one operator',
  TensorScatter: data,
  TfIdfVectorizer: text,
  TopK: data,
  Unique: data,
}

const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined

const standard = couplingRules as unknown as Readonly<Record<string, CouplingRule>>

/** How an operator couples axes; one without a rule is a barrier that names itself. */
export function couplingRuleOf(op: string, domain: string): CouplingRule {
  if (isDefaultDomain(domain)) {
    const rule = own(standard, op) ?? own(microsoft, op)
    if (rule) return rule
    const reason = own<string>(couplingBarriers, op) ?? `operator ${op} is unknown here`
    return (c) => c.barrier(reason)
  }
  const rule = domain === 'com.microsoft' ? own(microsoft, op) : undefined
  return rule ?? ((c) => c.barrier(`operator ${domain}::${op} is unknown here`))
}
