import { AlambicError } from '../../protocol/errors.ts'
import type { Attribute, Attributes } from '../../graph/attributes.ts'
import { subgraphsOf, type Graph, type LocalFunction, type Node } from '../../graph/graph.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { Call, type Kernel, type Kernels } from './call.ts'
import { kernelOf, kernels } from './kernels.ts'
import { array, fromTensor, stored, type Value, type Values } from './value.ts'

export interface EvaluateOptions {
  /** `f64`: float32 tensors are computed and stored as float64, for finite differences. */
  readonly precision?: 'f64' | undefined
  /** Functions of the model's own; a node that calls one is expanded. */
  readonly functions?: readonly LocalFunction[] | undefined
  /** Other definitions of operators of the default domain, made from the standard ones. */
  readonly kernels?: ((standard: Kernels) => Kernels) | undefined
}

/** What a caller may feed: tensors of the graph, or internal values, which lose nothing. */
export type Feeds = Readonly<Record<string, Tensor | Value>>

/**
 * Runs a graph once and returns its outputs by name. Every operator is checked to be known before anything runs.
 *
 * Errors: `reference.unsupported` names the first node that has no definition here, `reference.missing-feed` an input
 * that was not given, `reference.invalid` a node whose inputs or attributes make no sense.
 */
export function evaluate(graph: Graph, feeds: Feeds, options: EvaluateOptions = {}): Values {
  const run = new Run(options)
  run.check(graph.nodes)
  const given = graph.inputs.map(({ name }) => {
    const feed = feeds[name]
    if (feed) return 'bytes' in feed ? fromTensor(feed) : run.admit(feed)
    if (graph.initializers.has(name)) return undefined
    throw new AlambicError('reference.missing-feed', `the graph's input "${name}" was not fed`, { subject: name })
  })
  const outputs = run.graph(graph, given, undefined, graph.opsets)
  return Object.fromEntries(graph.outputs.map(({ name }, i) => [name, outputs[i] as Value]))
}

/** The nodes of a graph, and of the graphs and functions inside it, whose operators have no definition here. */
export function unsupportedNodes(graph: Graph, functions: readonly LocalFunction[] = []): Node[] {
  return new Run({ functions }).unsupported(graph.nodes)
}

/** Throws `reference.unsupported` for the first of these nodes. */
export function checkSupported(graph: Graph, functions: readonly LocalFunction[] = []): void {
  new Run({ functions }).check(graph.nodes)
}

/** Names and their values, with those of the enclosing graphs in sight. */
class Scope {
  readonly #own = new Map<string, Value | undefined>()
  readonly #outer: Scope | undefined

  constructor(outer: Scope | undefined) {
    this.#outer = outer
  }

  has(name: string): boolean {
    return this.#own.has(name) || (this.#outer?.has(name) ?? false)
  }

  get(name: string): Value | undefined {
    return this.#own.has(name) ? this.#own.get(name) : this.#outer?.get(name)
  }

  set(name: string, value: Value | undefined): void {
    if (name !== '') this.#own.set(name, value)
  }
}

type Opsets = ReadonlyMap<string, number>

/** Weights are unpacked once, however often their graph runs. */
const unpacked = new WeakMap<Tensor, Value>()
function unpack(tensor: Tensor): Value {
  const known = unpacked.get(tensor)
  if (known) return known
  const value = fromTensor(tensor)
  unpacked.set(tensor, value)
  return value
}

class Run {
  readonly #exact: boolean
  readonly #functions: readonly LocalFunction[]
  readonly #kernels: Kernels

  constructor({ precision, functions = [], kernels: others }: EvaluateOptions) {
    this.#kernels = others?.(kernels[''] as Kernels) ?? {}
    this.#exact = precision === 'f64'
    this.#functions = functions
  }

  /** A fed value; a copy that is rounded to its dtype, so that the caller's own stays as it is. */
  admit(value: Value): Value {
    if (value.kind !== 'tensor' || !(value.data instanceof Float64Array)) return value
    return stored(array(value.dtype, value.dims, value.data.slice()), this.#exact)
  }

  check(nodes: readonly Node[]): void {
    const [node] = this.unsupported(nodes)
    if (!node) return
    const operator = node.domain === '' ? node.op : `${node.domain}.${node.op}`
    throw new AlambicError(
      'reference.unsupported',
      `node "${node.name}" (${operator}): the reference executor has no definition of this operator`,
      { subject: node.name, found: operator },
    )
  }

  unsupported(nodes: readonly Node[], inside: readonly LocalFunction[] = []): Node[] {
    return nodes.flatMap((node) => {
      const local = this.#functionOf(node)
      if (local) return inside.includes(local) ? [node] : this.unsupported(local.nodes, [...inside, local])
      if (!kernelOf(node.op, node.domain)) return [node]
      return subgraphsOf(node).flatMap((graph) => this.unsupported(graph.nodes, inside))
    })
  }

  /** Values of the graph's outputs, in order. Inputs that are undefined take their defaults. */
  graph(graph: Graph, inputs: readonly (Value | undefined)[], outer: Scope | undefined, opsets: Opsets): Value[] {
    const scope = new Scope(outer)
    for (const [name, tensor] of graph.initializers) scope.set(name, unpack(tensor))
    graph.inputs.forEach(({ name }, i) => {
      if (inputs[i] !== undefined || !scope.has(name)) scope.set(name, inputs[i])
    })
    for (const node of graph.nodes) this.#node(node, scope, opsets)
    return graph.outputs.map(({ name }) => {
      const value = scope.get(name)
      if (value) return value
      throw new AlambicError('reference.dangling', `nothing computes the output "${name}"`, { subject: name })
    })
  }

  #node(node: Node, scope: Scope, opsets: Opsets): void {
    const inputs = node.inputs.map((name) => {
      if (name === '' || scope.has(name)) return scope.get(name)
      throw new AlambicError('reference.dangling', `node "${node.name}" (${node.op}): nothing computes "${name}"`, {
        subject: node.name,
      })
    })
    const local = this.#functionOf(node)
    const outputs = local
      ? this.#function(local, node, inputs)
      : this.#kernel(this.#definition(node), node, inputs, scope, opsets)
    node.outputs.forEach((name, i) => scope.set(name, outputs[i]))
  }

  #definition({ op, domain }: Node): Kernel {
    const other = domain === '' && Object.hasOwn(this.#kernels, op) ? this.#kernels[op] : undefined
    return other ?? (kernelOf(op, domain) as Kernel)
  }

  #kernel(
    kernel: Kernel,
    node: Node,
    inputs: readonly (Value | undefined)[],
    scope: Scope,
    opsets: Opsets,
  ): readonly (Value | undefined)[] {
    const version = opsets.get(node.domain) ?? (node.domain === '' ? opsets.get('ai.onnx') : undefined) ?? 1
    const runGraph = (graph: Graph, feeds: readonly (Value | undefined)[]) => this.graph(graph, feeds, scope, opsets)
    const outputs = kernel(new Call(node, version, inputs, runGraph, this.#exact))
    const list: readonly (Value | undefined)[] = 'kind' in outputs ? [outputs] : outputs
    for (const value of list) if (value?.kind === 'tensor') stored(value, this.#exact)
    return list
  }

  #functionOf(node: Node): LocalFunction | undefined {
    return this.#functions.find(
      (f) => f.domain === node.domain && f.name === node.op && f.overload === (node.overload ?? ''),
    )
  }

  #function(local: LocalFunction, node: Node, inputs: readonly (Value | undefined)[]): (Value | undefined)[] {
    const scope = new Scope(undefined)
    local.inputs.forEach((name, i) => scope.set(name, inputs[i]))
    const given = { ...local.attributeDefaults, ...node.attributes }
    for (const inner of local.nodes) this.#node(bind(inner, given), scope, local.opsets)
    return local.outputs.map((name) => scope.get(name))
  }
}

/** A function's node with its references to the function's own attributes replaced by what the caller gave. */
function bind(node: Node, given: Attributes): Node {
  const attributes = Object.entries(node.attributes).flatMap(([name, attribute]): [string, Attribute][] => {
    if (attribute.kind === 'reference') {
      const value = given[attribute.value]
      return value ? [[name, value]] : []
    }
    if (attribute.kind !== 'graph') return [[name, attribute]]
    const graph = attribute.value.with({ nodes: attribute.value.nodes.map((inner) => bind(inner, given)) })
    return [[name, { kind: 'graph', value: graph }]]
  })
  return { ...node, attributes: Object.fromEntries(attributes) }
}
