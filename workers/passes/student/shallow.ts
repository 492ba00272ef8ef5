import { AlambicError } from '../../protocol/errors.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { Rewriter } from '../../graph/rewrite.ts'
import { asTensor } from '../../graph/types.ts'
import { inferTypes } from '../../ops/infer.ts'
import type { Made } from './make.ts'

/** y = x + F(x) with F inside nobody else's view: without F the net still has the same shapes. */
export interface ResidualBlock {
  readonly add: Node
  /** The value that goes around the block. */
  readonly shortcut: string
  readonly inside: readonly Node[]
}

/** The blocks that could be left out, in order. Types must be inferred. */
export function residualBlocks(graph: Graph): readonly ResidualBlock[] {
  return graph.nodes.flatMap((add) => {
    if (add.op !== 'Add' || add.domain !== '' || add.inputs.length !== 2) return []
    const blocks = [0, 1].flatMap((side) => {
      const [shortcut = '', branch = ''] = side === 0 ? add.inputs : [...add.inputs].reverse()
      const inside = isActivation(graph, shortcut) ? between(graph, shortcut, branch, add) : undefined
      return inside && inside.length > 0 && sameShape(graph, shortcut, add.outputs[0] ?? '')
        ? [{ add, shortcut, inside }]
        : []
    })
    return blocks.slice(0, 1)
  })
}

const isActivation = (graph: Graph, value: string): boolean =>
  !graph.initializers.has(value) && (graph.producer(value) !== undefined || graph.inputs.some((v) => v.name === value))

function sameShape(graph: Graph, a: string, b: string): boolean {
  const [x, y] = [a, b].map((value) => asTensor(graph.type(value))?.shape)
  return x !== undefined && y !== undefined && x.length === y.length && x.every((d, i) => d === y[i] && d !== '?')
}

/** Everything that computes `branch` from `from`; undefined where it also reads something else, or is read elsewhere. */
function between(graph: Graph, from: string, branch: string, add: Node): readonly Node[] | undefined {
  const nodes = new Set<Node>()
  const pending = [branch]
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (value === '' || value === from || graph.initializers.has(value)) continue
    const node = graph.producer(value)
    if (!node) return undefined
    if (nodes.has(node)) continue
    nodes.add(node)
    pending.push(...node.inputs)
  }
  const enclosed = [...nodes].every((node) =>
    node.outputs.every((y) =>
      graph.uses(y).every((use) => use.kind === 'node' && (nodes.has(use.node) || use.node === add)),
    ),
  )
  const reads = [...nodes].some((node) => node.inputs.includes(from))
  return enclosed && reads ? [...nodes] : undefined
}

/**
 * The same net with a share of its residual blocks left out, evenly over each kind of block, so that of a
 * transformer's attention and feed-forward blocks the same layers go (Sanh et al. 2019, arXiv:1910.01108, §3, takes
 * every second layer). What stays keeps the teacher's weights.
 */
export function shallow(source: Graph, share: number): Made {
  const graph = inferTypes(source)
  const kinds = Map.groupBy(residualBlocks(graph), kindOf(graph))
  const dropped = [...kinds.values()].flatMap((blocks) =>
    blocks.filter((_, i) => Math.floor((i + 1) * share + 1e-9) > Math.floor(i * share + 1e-9)),
  )
  const found = [...kinds.values()].flat()
  if (dropped.length === 0) {
    throw new AlambicError('student.shallow', 'this model has no residual block that could be left out', {
      expected: `blocks x + F(x) of one shape, at least ${Math.ceil(1 / share)} of a kind`,
      found: found.length === 0 ? 'none' : `${found.length} in ${kinds.size} kinds`,
      fix: 'Make a thinner or separable student instead: --make thin:0.5.',
    })
  }
  const r = new Rewriter(graph)
  for (const { add, shortcut } of dropped) r.replace(add, shortcut)
  return {
    graph: inferTypes(r.apply()),
    changes: dropped.map(({ add, inside }) => `block at ${add.name} left out (${inside.length} nodes)`),
    kept: found.filter((block) => !dropped.includes(block)).map(({ add }) => `block at ${add.name}`),
  }
}

/** Blocks of one kind have the same operators and shape. */
const kindOf =
  (graph: Graph) =>
  ({ add, inside }: ResidualBlock): string =>
    JSON.stringify([inside.map((node) => node.op).sort(), asTensor(graph.type(add.outputs[0] ?? ''))?.shape])
