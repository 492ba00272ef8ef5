import { namesIn } from '../graph/builder.ts'
import { subgraphsOf, type Graph, type Node } from '../graph/graph.ts'
import { mapSubgraphs } from '../graph/rename.ts'

/** Gives names that no value of a graph, or of a graph inside it, has yet. */
export class FreshNames {
  readonly #taken: Set<string>

  constructor(graph: Graph) {
    this.#taken = namesIn(graph)
  }

  take(hint: string): string {
    let name = hint
    for (let n = 1; this.#taken.has(name); n++) name = `${hint}_${n}`
    this.#taken.add(name)
    return name
  }
}

/** A node whose subgraphs went through `change`; the very same node when it has none. */
export const throughSubgraphs = (node: Node, change: (graph: Graph) => Graph): Node =>
  subgraphsOf(node).length === 0 ? node : { ...node, attributes: mapSubgraphs(node, change) }
