import { definedNames, subgraphsOf, type Graph, type Node } from '../../graph/graph.ts'
import { mapSubgraphs } from '../../graph/rename.ts'
import { FreshNames } from '../names.ts'
import { resultOf, type ChangeResult } from '../report.ts'

/**
 * Renames values of subgraphs that have the name of a value of a graph around them. Some exporters give the inputs of
 * a loop's body the names of what goes in; runtimes take the inner one, and here every name stands for one value.
 */
export function renameShadowed(graph: Graph): ChangeResult {
  const changes: string[] = []
  const renamed = renameIn(graph, { visible: new Set(), renames: new Map(), names: new FreshNames(graph), changes })
  return changes.length > 0 ? resultOf(renamed, changes) : resultOf(graph, [])
}

interface Scope {
  /** Names of the graphs around. */
  readonly visible: ReadonlySet<string>
  /** New names of values of the graphs around. */
  readonly renames: ReadonlyMap<string, string>
  readonly names: FreshNames
  readonly changes: string[]
}

function renameIn(graph: Graph, { visible, renames: outer, names, changes }: Scope): Graph {
  const own = definedNames(graph)
  const renames = new Map([...outer].filter(([name]) => !own.has(name)))
  for (const name of own) {
    if (!visible.has(name)) continue
    const fresh = names.take(name)
    renames.set(name, fresh)
    changes.push(`"${name}" of the subgraph "${graph.name}" became "${fresh}"`)
  }
  const inner: Scope = { visible: new Set([...visible, ...own]), renames, names, changes }
  const to = (name: string): string => renames.get(name) ?? name
  const nodes = graph.nodes.map((node): Node => {
    const attributes = mapSubgraphs(node, (subgraph) => renameIn(subgraph, inner))
    return { ...node, inputs: node.inputs.map(to), outputs: node.outputs.map(to), attributes }
  })
  if (renames.size === 0 && graph.nodes.every((node) => subgraphsOf(node).length === 0)) return graph
  const keys = <T>(map: ReadonlyMap<string, T>) => new Map([...map].map(([name, value]) => [to(name), value]))
  return graph.with({
    nodes,
    inputs: graph.inputs.map((value) => ({ ...value, name: to(value.name) })),
    outputs: graph.outputs.map((value) => ({ ...value, name: to(value.name) })),
    initializers: keys(graph.initializers),
    types: keys(graph.types),
    valueFields: graph.valueFields && keys(graph.valueFields),
  })
}
