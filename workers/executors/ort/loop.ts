import { AlambicError } from '../../protocol/errors.ts'
import { Builder } from '../../graph/builder.ts'
import { identity, type Graph, type Node, type Value } from '../../graph/graph.ts'
import { tensorOf, type Tensor } from '../../graph/tensor.ts'
import { asTensor, staticShape, tensorType } from '../../graph/types.ts'
import type { StateLink, Tensors } from '../executor.ts'

/** Names of what a loop has beside the graph that it repeats. */
const COUNT = 'loop.count'
const all = (name: string): string => `all.${name}`
const last = (name: string): string => `last.${name}`

/**
 * A graph with state, repeated within one call: ONNX's Loop, whose body is the graph, whose carried values are the
 * state. Inputs: how often, every feed with a leading axis of that size, the state. Outputs: the last state, and every
 * result with a leading axis. Between two calls the state is copied to and from a device once, not at every step.
 */
export function loopOf(graph: Graph, links: readonly StateLink[]): Graph {
  const resident = new Set(links.map((link) => link.input))
  const carried = new Set(links.map((link) => link.output))
  const feeds = graph.inputs.filter((v) => !resident.has(v.name))
  const results = graph.outputs.filter((v) => !carried.has(v.name))
  const stateOf = ({ input }: StateLink) => graph.inputs.find((v) => v.name === input) as Value
  const outer = new Builder(
    graph.with({ inputs: [], outputs: [], nodes: [], initializers: new Map(), types: new Map() }),
  )
  outer.input(COUNT, 'i64', [])
  for (const { name, type } of feeds) {
    const { dtype, dims } = fixed(name, type)
    outer.input(all(name), dtype, ['steps', ...dims])
  }
  for (const link of links) {
    const { dtype, dims } = fixed(link.input, stateOf(link).type)
    outer.input(`first.${link.input}`, dtype, dims)
  }
  const body = bodyOf(graph, links, feeds, results)
  const outputs = [...links.map(({ input }) => last(input)), ...results.map(({ name }) => all(name))]
  const node: Node = {
    name: 'loop',
    op: 'Loop',
    domain: '',
    inputs: [COUNT, '', ...links.map(({ input }) => `first.${input}`)],
    outputs,
    attributes: { body: { kind: 'graph', value: body } },
  }
  outer.append(node)
  for (const link of links) outer.types.set(last(link.input), stateOf(link).type)
  for (const { name, type } of results) {
    const { dtype, dims } = fixed(name, type)
    outer.types.set(all(name), tensorType(dtype, ['steps', ...dims]))
  }
  for (const output of outputs) outer.output(output)
  return outer.build()
}

function bodyOf(graph: Graph, links: readonly StateLink[], feeds: readonly Value[], results: readonly Value[]): Graph {
  const picks = feeds.map(({ name }): Node => {
    const attributes = { axis: { kind: 'int' as const, value: 0 } }
    return {
      name: `pick.${name}`,
      op: 'Gather',
      domain: '',
      inputs: [all(name), 'loop.i'],
      outputs: [name],
      attributes,
    }
  })
  const flag = tensorType('bool', [])
  const state = links.map(({ input }) => graph.inputs.find((v) => v.name === input) as Value)
  return graph.with({
    name: 'body',
    inputs: [{ name: 'loop.i', type: tensorType('i64', []) }, { name: 'loop.go', type: flag }, ...state],
    outputs: [
      { name: 'loop.on', type: flag },
      ...links.map(({ input, output }) => ({
        name: `next.${input}`,
        type: graph.type(output) ?? { kind: 'unknown' as const },
      })),
      ...results,
    ],
    nodes: [
      ...picks,
      ...graph.nodes,
      identity('loop.go', 'loop.on'),
      // A value may be the next state of several, and must leave the body under as many names.
      ...links.map(({ input, output }) => identity(output, `next.${input}`)),
    ],
  })
}

function fixed(name: string, type: Value['type']) {
  const [dtype, dims] = [asTensor(type)?.dtype, staticShape(type)]
  if (dtype !== undefined && dims !== undefined) return { dtype, dims }
  throw new AlambicError('executor.open-shape', `the shape of "${name}" is open, and only fixed steps are repeated`, {
    subject: name,
  })
}

/** The feeds of several runs as those of one call. */
export function loopFeeds(runs: readonly Tensors[], state: Tensors): Tensors {
  const [first = {}] = runs
  const joined = Object.keys(first).map((name): [string, Tensor] => {
    const { dtype, dims } = first[name] as Tensor
    const bytes = Buffer.concat(runs.map((run) => (run[name] as Tensor).bytes))
    return [all(name), { dtype, dims: [runs.length, ...dims], bytes: new Uint8Array(bytes) }]
  })
  return {
    [COUNT]: tensorOf('i64', [], BigInt64Array.of(BigInt(runs.length))),
    ...Object.fromEntries(joined),
    ...Object.fromEntries(Object.entries(state).map(([name, tensor]) => [`first.${name}`, tensor])),
  }
}

/** What one call gave, as the results of every run and the state after the last. */
export function loopResults(results: Tensors, links: readonly StateLink[], count: number) {
  const state = Object.fromEntries(links.map(({ input }) => [input, results[last(input)] as Tensor]))
  const own = Object.entries(results).filter(([name]) => name.startsWith(all('')))
  const runs = Array.from({ length: count }, (_, i) =>
    Object.fromEntries(
      own.map(([name, { dtype, dims, bytes }]) => {
        const size = bytes.byteLength / count
        return [
          name.slice(all('').length),
          { dtype, dims: dims.slice(1), bytes: bytes.slice(i * size, (i + 1) * size) } satisfies Tensor,
        ]
      }),
    ),
  )
  return { state, runs }
}
