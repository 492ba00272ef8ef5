import { capturedBy, type Graph, type Node } from './graph.ts'
import { verify } from './verify.ts'

/** Every value that a node needs: its inputs and what its subgraphs capture. */
export function readsOf(node: Node): Iterable<string> {
  const captured = capturedBy(node)
  return captured.size === 0 ? node.inputs : [...node.inputs, ...captured]
}

export interface Ordering {
  /** The nodes, each after those that it reads from; without the rest when there is a cycle. */
  readonly nodes: readonly Node[]
  /** Nodes in a ring: each reads from the one before it, the first from the last. Absent when nodes can be ordered. */
  readonly cycle?: readonly Node[]
}

/** A node that is being visited, and the nodes that it still has to wait for. */
interface Visit {
  readonly node: Node
  readonly waiting: Iterator<string>
}

/**
 * Orders nodes so that each comes after those that it reads from, and otherwise leaves them where they are: an ordered
 * list comes back as it was, a node that is too late moves to just before the first one that needs it. Depth-first
 * search without recursion (chains are long); linear in nodes and edges.
 */
export function orderNodes(nodes: readonly Node[]): Ordering {
  const producers = new Map<string, Node>()
  for (const node of nodes) for (const output of node.outputs) if (output !== '') producers.set(output, node)
  const ordered: Node[] = []
  const state = new Map<Node, 'open' | 'done'>()
  const stack: Visit[] = []
  const enter = (node: Node) => {
    state.set(node, 'open')
    stack.push({ node, waiting: readsOf(node)[Symbol.iterator]() })
  }
  for (const root of nodes) {
    if (!state.has(root)) enter(root)
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const next = nextOpen(top, producers, state)
      if (next === undefined) {
        stack.pop()
        state.set(top.node, 'done')
        ordered.push(top.node)
      } else if (state.get(next) === 'open') {
        const open = stack.map((visit) => visit.node)
        return { nodes: ordered, cycle: [next, ...open.slice(open.indexOf(next) + 1).reverse()] }
      } else enter(next)
    }
  }
  return { nodes: ordered }
}

/** The next node that must come before the one being visited, as long as it is not done. */
function nextOpen(
  { waiting }: Visit,
  producers: ReadonlyMap<string, Node>,
  state: ReadonlyMap<Node, string>,
): Node | undefined {
  for (let read = waiting.next(); !read.done; read = waiting.next()) {
    const producer = producers.get(read.value)
    if (producer && state.get(producer) !== 'done') return producer
  }
  return undefined
}

/**
 * Puts the nodes of a graph in topological order, moving as few as can be; subgraphs are left as they are. Verified:
 * a cycle is an error that names it.
 */
export function sortNodes(graph: Graph): Graph {
  const { nodes, cycle } = orderNodes(graph.nodes)
  const sorted = cycle ? graph : graph.with({ nodes })
  verify(sorted)
  return sorted
}
