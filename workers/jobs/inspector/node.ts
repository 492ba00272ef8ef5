import type { NodeFacts, NodeInput } from '../../protocol/studio/sheet.ts'
import { subgraphsOf, type Graph, type Node } from '../../graph/graph.ts'
import { isDefaultDomain } from '../../graph/schema.ts'
import { nodeAt, type Opened } from './open.ts'
import { attributeText, typeOf } from './sheet.ts'
import { constantOf, weightFacts } from './weights.ts'

/** Everything about one node: whole attributes, what it reads and writes, and its constants. */
export function nodeFacts(opened: Opened, index: number): NodeFacts {
  const { graph } = opened
  const node = nodeAt(opened, index)
  return {
    node: index,
    ...(node.doc ? { doc: node.doc } : {}),
    attributes: Object.entries(node.attributes).map(([name, attribute]) => ({
      name,
      kind: attribute.kind,
      text: attributeText(attribute),
    })),
    inputs: node.inputs.map((value, i) => inputOf(graph, node, value, i)),
    outputs: node.outputs.filter((value) => value !== '').map((value) => ({ value, type: typeOf(graph.type(value)) })),
    weights: [...new Set(node.inputs)].flatMap((name) => {
      const tensor = name === '' ? undefined : constantOf(graph, name)
      return tensor ? [weightFacts(graph, node, name, tensor)] : []
    }),
    subgraphs: subgraphsOf(node).map(({ name, nodes }) => ({ name, nodes: nodes.length })),
  }
}

/** Names that the operators' definitions give to their inputs, of those whose inputs are weights. */
const roles: Readonly<Record<string, readonly string[]>> = {
  Conv: ['X', 'W', 'B'],
  ConvTranspose: ['X', 'W', 'B'],
  Gemm: ['A', 'B', 'C'],
  MatMul: ['A', 'B'],
  BatchNormalization: ['X', 'scale', 'B', 'input_mean', 'input_var'],
  LayerNormalization: ['X', 'Scale', 'B'],
  QuantizeLinear: ['x', 'y_scale', 'y_zero_point'],
  DequantizeLinear: ['x', 'x_scale', 'x_zero_point'],
  Gather: ['data', 'indices'],
  LSTM: ['X', 'W', 'R', 'B', 'sequence_lens', 'initial_h', 'initial_c', 'P'],
  GRU: ['X', 'W', 'R', 'B', 'sequence_lens', 'initial_h'],
  Reshape: ['data', 'shape'],
}

function inputOf(graph: Graph, node: Node, value: string, i: number): NodeInput {
  const role = isDefaultDomain(node.domain) ? roles[node.op]?.[i] : undefined
  return {
    value,
    type: value === '' ? '' : typeOf(graph.type(value)),
    kind: value === '' ? 'none' : constantOf(graph, value) ? 'weight' : 'value',
    ...(role === undefined ? {} : { role }),
  }
}
