import type { Graph } from '../graph/graph.ts'

/** Constant nodes that hold a tensor become initializers: passes and gradients look for constants there only. */
export function simplify(graph: Graph): Graph {
  const constants = graph.nodes.filter((node) => node.op === 'Constant' && node.attributes['value']?.kind === 'tensor')
  if (constants.length === 0) return graph
  const initializers = new Map(graph.initializers)
  for (const node of constants) {
    const value = node.attributes['value']
    if (value?.kind === 'tensor') initializers.set(node.outputs[0] as string, value.value)
  }
  const gone = new Set(constants)
  return graph.with({ initializers, nodes: graph.nodes.filter((node) => !gone.has(node)) })
}
