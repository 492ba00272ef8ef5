import type { OpType } from '../../graph/schema.ts'
import type { Dim, Shape } from '../../graph/types.ts'
import { COMPOSITES } from '../composites.ts'
import { add, multiply, product } from '../dims.ts'
import type { Call } from '../shape/call.ts'
import { einsumSizes, parseEinsum } from '../shape/matmul.ts'

/** A call with the shapes of its outputs; an unknown shape is undefined. */
export interface CostContext {
  readonly c: Call
  readonly out: (i: number) => Shape | undefined
}
/** Multiply-accumulates of one call; `'?'` where a shape that matters is unknown. */
export type MacRule = (context: CostContext) => Dim

const sizeOf = (shape: Shape | undefined): Dim => (shape ? product(shape) : '?')
const times = (...factors: readonly Dim[]): Dim => factors.reduce(multiply, 1)

/** Every output element takes one kernel: [M, C/group, …kernel] without M. */
const convolution =
  (weight: number): MacRule =>
  ({ c, out }) =>
    times(sizeOf(out(0)), sizeOf(c.shape(weight)?.slice(1)))

/** Every element of the input meets one kernel: [C, M/group, …kernel] without C. */
const spread =
  (input: number, weight: number): MacRule =>
  ({ c }) =>
    times(sizeOf(c.shape(input)), sizeOf(c.shape(weight)?.slice(1)))

/** Every output element sums over the last axis of the left operand, the one before when it is transposed. */
const matrixProduct =
  (left = 0, transposed = 'transA'): MacRule =>
  ({ c, out }) =>
    times(sizeOf(out(0)), c.dim(left, c.int(transposed) ? -2 : -1))

/** Every step multiplies the input and the state by all gates' weights, one set for each direction. */
const recurrent: MacRule = ({ c }) => {
  const steps = times(c.dim(0, 0), c.dim(0, 1))
  return times(steps, add(sizeOf(c.shape(1)), sizeOf(c.shape(2))))
}

/** A product over every index of the equation; one operand alone is only summed or moved. */
const einsum: MacRule = ({ c }) => {
  const { inputs } = parseEinsum(c.as('Einsum').attr.equation ?? '')
  if (inputs.length < 2) return 0
  const { sizes, rest } = einsumSizes(c, inputs)
  const letters = [...new Set(inputs.join('').replaceAll('…', ''))]
  const hidden = inputs.some((i) => i.includes('…')) ? sizeOf(rest) : 1
  return times(hidden, ...letters.map((l) => sizes.get(l) ?? '?'))
}

/** Scores and weighted sum: queries × keys × (key size + value size) for every head of every sample. */
const scores = (batch: Dim, heads: Dim, queries: Dim, keys: Dim, keySize: Dim, valueSize: Dim): Dim =>
  times(batch, heads, queries, keys, add(keySize, valueSize))

const attention: MacRule = ({ c, out }) => {
  const key = out(1)
  const heads = c.rank(0) === 4 ? c.dim(0, 1) : (c.int('q_num_heads') ?? '?')
  return scores(c.dim(0, 0), heads, c.dim(0, -2), key?.[2] ?? '?', key?.[3] ?? '?', out(2)?.[3] ?? '?')
}

/** Each step updates the state of every key head and reads it for every query head. */
const linearAttention: MacRule = ({ c, out }) => {
  const heads = add(c.int('q_num_heads') ?? '?', c.int('kv_num_heads') ?? '?')
  return times(c.dim(0, 0), c.dim(0, 1), heads, out(1)?.[2] ?? '?', out(1)?.[3] ?? '?')
}

/** onnxruntime's Attention projects its input to queries, keys and values first. */
const projectedAttention: MacRule = ({ c, out }) => {
  const [batch, length] = [c.dim(0, 0), c.dim(0, 1)]
  const projected = times(batch, length, sizeOf(c.shape(1)))
  const present = out(1)
  const both = multiply(present?.[4] ?? '?', 2)
  return add(projected, times(batch, present?.[2] ?? '?', length, present?.[3] ?? '?', both))
}

/** Present keys [B, heads, T, size] tell how many positions are attended to. */
const multiHead: MacRule = ({ c, out }) =>
  scores(
    c.dim(0, 0),
    c.int('num_heads') ?? '?',
    c.dim(0, 1),
    out(1)?.[2] ?? '?',
    out(1)?.[3] ?? '?',
    out(2)?.[3] ?? '?',
  )

/** The default domain; operators that are not here multiply nothing that is counted (METHODS: convolutions and FC). */
const standard: { readonly [Op in OpType]?: MacRule } = {
  Conv: convolution(1),
  ConvInteger: convolution(1),
  DeformConv: convolution(1),
  QLinearConv: convolution(3),
  CausalConvWithState: convolution(1),
  ConvTranspose: spread(0, 1),
  Gemm: matrixProduct(),
  MatMul: matrixProduct(),
  MatMulInteger: matrixProduct(),
  QLinearMatMul: matrixProduct(),
  Einsum: einsum,
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
  Attention: attention,
  LinearAttention: linearAttention,
}

const microsoft: Readonly<Record<string, MacRule>> = {
  FusedConv: convolution(1),
  NhwcConv: convolution(1),
  NhwcFusedConv: convolution(1),
  QLinearConv: convolution(3),
  FusedGemm: matrixProduct(),
  GemmFastGelu: matrixProduct(),
  FusedMatMul: matrixProduct(),
  TransposeMatMul: matrixProduct(),
  QGemm: matrixProduct(),
  DynamicQuantizeMatMul: matrixProduct(),
  MatMulIntegerToFloat: matrixProduct(),
  MatMulInteger16: matrixProduct(),
  MatMulNBits: matrixProduct(),
  MatMulBnb4: matrixProduct(),
  MatMulFpQ4: matrixProduct(),
  DynamicQuantizeLSTM: recurrent,
  Attention: projectedAttention,
  QAttention: projectedAttention,
  MultiHeadAttention: multiHead,
  GroupQueryAttention: multiHead,
}

/** A gradient of a convolution costs what the convolution does. */
const composites: Readonly<Record<string, MacRule>> = {
  ConvInputGrad: spread(0, 1),
  ConvFilterGrad: ({ c }) => times(sizeOf(c.shape(0)), sizeOf(c.shape(2)?.slice(1))),
}

const domains: Readonly<Record<string, Readonly<Record<string, MacRule>>>> = {
  '': { ...microsoft, ...standard },
  'ai.onnx': standard,
  'com.microsoft': microsoft,
  [COMPOSITES]: composites,
}

/** The rule of an operator that multiplies; undefined for all others. */
export const macRuleOf = (op: string, domain: string): MacRule | undefined => {
  const table = Object.hasOwn(domains, domain) ? domains[domain] : undefined
  return table && Object.hasOwn(table, op) ? table[op] : undefined
}
