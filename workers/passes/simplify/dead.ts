import { withoutDead } from '../../graph/dead.ts'
import { subgraphsOf, type Graph } from '../../graph/graph.ts'
import { resultOf, type ChangeResult } from '../report.ts'

/**
 * Takes nodes away whose outputs nothing reads, then constants that nothing reads, in subgraphs too. Inputs stay, and
 * so do the default values of inputs.
 */
export function removeDead(graph: Graph): ChangeResult {
  const alive = withoutDead(graph)
  const [before, after] = [sizeOf(graph), sizeOf(alive)]
  const [nodes, constants] = [before.nodes - after.nodes, before.constants - after.constants]
  if (nodes + constants === 0) return resultOf(graph, [])
  return resultOf(alive, [`removed what nothing reads: ${nodes} nodes, ${constants} constants`])
}

interface Size {
  readonly nodes: number
  readonly constants: number
}

function sizeOf(graph: Graph): Size {
  return graph.nodes.flatMap(subgraphsOf).reduce(
    (sum, inner) => {
      const { nodes, constants } = sizeOf(inner)
      return { nodes: sum.nodes + nodes, constants: sum.constants + constants }
    },
    { nodes: graph.nodes.length, constants: graph.initializers.size },
  )
}
