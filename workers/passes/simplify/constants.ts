import type { Graph, Node } from '../../graph/graph.ts'
import { i64, type Tensor } from '../../graph/tensor.ts'
import { throughSubgraphs } from '../names.ts'
import { resultOf, type ChangeResult } from '../report.ts'
import { numberTensor } from '../scalar.ts'
import type { Attribute } from '../../graph/attributes.ts'

const strings = (values: readonly string[], dims: readonly number[]): Tensor => ({
  dtype: 'string',
  dims,
  bytes: new Uint8Array(0),
  strings: values,
})

/** How a Constant node writes its tensor, by attribute; sparse ones stay nodes. */
function tensorOfConstant(attribute: Attribute | undefined, name: string | undefined): Tensor | undefined {
  switch (attribute?.kind) {
    case 'tensor':
      return attribute.value
    case 'float':
      return numberTensor([attribute.value], [], 'f32')
    case 'floats':
      return numberTensor(attribute.value, [attribute.value.length], 'f32')
    case 'int':
      return integers([attribute.value], [])
    case 'ints':
      return integers(attribute.value, [attribute.value.length])
    case 'string':
      return name === 'value_string' ? strings([attribute.value], []) : undefined
    case 'strings':
      return strings(attribute.value, [attribute.value.length])
    default:
      return undefined
  }
}

function integers(values: readonly (number | bigint)[], dims: readonly number[]): Tensor {
  const exact = values.every((v) => typeof v === 'number')
  return exact
    ? i64(values, dims)
    : { ...i64(values.map(Number), dims), bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) }
}

/** Constant nodes become initializers of the same names. One that is a graph output stays a node. */
export function constantsToInitializers(graph: Graph): ChangeResult {
  const outputs = new Set(graph.outputs.map((v) => v.name))
  const initializers = new Map(graph.initializers)
  const changes: string[] = []
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const [name, attribute] = Object.entries(node.attributes)[0] ?? []
    const [output = ''] = node.outputs
    const isConstant = node.op === 'Constant' && node.domain === '' && !outputs.has(output)
    const tensor = isConstant ? tensorOfConstant(attribute, name) : undefined
    if (tensor) {
      initializers.set(output, tensor)
      changes.push(`constant "${output}" became an initializer`)
      return []
    }
    return [throughSubgraphs(node, (subgraph) => through(constantsToInitializers(subgraph), changes))]
  })
  return changes.length > 0 ? resultOf(graph.with({ nodes, initializers }), changes) : resultOf(graph, [])
}

function through({ graph, report }: ChangeResult, changes: string[]): Graph {
  changes.push(...report.changes)
  return graph
}
