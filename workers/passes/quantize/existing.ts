import { nodeLabel, type Graph } from '../../graph/graph.ts'
import { weightUseOf } from '../../ops/quant.ts'

/** Operators that only quantized models have. */
const telling: ReadonlySet<string> = new Set([
  'ConvInteger',
  'DequantizeLinear',
  'DynamicQuantizeLSTM',
  'DynamicQuantizeLinear',
  'DynamicQuantizeMatMul',
  'MatMulInteger',
  'MatMulIntegerToFloat',
  'MatMulNBits',
  'QAttention',
  'QGemm',
  'QLinearAdd',
  'QLinearConv',
  'QLinearMatMul',
  'QuantizeLinear',
])

/** What of a model is quantized already, and what could still be. */
export interface ExistingQuantization {
  /** Nodes of quantized models, by operator. */
  readonly operators: Readonly<Record<string, number>>
  /** Layers with a float32 weight. */
  readonly float: readonly string[]
}

export function existingQuantization(graph: Graph): ExistingQuantization {
  const operators: Record<string, number> = {}
  const float: string[] = []
  for (const node of graph.nodes) {
    if (telling.has(node.op)) operators[node.op] = (operators[node.op] ?? 0) + 1
    if (weightUseOf(node, graph)) float.push(nodeLabel(node))
  }
  return { operators, float }
}
