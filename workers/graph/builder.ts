import { AlambicError } from '../protocol/errors.ts'
import { toAttributes, type LooseAttributes, type PlainAttributes } from './attributes.ts'
import type { DType } from './dtype.ts'
import { Graph, subgraphsOf, type Node, type Value } from './graph.ts'
import { isDefaultDomain, type OpType } from './schema.ts'
import type { Tensor } from './tensor.ts'
import { tensorType, type Shape, type ValueType } from './types.ts'

export interface OpOptions {
  /** Number of outputs; 1 unless told. */
  readonly outputs?: number
  /** Names of the outputs; fresh ones, made from the operator's name, unless told. */
  readonly names?: readonly string[]
  readonly name?: string
}

/** Finds the output types of a node from what the builder knows; `workers/ops` provides it. */
export type InferOutputs = (node: Node, builder: Builder) => readonly (ValueType | undefined)[]

/**
 * Grows a graph node by node. It may start from an existing graph, whose names it respects. Values are handled by
 * their names; `type(name)` tells what is known of them.
 */
export class Builder {
  readonly opsets: Map<string, number>
  readonly initializers: Map<string, Tensor>
  readonly types: Map<string, ValueType>
  readonly nodes: Node[]
  readonly inputs: Value[]
  readonly outputs: Value[]
  readonly #taken: Set<string>
  readonly #counters = new Map<string, number>()
  readonly #inputTypes = new Map<string, ValueType>()
  readonly #base: Graph
  readonly #infer: InferOutputs | undefined

  constructor(base: Graph = new Graph({}), infer?: InferOutputs) {
    this.#base = base
    this.opsets = new Map(base.opsets)
    this.initializers = new Map(base.initializers)
    // Outputs may be replaced later; their values keep their types.
    const outputs = base.outputs.filter(({ type }) => type.kind !== 'unknown')
    this.types = new Map([...outputs.map(({ name, type }) => [name, type] as const), ...base.types])
    this.nodes = [...base.nodes]
    this.inputs = [...base.inputs]
    this.outputs = [...base.outputs]
    this.#infer = infer
    this.#taken = namesIn(base)
  }

  /** A name that nothing in this graph has yet. */
  fresh(hint: string): string {
    if (!this.#taken.has(hint)) return this.#take(hint)
    let n = this.#counters.get(hint) ?? 1
    while (this.#taken.has(`${hint}_${n}`)) n++
    this.#counters.set(hint, n + 1)
    return this.#take(`${hint}_${n}`)
  }

  /** Keeps names from being given out: those of nodes that will be appended later. */
  reserve(names: Iterable<string>): void {
    for (const name of names) this.#taken.add(name)
  }

  #take(name: string): string {
    this.#taken.add(name)
    return name
  }

  #claim(name: string): string {
    if (this.#taken.has(name)) {
      throw new AlambicError(
        'graph.duplicate-name',
        `the name "${name}" is already taken in graph "${this.#base.name}"`,
      )
    }
    return this.#take(name)
  }

  /** Declares an input; the name must be new (`graph.duplicate-name`). */
  input(name: string, dtype: DType, shape: Shape): string {
    this.inputs.push({ name: this.#claim(name), type: tensorType(dtype, shape) })
    return name
  }

  /** Adds a constant (a weight, a shape, a scale) and returns its name: `name`, or a fresh one made from it. */
  constant(name: string, tensor: Tensor): string {
    const taken = this.fresh(name)
    this.initializers.set(taken, tensor)
    return taken
  }

  /** Makes a value an output of the graph, with the type that is known of it now. */
  output(value: string): void {
    this.outputs.push({ name: value, type: this.type(value) ?? { kind: 'unknown' } })
  }

  /** What is known of the type of a value so far. */
  type(value: string): ValueType | undefined {
    const known = this.types.get(value)
    if (known) return known
    const constant = this.initializers.get(value)
    if (constant) return tensorType(constant.dtype, constant.dims)
    // Training steps have hundreds of inputs and ask thousands of times; `inputs` only ever grows.
    for (let i = this.#inputTypes.size; i < this.inputs.length; i++) {
      const input = this.inputs[i] as Value
      this.#inputTypes.set(input.name, input.type)
    }
    return this.#inputTypes.get(value)
  }

  /** Adds an operator of the default domain with one output and returns that output's name. */
  op<Op extends OpType>(
    op: Op,
    inputs: readonly string[],
    attributes?: PlainAttributes<Op>,
    options?: OpOptions,
  ): string {
    return this.#first(this.node('', op, inputs, attributes, options))
  }

  /** The same, for operators with several outputs. */
  ops<Op extends OpType>(
    op: Op,
    inputs: readonly string[],
    attributes: PlainAttributes<Op>,
    options: OpOptions,
  ): readonly string[] {
    return this.node('', op, inputs, attributes, options)
  }

  /** Adds a node of any domain and returns the names of its outputs. */
  node(
    domain: string,
    op: string,
    inputs: readonly string[],
    attributes: LooseAttributes = {},
    options: OpOptions = {},
  ): readonly string[] {
    const outputs = options.names
      ? options.names.map((name) => (name === '' ? '' : this.#claim(name)))
      : Array.from({ length: options.outputs ?? 1 }, () => this.fresh(op.toLowerCase()))
    const name = options.name ?? outputs[0] ?? op
    return this.append({ name, op, domain, inputs, outputs, attributes: toAttributes(op, domain, attributes) })
  }

  /** Appends a finished node whose output names are new here. */
  append(node: Node): readonly string[] {
    node.outputs.forEach((o) => this.#taken.add(o))
    this.#declare(node.domain)
    this.nodes.push(node)
    this.#infer?.(node, this).forEach((type, i) => {
      const output = node.outputs[i]
      if (type && output) this.types.set(output, type)
    })
    return node.outputs
  }

  /** A domain must have a version in the graph; private and vendor domains start at 1. */
  #declare(domain: string): void {
    if (this.opsets.has(domain)) return
    if (isDefaultDomain(domain) && (this.opsets.has('') || this.opsets.has('ai.onnx'))) return
    this.opsets.set(domain, isDefaultDomain(domain) ? new Graph({}).opset : 1)
  }

  /** The graph as it stands, over copies: growing the builder further does not change it. Not verified. */
  build(): Graph {
    return this.#base.with({
      inputs: [...this.inputs],
      outputs: [...this.outputs],
      nodes: [...this.nodes],
      initializers: new Map(this.initializers),
      types: new Map(this.types),
      opsets: new Map(this.opsets),
    })
  }

  #first(outputs: readonly string[]): string {
    return outputs[0] as string
  }
}

/** Every value name that a graph and its subgraphs use: a new name must shadow none of them. */
export function namesIn(graph: Graph): Set<string> {
  const names = new Set<string>()
  collectNames(graph, names)
  return names
}

function collectNames(graph: Graph, names: Set<string>): void {
  for (const value of graph.inputs) names.add(value.name)
  for (const value of graph.outputs) names.add(value.name)
  for (const name of graph.initializers.keys()) names.add(name)
  for (const name of graph.types.keys()) names.add(name)
  for (const node of graph.nodes) {
    for (const name of node.inputs) names.add(name)
    for (const name of node.outputs) names.add(name)
    for (const inner of subgraphsOf(node)) collectNames(inner, names)
  }
}
