import type { DType } from '../../graph/dtype.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import type { OpType } from '../../graph/schema.ts'
import { sizeOf, type Tensor } from '../../graph/tensor.ts'
import { COMPOSITES } from '../composites.ts'

const operands = [0, 1]
const gates = [1, 2, 3]

/** The inputs of an operator that hold what training would change. Running statistics are not among them. */
const standard: { readonly [Op in OpType]?: readonly number[] } = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  ConvInteger: [1],
  DeformConv: [1, 3],
  QLinearConv: [3, 8],
  CausalConvWithState: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: operands,
  Einsum: [0, 1, 2, 3],
  MatMulInteger: operands,
  QLinearMatMul: [0, 3],
  BatchNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  GroupNormalization: [1, 2],
  RMSNormalization: [1],
  PRelu: [1],
  LSTM: [...gates, 7],
  GRU: gates,
  RNN: gates,
  Gather: [0],
  /** Biases and scales that exporters write as arithmetic. */
  Add: operands,
  Sub: operands,
  Mul: operands,
  Div: operands,
}

const microsoft: Readonly<Record<string, readonly number[]>> = {
  FusedConv: [1, 2],
  NhwcConv: [1, 2],
  NhwcFusedConv: [1, 2],
  QLinearConv: [3, 8],
  FusedGemm: [0, 1, 2],
  GemmFastGelu: [1, 2],
  FusedMatMul: operands,
  TransposeMatMul: operands,
  QGemm: [3, 6],
  DynamicQuantizeMatMul: [1, 4],
  MatMulIntegerToFloat: [1, 6],
  MatMulInteger16: operands,
  MatMulNBits: [1, 5],
  DynamicQuantizeLSTM: [...gates, 7],
  Attention: [1, 2],
  QAttention: [1, 2],
  MultiHeadAttention: [3],
  BiasAdd: [1],
  BiasGelu: [1],
  FastGelu: [1],
  BiasSplitGelu: [1],
  LayerNormalization: [1, 2],
  SimplifiedLayerNormalization: [1],
  SkipLayerNormalization: [2, 3, 4],
  SkipSimplifiedLayerNormalization: [2, 3],
  EmbedLayerNormalization: [2, 3, 4, 5, 6],
  QEmbedLayerNormalization: [2, 3, 4, 5, 6],
  GatherBlockQuantized: [0],
  GroupNorm: [1, 2],
  QLinearAdd: [0, 3],
  QLinearMul: [0, 3],
}

const composites: Readonly<Record<string, readonly number[]>> = { BatchNormTraining: [1, 2] }

const domains: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {
  '': { ...microsoft, ...standard },
  'ai.onnx': standard,
  'com.microsoft': microsoft,
  [COMPOSITES]: composites,
}

const weightInputsOf = (node: Node): readonly number[] => {
  const table = Object.hasOwn(domains, node.domain) ? domains[node.domain] : undefined
  return (table && Object.hasOwn(table, node.op) ? table[node.op] : undefined) ?? []
}

/** Operators that a weight may stand behind without becoming another one. */
const transparent = new Set([
  'Identity',
  'Cast',
  'CastLike',
  'Transpose',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'QuantizeLinear',
  'DequantizeLinear',
  'FakeQuant',
  'LearnedQuant',
])

const neverWeights: ReadonlySet<DType> = new Set<DType>(['i64', 'u64', 'bool', 'string', 'c64', 'c128'])
/** Arithmetic on shapes and lookups of indices use these operators too: there 32-bit integers are no weights. */
const ambiguous = new Set(['Add', 'Sub', 'Mul', 'Div', 'Gather'])

/** The constant that a value comes from, through operators that only change its form. */
export function sourceOf(graph: Graph, value: string): { tensor: Tensor; dequantized: boolean } | undefined {
  let [name, dequantized] = [value, false]
  for (let step = 0; step < 32; step++) {
    const tensor = graph.initializers.get(name)
    if (tensor) return { tensor, dequantized }
    const node = graph.producer(name)
    if (node?.op === 'Constant') {
      const constant = node.attributes['value']
      return constant?.kind === 'tensor' ? { tensor: constant.value, dequantized } : undefined
    }
    if (!node || !transparent.has(node.op)) return undefined
    if (node.op === 'DequantizeLinear') dequantized = true
    name = node.inputs[0] ?? ''
  }
  return undefined
}

/** A trainable tensor and how many parameters it holds. */
export interface Weight {
  readonly tensor: Tensor
  readonly count: number
}

/** The parameters that a node consumes as weights: convolution kernels, biases, γ and β, embeddings. */
export function weightsOf(graph: Graph, node: Node): readonly Weight[] {
  return weightInputsOf(node).flatMap((i) => {
    const source = sourceOf(graph, node.inputs[i] ?? '')
    if (!source || !isWeight(node, source.tensor, source.dequantized)) return []
    return [{ tensor: source.tensor, count: i === 1 ? packedCount(node, source.tensor) : sizeOf(source.tensor.dims) }]
  })
}

function isWeight(node: Node, tensor: Tensor, dequantized: boolean): boolean {
  if (neverWeights.has(tensor.dtype)) return false
  if (!ambiguous.has(node.op)) return true
  const integer = tensor.dtype === 'i32' || tensor.dtype === 'u32'
  // A lone number in arithmetic is part of a formula (√2, ε), not something that was learnt.
  return (!integer || dequantized) && (node.op === 'Gather' || sizeOf(tensor.dims) > 1)
}

/** MatMulNBits packs a K × N weight into bytes. */
function packedCount(node: Node, tensor: Tensor): number {
  const [k, n] = [node.attributes['K'], node.attributes['N']]
  const packed = node.op === 'MatMulNBits' && k?.kind === 'int' && n?.kind === 'int'
  return packed ? Number(k.value) * Number(n.value) : sizeOf(tensor.dims)
}
