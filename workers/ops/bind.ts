import type { Attribute } from '../graph/attributes.ts'
import type { Graph } from '../graph/graph.ts'
import { subgraphsOf, type Node, type Value } from '../graph/graph.ts'
import type { Dim, ValueType } from '../graph/types.ts'
import { AlambicError } from '../protocol/errors.ts'
import { namesOf, substitute } from './dims.ts'
import { inferTypes, type InferOptions } from './infer.ts'

/** Sizes by symbolic name; a size may itself be a name. */
export type Bindings = Readonly<Record<string, Dim>>

/**
 * The graph with symbolic sizes replaced (`{ N: 128 }`), in inputs, outputs, intermediate types and subgraphs, and
 * every type inferred anew. Sizes that follow from a bound one (`2*N + 1`) are evaluated. A name that no input has is
 * an error (`ops.unknown-dimension`), a negative or fractional size too (`ops.dimension`).
 */
export function bindDims(graph: Graph, bindings: Bindings, options: InferOptions = {}): Graph {
  const names = symbolsOf(graph)
  for (const [name, size] of Object.entries(bindings)) {
    if (!names.has(name)) throw unknownName(name, names)
    if (typeof size === 'number' && !(Number.isInteger(size) && size >= 0)) {
      throw new AlambicError('ops.dimension', `${size} cannot be the size of "${name}"`, {
        subject: name,
        expected: 'a whole number, at least 0',
        found: String(size),
      })
    }
  }
  return inferTypes(substituted(graph, new Map(Object.entries(bindings))), options)
}

const unknownName = (name: string, names: ReadonlySet<string>) =>
  new AlambicError('ops.unknown-dimension', `no input has a dimension named "${name}"`, {
    subject: name,
    expected: names.size > 0 ? `one of: ${[...names].join(', ')}` : 'a graph with symbolic sizes',
    found: name,
  })

/** The names of symbolic sizes that a graph's inputs have, in order of appearance. */
export function symbolsOf(graph: Graph): ReadonlySet<string> {
  const names = new Set<string>()
  for (const { type } of graph.inputs) {
    if (type.kind !== 'tensor') continue
    for (const dim of type.shape ?? []) {
      if (typeof dim === 'string' && dim !== '?') names.add(dim)
      namesOf(dim).forEach((name) => names.add(name))
    }
  }
  return names
}

type Sizes = ReadonlyMap<string, Dim>

function substituted(graph: Graph, sizes: Sizes): Graph {
  const value = (v: Value): Value => ({ ...v, type: boundType(v.type, sizes) })
  return graph.with({
    inputs: graph.inputs.map(value),
    outputs: graph.outputs.map(value),
    nodes: graph.nodes.map((node) => (subgraphsOf(node).length > 0 ? boundBodies(node, sizes) : node)),
    types: new Map([...graph.types].map(([name, type]) => [name, boundType(type, sizes)])),
  })
}

function boundType(type: ValueType, sizes: Sizes): ValueType {
  if (type.kind !== 'tensor' || !type.shape?.some((d) => typeof d === 'string')) return type
  return { ...type, shape: type.shape.map((d) => substitute(d, sizes)) }
}

const boundBodies = (node: Node, sizes: Sizes): Node => ({
  ...node,
  attributes: Object.fromEntries(
    Object.entries(node.attributes).map(([name, attribute]): [string, Attribute] => [
      name,
      attribute.kind === 'graph' ? { kind: 'graph', value: substituted(attribute.value, sizes) } : attribute,
    ]),
  ),
})
