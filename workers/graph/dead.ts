import { definedNames, type Graph, type Node } from './graph.ts'
import { readsOf } from './order.ts'
import { mapSubgraphs } from './rename.ts'
import { verify } from './verify.ts'

/**
 * Deletes nodes that no output depends on, constants that nothing reads (but defaults of inputs) and the types of
 * values that are gone, in subgraphs too. Inputs stay: they are the graph's interface. Verified.
 */
export function removeDead(graph: Graph): Graph {
  const alive = withoutDead(graph)
  verify(alive)
  return alive
}

/** `removeDead` without the verification; the nodes must be in topological order. */
export function withoutDead(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map((v) => v.name))
  const reversed: Node[] = []
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => output !== '' && needed.has(output))) continue
    const attributes = mapSubgraphs(node, withoutDead)
    const kept = attributes === node.attributes ? node : { ...node, attributes }
    reversed.push(kept)
    for (const value of readsOf(kept)) needed.add(value)
  }
  for (const { name } of graph.inputs) needed.add(name)
  const initializers = new Map([...graph.initializers].filter(([name]) => needed.has(name)))
  return withoutStrayTypes(graph.with({ nodes: reversed.reverse(), initializers }))
}

/** Forgets what is declared of values that the graph does not have. */
export function withoutStrayTypes(graph: Graph): Graph {
  const own = definedNames(graph)
  const isOwn = ([name]: readonly [string, unknown]) => own.has(name)
  const types = new Map([...graph.types].filter(isOwn))
  const valueFields = graph.valueFields && new Map([...graph.valueFields].filter(isOwn))
  const isSame = types.size === graph.types.size && valueFields?.size === graph.valueFields?.size
  return isSame ? graph : graph.with({ types, valueFields })
}
