import type { Attribute, Attributes } from './attributes.ts'
import { capturedBy, subgraphsOf, type Graph, type Node, type Value } from './graph.ts'
import { verify } from './verify.ts'

/** A new name for a name; the same name where nothing changes. */
export type Renaming = (name: string) => string

export const renamingOf =
  (names: ReadonlyMap<string, string>): Renaming =>
  (name) =>
    names.get(name) ?? name

/**
 * Renames values wherever they are defined, read or declared, inside subgraphs too. Inputs and outputs of the graph
 * are renamed like any other value; names of nodes stay. Verified: two values that end up with one name are an error.
 */
export function renameValues(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  const renamed = renameAll(graph, renamingOf(names))
  verify(renamed)
  return renamed
}

/** `renameValues` by a function, not verified. `''` (an absent input) is never renamed. */
export function renameAll(graph: Graph, rename: Renaming, renameNode: Renaming = (name) => name): Graph {
  const keep = (name: string) => (name === '' ? '' : rename(name))
  const value = (v: Value): Value => ({ ...v, name: keep(v.name) })
  const key = <T>([name, content]: readonly [string, T]) => [keep(name), content] as const
  const node = (n: Node): Node => ({
    ...n,
    name: renameNode(n.name),
    inputs: n.inputs.map(keep),
    outputs: n.outputs.map(keep),
    attributes: mapSubgraphs(n, (inner) => renameAll(inner, rename, renameNode)),
  })
  return graph.with({
    inputs: graph.inputs.map(value),
    outputs: graph.outputs.map(value),
    nodes: graph.nodes.map(node),
    initializers: new Map([...graph.initializers].map(key)),
    types: new Map([...graph.types].map(key)),
    valueFields: graph.valueFields && new Map([...graph.valueFields].map(key)),
  })
}

/**
 * Changes what a node reads, itself and from inside its subgraphs, but not what it defines. The same node comes back
 * when nothing changes. Relies on subgraphs not shadowing names of the graphs around them, as the verifier demands.
 */
export function renameReads(node: Node, rename: Renaming): Node {
  const inputs = node.inputs.some((v) => v !== '' && rename(v) !== v)
  const captured = [...capturedBy(node)].some((v) => rename(v) !== v)
  if (!inputs && !captured) return node
  return {
    ...node,
    inputs: inputs ? node.inputs.map((v) => (v === '' ? v : rename(v))) : node.inputs,
    attributes: captured ? mapSubgraphs(node, (inner) => renameInnerReads(inner, rename)) : node.attributes,
  }
}

const renameInnerReads = (graph: Graph, rename: Renaming): Graph =>
  graph.with({
    nodes: graph.nodes.map((node) => renameReads(node, rename)),
    outputs: graph.outputs.map((v) => ({ ...v, name: rename(v.name) })),
  })

/** The attributes of a node with its subgraphs replaced; the same object when it has none. */
export function mapSubgraphs(node: Node, change: (graph: Graph) => Graph): Attributes {
  if (subgraphsOf(node).length === 0) return node.attributes
  const entries = Object.entries(node.attributes).map(([name, attribute]): [string, Attribute] => {
    if (attribute.kind === 'graph') return [name, { kind: 'graph', value: change(attribute.value) }]
    if (attribute.kind === 'graphs') return [name, { kind: 'graphs', value: attribute.value.map(change) }]
    return [name, attribute]
  })
  return Object.fromEntries(entries)
}
