import { AlambicError } from '../protocol/errors.ts'
import { namesIn } from './builder.ts'
import { definedNames, type Graph, type Value } from './graph.ts'
import { typeText } from './print.ts'
import { renameAll } from './rename.ts'
import { isDefaultDomain } from './schema.ts'
import { asTensor, contradicts, mapDims, type Dim, type ValueType } from './types.ts'
import { verify } from './verify.ts'

export interface MergeOptions {
  /** Goes before the name of every value and node of the second graph: `teacher.`. */
  readonly prefix: string
  /** Inputs of the second graph by the values of the first that take their place. */
  readonly bind?: Readonly<Record<string, string>>
}

/**
 * Joins two graphs in one, as a teacher and a student: first the nodes of `a`, then those of `b` under a prefix. Bound
 * inputs of `b` disappear; what is left of its inputs and all its outputs follow those of `a`. Symbolic sizes of bound
 * inputs take the names that they have in `a`. Throws `graph.merge-bind`, `graph.merge-name` and
 * `graph.opset-conflict`. Verified.
 */
export function merge(a: Graph, b: Graph, { prefix, bind = {} }: MergeOptions): Graph {
  checkBinding(a, b, bind)
  const bound = new Map(Object.entries(bind))
  const free = b.with({
    inputs: b.inputs.filter((v) => !bound.has(v.name)),
    initializers: new Map([...b.initializers].filter(([name]) => !bound.has(name))),
    types: new Map([...b.types].filter(([name]) => !bound.has(name))),
  })
  const dims = renameDims(free, boundDims(a, b, bound))
  const other = renameAll(
    dims,
    (name) => bound.get(name) ?? prefix + name,
    (name) => prefix + name,
  )
  checkNames(a, other, new Set(bound.values()))
  const merged = a.with({
    inputs: [...a.inputs, ...other.inputs],
    outputs: [...a.outputs, ...other.outputs],
    nodes: [...a.nodes, ...other.nodes],
    initializers: new Map([...a.initializers, ...other.initializers]),
    types: new Map([...a.types, ...other.types]),
    valueFields: new Map([...(a.valueFields ?? []), ...(other.valueFields ?? [])]),
    opsets: mergeOpsets(a, b),
  })
  verify(merged)
  return merged
}

function checkBinding(a: Graph, b: Graph, bind: Readonly<Record<string, string>>): void {
  const values = definedNames(a)
  const inputs = new Map(b.inputs.map((v) => [v.name, v.type]))
  for (const [input, value] of Object.entries(bind)) {
    const type = inputs.get(input)
    if (!type) throw new AlambicError('graph.merge-bind', `graph "${b.name}" has no input "${input}" to bind`)
    if (!values.has(value)) {
      throw new AlambicError('graph.merge-bind', `graph "${a.name}" has no value "${value}" for input "${input}"`)
    }
    const given = a.type(value)
    if (given && contradicts(given, type)) {
      throw new AlambicError('graph.merge-bind', `"${value}" does not fit input "${input}" of graph "${b.name}"`, {
        subject: input,
        expected: typeText(type),
        found: typeText(given),
      })
    }
  }
}

function checkNames(a: Graph, other: Graph, shared: ReadonlySet<string>): void {
  const taken = namesIn(a)
  for (const name of namesIn(other)) {
    if (name === '' || shared.has(name) || !taken.has(name)) continue
    throw new AlambicError('graph.merge-name', `both graphs have a value "${name}"`, {
      subject: name,
      fix: 'Give another prefix.',
    })
  }
}

/** What the symbolic sizes of bound inputs are called in the first graph. */
function boundDims(a: Graph, b: Graph, bound: ReadonlyMap<string, string>): ReadonlyMap<string, Dim> {
  const names = new Map<string, Dim>()
  for (const { name, type } of b.inputs) {
    const given = asTensor(a.type(bound.get(name) ?? ''))?.shape
    asTensor(type)?.shape?.forEach((dim, i) => {
      const known = given?.[i]
      if (typeof dim === 'string' && dim !== '?' && known !== undefined && known !== '?') names.set(dim, known)
    })
  }
  return names
}

function renameDims(graph: Graph, names: ReadonlyMap<string, Dim>): Graph {
  if (names.size === 0) return graph
  const rename = (type: ValueType) => mapDims(type, (dim) => (typeof dim === 'string' ? (names.get(dim) ?? dim) : dim))
  const value = (v: Value): Value => ({ ...v, type: rename(v.type) })
  return graph.with({
    inputs: graph.inputs.map(value),
    outputs: graph.outputs.map(value),
    types: new Map([...graph.types].map(([name, type]) => [name, rename(type)])),
  })
}

/** Every domain of both; a domain of both must have one version. */
function mergeOpsets(a: Graph, b: Graph): ReadonlyMap<string, number> {
  const opsets = new Map(a.opsets)
  for (const [domain, version] of b.opsets) {
    const known = isDefaultDomain(domain) ? (opsets.get('') ?? opsets.get('ai.onnx')) : opsets.get(domain)
    if (known === undefined) opsets.set(domain, version)
    else if (known !== version) {
      throw new AlambicError('graph.opset-conflict', `the graphs use different opsets of domain "${domain}"`, {
        subject: domain,
        expected: `opset ${known}, as in "${a.name}"`,
        found: `opset ${version} in "${b.name}"`,
        fix: 'Convert one of the models to the opset of the other.',
      })
    }
  }
  return opsets
}
