import type { Graph } from '../../graph/graph.ts'
import { asTensor } from '../../graph/types.ts'
import { bindDims } from '../../ops/bind.ts'

/** Binds the batch dimension of every input. */
export function withBatch(graph: Graph, batch: number): Graph {
  const symbols = graph.inputs.flatMap((v) => {
    const dim = asTensor(v.type)?.shape?.[0]
    return typeof dim === 'string' ? [dim] : []
  })
  return symbols.length === 0 ? graph : bindDims(graph, Object.fromEntries(symbols.map((s) => [s, batch])))
}
