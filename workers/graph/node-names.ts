import { subgraphsOf, type Graph, type Node } from './graph.ts'
import { mapSubgraphs } from './rename.ts'

/**
 * A graph whose nodes, those of subgraphs included, have names that no other node has; empty names stay. ONNX asks for
 * nothing of them, but onnxruntime refuses a graph in which two nodes share one. The first of a name keeps it. The very
 * same graph comes back when there is nothing to do.
 */
export function withUniqueNodeNames(graph: Graph): Graph {
  const taken = new Set<string>()
  const repeated = collect(graph, taken, false)
  return repeated ? rename(graph, new Set(), taken) : graph
}

/** Notes all names; true when one comes twice. */
function collect(graph: Graph, taken: Set<string>, repeated: boolean): boolean {
  return graph.nodes.reduce((found, node) => {
    const again = node.name !== '' && taken.has(node.name)
    taken.add(node.name)
    return subgraphsOf(node).reduce((inner, subgraph) => collect(subgraph, taken, inner), found || again)
  }, repeated)
}

function rename(graph: Graph, seen: Set<string>, taken: Set<string>): Graph {
  const nodes = graph.nodes.map((node): Node => {
    let name = node.name
    for (let n = 1; name !== '' && seen.has(name); n++) {
      const next = `${node.name}_${n}`
      if (!taken.has(next)) name = next
    }
    seen.add(name)
    taken.add(name)
    return { ...node, name, attributes: mapSubgraphs(node, (inner) => rename(inner, seen, taken)) }
  })
  return graph.with({ nodes })
}
