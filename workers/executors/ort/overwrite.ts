import type { Graph, Node } from '../../graph/graph.ts'
import { staticShape } from '../../graph/types.ts'
import type { StateLink } from '../executor.ts'

/** Element by element, each read before it is written: the result may lie where an operand of its shape does. */
const elementwise: ReadonlySet<string> = new Set(['Add', 'Sub', 'Mul', 'Div'])

/** Whose result is its input's memory under another shape. */
const views: ReadonlySet<string> = new Set(['Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'])

/**
 * The state inputs whose next value may be written over the one that is read, in whatever order a runtime takes the
 * nodes: the node that makes it works element by element, and waits for every other node that reads the old value.
 * Optimizer moments always may; a weight may unless its layer's backward pass could still want it.
 */
export function overwritable(graph: Graph, links: readonly StateLink[]): ReadonlySet<string> {
  const may = ({ input, output }: StateLink): boolean => {
    const maker = graph.producer(output)
    if (!maker || maker.domain !== '' || !elementwise.has(maker.op)) return false
    const [from, to] = [staticShape(graph.type(input)), staticShape(graph.type(output))]
    if (!from || !to || from.length !== to.length || !from.every((d, i) => d === to[i])) return false
    const readers = readersOf(graph, input)
    readers?.delete(maker)
    return readers !== undefined && waitsForAll(graph, maker, readers)
  }
  return new Set(links.filter(may).map(({ input }) => input))
}

/** The nodes that read a value's memory; undefined where that can't be told. */
function readersOf(graph: Graph, value: string): Set<Node> | undefined {
  const readers = new Set<Node>()
  const names = [value]
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    for (const use of graph.uses(name)) {
      // What leaves the graph, and what a subgraph holds on to, may be read at any time.
      if (use.kind !== 'node') return undefined
      readers.add(use.node)
      if (views.has(use.node.op)) names.push(...use.node.outputs)
    }
  }
  return readers
}

/** Whether a node depends on all of some others. */
function waitsForAll(graph: Graph, node: Node, others: ReadonlySet<Node>): boolean {
  const left = new Set(others)
  const seen = new Set<Node>([node])
  const open = [node]
  for (let next = open.pop(); next && left.size > 0; next = open.pop()) {
    for (const value of next.inputs) {
      const before = graph.producer(value)
      if (!before || seen.has(before)) continue
      seen.add(before)
      left.delete(before)
      open.push(before)
    }
  }
  return left.size === 0
}
