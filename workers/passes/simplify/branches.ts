import { identity, type Graph } from '../../graph/graph.ts'
import { subgraphsOf, type Node } from '../../graph/graph.ts'
import { renameAll, renamingOf } from '../../graph/rename.ts'
import type { Tensor } from '../../graph/tensor.ts'
import type { ValueType } from '../../graph/types.ts'
import { numbersIn } from '../../ops/shape/content.ts'
import { FreshNames } from '../names.ts'
import { resultOf, type ChangeResult } from '../report.ts'
import { knowledgeOf } from './shapes.ts'

/** What the chosen branches bring into the graph around them. */
interface Opened {
  readonly initializers: Map<string, Tensor>
  readonly types: Map<string, ValueType>
}

/**
 * Replaces every If whose condition inference knows by the nodes of the branch that runs: exporters write one wherever
 * a rank or a size decides. Nothing is executed. Names of the branch stay where no other value has them; those of the
 * If's outputs always do. An If inside the chosen branch is left for the next turn.
 */
export function resolveBranches(graph: Graph): ChangeResult {
  if (!graph.nodes.some(isIf)) return resultOf(graph, [])
  const scope = knowledgeOf(graph)
  const defaults = new Set(graph.inputs.map((v) => v.name))
  const chosen = new Map<Node, Graph>()
  for (const node of graph.nodes) {
    const [condition = ''] = node.inputs
    if (!isIf(node) || defaults.has(condition)) continue
    const [decided] = numbersIn(scope.content(condition)) ?? []
    const branch = decided === undefined ? undefined : node.attributes[decided === 0 ? 'else_branch' : 'then_branch']
    if (branch?.kind === 'graph') chosen.set(node, branch.value)
  }
  if (chosen.size === 0) return resultOf(graph, [])
  const opened: Opened = { initializers: new Map(graph.initializers), types: new Map(graph.types) }
  const [names, counts] = [new FreshNames(graph), definitions(graph)]
  const nodes = graph.nodes.flatMap((node) => {
    const branch = chosen.get(node)
    return branch ? opening(node, branch, opened, (name) => (counts.get(name) === 1 ? name : names.take(name))) : [node]
  })
  const changes = [...chosen.keys()].map((node) => `If "${node.name}" became the branch that its condition picks`)
  return resultOf(graph.with({ nodes, ...opened }), changes)
}

const isIf = (node: Node): boolean => node.op === 'If' && node.domain === ''

/** The nodes of a branch, and one that gives each of its outputs the name that the If gave it. */
function opening(node: Node, branch: Graph, opened: Opened, nameOf: (name: string) => string): readonly Node[] {
  const renames = new Map([...definedIn(branch)].map((name) => [name, nameOf(name)]))
  const inside = renameAll(branch, renamingOf(renames))
  for (const [name, tensor] of inside.initializers) opened.initializers.set(name, tensor)
  for (const [name, type] of inside.types) opened.types.set(name, type)
  const ends = node.outputs.flatMap((name, i): Node[] => {
    const from = inside.outputs[i]?.name
    return name === '' || from === undefined ? [] : [identity(from, name)]
  })
  return [...inside.nodes, ...ends]
}

/** The names that a graph itself gives, those of its subgraphs left out. */
const definedIn = (graph: Graph): Set<string> =>
  new Set([...graph.initializers.keys(), ...graph.nodes.flatMap((node) => node.outputs.filter((y) => y !== ''))])

/** How many graphs, of this one and all inside it, give a name to a value. */
function definitions(graph: Graph, counts = new Map<string, number>()): ReadonlyMap<string, number> {
  const own = new Set([...graph.inputs.map((v) => v.name), ...definedIn(graph)])
  for (const name of own) counts.set(name, (counts.get(name) ?? 0) + 1)
  for (const node of graph.nodes) for (const inner of subgraphsOf(node)) definitions(inner, counts)
  return counts
}
