import { attributesOf } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { numbersOf, type Tensor } from '../../graph/tensor.ts'
import { renameReads, renamingOf } from '../../graph/rename.ts'
import { throughSubgraphs } from '../names.ts'
import { resultOf, type ChangeResult } from '../report.ts'

/** True for a node that hands its first input on as it is. */
type Bypass = (node: Node, constantOf: (value: string) => Tensor | undefined) => boolean

const isIdentity: Bypass = (node) => node.op === 'Identity' && node.domain === ''

/** Dropout outside of training. Its mask, where something reads it, keeps the node. */
const isInactiveDropout: Bypass = (node, constantOf) => {
  if (node.op !== 'Dropout' || node.domain !== '') return false
  const [, , training = ''] = node.inputs
  if (training === '') return attributesOf(node)['is_test'] !== 0
  const constant = constantOf(training)
  return constant !== undefined && numbersOf(constant)[0] === 0
}

/** Takes Identity nodes away. Names of the graph's inputs and outputs stay. */
export const removeIdentities = (graph: Graph): ChangeResult => bypass(graph, isIdentity)

/** Takes Dropout nodes away that do nothing at inference. Not for graphs that are to be trained. */
export const removeDropout = (graph: Graph): ChangeResult => bypass(graph, isInactiveDropout)

function bypass(graph: Graph, test: Bypass): ChangeResult {
  const changes: string[] = []
  return resultOf(
    bypassIn(graph, test, changes, (value) => graph.initializers.get(value)),
    changes,
  )
}

function bypassIn(
  graph: Graph,
  test: Bypass,
  changes: string[],
  constantOf: (value: string) => Tensor | undefined,
): Graph {
  const visible = (value: string) => graph.initializers.get(value) ?? constantOf(value)
  const start = changes.length
  const inner = graph.with({
    nodes: graph.nodes.map((node) => throughSubgraphs(node, (subgraph) => bypassIn(subgraph, test, changes, visible))),
  })
  const { renames, dropped } = plan(inner, test, visible)
  for (const node of dropped) changes.push(`${node.op} "${node.name}" removed`)
  if (changes.length === start) return graph
  const resolved = new Map([...renames.keys()].map((name) => [name, resolve(renames, name)]))
  const kept = inner.nodes.filter((node) => !dropped.has(node))
  const nodes = kept
    .map((node) => renameReads(node, renamingOf(resolved)))
    .map((node) =>
      node.outputs.some((o) => resolved.has(o))
        ? { ...node, outputs: node.outputs.map((o) => resolved.get(o) ?? o) }
        : node,
    )
  return inner.with({ nodes, types: renamedTypes(inner, resolved) })
}

interface Plan {
  readonly renames: ReadonlyMap<string, string>
  readonly dropped: ReadonlySet<Node>
}

/**
 * Which nodes go, and what takes whose name: a value that the node passes on takes over its readers, except that a
 * graph output keeps its name, which then goes to the value instead. An output that is an input, a constant or an
 * outer value needs its node.
 */
function plan(graph: Graph, test: Bypass, constantOf: (value: string) => Tensor | undefined): Plan {
  const renames = new Map<string, string>()
  const dropped = new Set<Node>()
  const fixed = new Set(graph.outputs.map((v) => v.name))
  for (const node of graph.nodes) {
    const [x = ''] = node.inputs
    const [y = '', ...others] = node.outputs
    if (!test(node, constantOf) || others.some((o) => graph.uses(o).length > 0)) continue
    const source = resolve(renames, x)
    if (!fixed.has(y)) {
      renames.set(y, source)
    } else {
      if (fixed.has(source) || graph.producer(x) === undefined || graph.producer(source) === undefined) continue
      renames.set(source, y)
    }
    dropped.add(node)
  }
  return { renames, dropped }
}

function resolve(renames: ReadonlyMap<string, string>, name: string): string {
  let current = name
  for (let next = renames.get(current); next !== undefined; next = renames.get(current)) current = next
  return current
}

function renamedTypes(graph: Graph, renames: ReadonlyMap<string, string>): Graph['types'] {
  return new Map([...graph.types].flatMap(([name, type]) => (renames.has(name) ? [] : [[name, type] as const])))
}
