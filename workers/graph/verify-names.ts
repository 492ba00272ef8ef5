import { capturedBy, definedNames, nodeLabel, subgraphsOf, type Graph, type Node } from './graph.ts'
import { orderNodes } from './order.ts'
import type { Problem } from './verify.ts'

/** The names that the graphs around a subgraph define, one set per graph. */
type Scopes = readonly ReadonlySet<string>[]

/**
 * Problems of names and order: everything read is defined, once, and before it is read. A name that a subgraph reads
 * without defining it counts as an input of the node that holds the subgraph, so that it is judged where it is defined.
 */
export function nameProblems(graph: Graph, outer: Scopes = []): readonly Problem[] {
  const own = definedNames(graph)
  const scopes = [...outer, own]
  return [
    ...definitionProblems(graph, outer),
    ...readProblems(graph, own, outer.length === 0),
    ...(outer.length === 0 ? outputProblems(graph, own) : []),
    ...graph.nodes.flatMap((node) => subgraphsOf(node).flatMap((inner) => nameProblems(inner, scopes))),
  ]
}

/** Single assignment: inputs, constants and outputs of nodes have names that nothing else has. */
function definitionProblems(graph: Graph, outer: Scopes): readonly Problem[] {
  const problems: Problem[] = []
  const definedBy = new Map<string, string>()
  const define = (name: string, by: string, node?: Node) => {
    const earlier = definedBy.get(name)
    const about = node ? { node: node.name } : {}
    if (earlier !== undefined) {
      const message = `"${name}" is defined twice in graph "${graph.name}": by ${earlier} and by ${by}`
      problems.push({ code: 'graph.duplicate-value', ...about, message, fix: 'Give one of them another name.' })
    } else if (outer.some((scope) => scope.has(name))) {
      const message = `subgraph "${graph.name}" defines "${name}" (by ${by}), which a graph around it defines too`
      problems.push({ code: 'graph.shadowed-value', ...about, message, fix: 'Rename the inner value.' })
    }
    definedBy.set(name, by)
  }
  graph.inputs.forEach(({ name }) => define(name, 'an input'))
  // A constant may also be an input: it is then that input's default.
  const inputs = new Set(definedBy.keys())
  for (const name of graph.initializers.keys()) if (!inputs.has(name)) define(name, 'a constant')
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output !== '') define(output, nodeLabel(node), node)
  }
  if (definedBy.has('')) {
    problems.push({ code: 'graph.empty-name', message: `an input or constant of graph "${graph.name}" has no name` })
  }
  return problems
}

/** Every read finds its value: among the inputs and constants, or among the outputs of the nodes before. */
function readProblems(graph: Graph, own: ReadonlySet<string>, isOutermost: boolean): readonly Problem[] {
  const problems: Problem[] = []
  const ready = new Set(graph.initializers.keys())
  for (const { name } of graph.inputs) ready.add(name)
  const late: { node: Node; value: string }[] = []
  for (const node of graph.nodes) {
    const read = (value: string, how: string) => {
      if (value === '' || ready.has(value)) return
      if (own.has(value)) late.push({ node, value })
      else if (isOutermost) problems.push(dangling(node, value, how))
    }
    for (const value of node.inputs) read(value, 'reads')
    for (const value of capturedBy(node)) read(value, 'has a subgraph that reads')
    for (const output of node.outputs) ready.add(output)
  }
  return late.length === 0 ? problems : [...problems, ...orderProblems(graph, late)]
}

const dangling = (node: Node, value: string, how: string): Problem => ({
  code: 'graph.dangling-input',
  node: node.name,
  message: `${nodeLabel(node)} ${how} "${value}", which nothing defines`,
  expected: 'an input, a constant or the output of a node',
  found: value,
})

/** Nodes that come too late can be moved, nodes that wait for each other cannot. */
function orderProblems(graph: Graph, late: readonly { node: Node; value: string }[]): readonly Problem[] {
  const { cycle } = orderNodes(graph.nodes)
  const [first] = cycle ?? []
  if (cycle && first) {
    const ring = [...cycle, first].map((node) => `"${node.name || (node.outputs[0] ?? node.op)}"`).join(' → ')
    const message = `graph "${graph.name}" has a cycle: ${ring}`
    return [{ code: 'graph.cycle', node: first.name, message, expected: 'no node that waits for its own output' }]
  }
  return late.map(({ node, value }) => ({
    code: 'graph.unsorted',
    node: node.name,
    message: `${nodeLabel(node)} reads "${value}" before it is computed`,
    expected: 'nodes in topological order',
    fix: 'Sort the nodes (sortNodes).',
  }))
}

/** Every output of the whole graph is defined, and listed once: results go by name. */
function outputProblems(graph: Graph, own: ReadonlySet<string>): readonly Problem[] {
  const problems: Problem[] = []
  const seen = new Set<string>()
  for (const { name } of graph.outputs) {
    const what = `output "${name}" of graph "${graph.name}"`
    if (!own.has(name))
      problems.push({ code: 'graph.missing-output', message: `${what} is computed by nothing`, found: name })
    if (seen.has(name))
      problems.push({ code: 'graph.duplicate-output', message: `${what} is listed twice`, found: name })
    seen.add(name)
  }
  return problems
}
