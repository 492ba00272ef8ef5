import { AlambicError, type ErrorDetails } from '../../protocol/errors.ts'
import { attributesOf, type LooseAttributes } from '../../graph/attributes.ts'
import type { DType } from '../../graph/dtype.ts'
import { Graph, type Node } from '../../graph/graph.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { integers, numbers, type NdArray, type Value } from './value.ts'

/** Runs a subgraph of the node with its enclosing values in sight. */
export type RunGraph = (graph: Graph, inputs: readonly (Value | undefined)[]) => readonly Value[]

/** What a kernel puts out: one value, or several in the order of the node's outputs. */
export type Outputs = Value | readonly (Value | undefined)[]
/** The meaning of an operator: a pure function of its inputs and attributes. */
export type Kernel = (call: Call) => Outputs
/** Kernels by operator name. */
export type Kernels = Readonly<Record<string, Kernel>>

/** One call of an operator, as its kernel sees it. */
export class Call {
  readonly node: Node
  /** Version of the node's operator set. */
  readonly opset: number
  readonly values: readonly (Value | undefined)[]
  readonly runGraph: RunGraph
  /** True when float32 is kept as float64. */
  readonly exact: boolean
  readonly #attributes: LooseAttributes

  constructor(node: Node, opset: number, values: readonly (Value | undefined)[], runGraph: RunGraph, exact: boolean) {
    this.node = node
    this.opset = opset
    this.values = values
    this.runGraph = runGraph
    this.exact = exact
    this.#attributes = attributesOf(node)
  }

  /** The same node with other inputs or another opset; for operators that are defined by others. */
  with(parts: { values?: readonly (Value | undefined)[]; opset?: number }): Call {
    return new Call(this.node, parts.opset ?? this.opset, parts.values ?? this.values, this.runGraph, this.exact)
  }

  /** A tensor input that must be there. */
  input(index: number): NdArray {
    const value = this.optional(index)
    return value ?? this.fail(`input ${index} is missing`)
  }

  /** A tensor input that may be left out. */
  optional(index: number): NdArray | undefined {
    const value = this.values[index]
    if (value === undefined || value.kind === 'none') return undefined
    return value.kind === 'tensor' ? value : this.fail(`input ${index} is a ${value.kind}, not a tensor`)
  }

  /** All tensor inputs from `index` on. */
  rest(index: number): NdArray[] {
    return this.values.slice(index).map((_, i) => this.input(index + i))
  }

  get outputCount(): number {
    return this.node.outputs.length
  }

  /** Whether an output has a name, so that somebody may read it. */
  wants(output: number): boolean {
    return (this.node.outputs[output] ?? '') !== ''
  }

  has(name: string): boolean {
    return this.#attributes[name] !== undefined
  }

  number<D extends number | undefined>(name: string, otherwise: D): number | D {
    const value = this.#attributes[name]
    return typeof value === 'number' ? value : otherwise
  }

  flag(name: string, otherwise = false): boolean {
    return this.number(name, otherwise ? 1 : 0) !== 0
  }

  text(name: string, otherwise: string): string {
    const value = this.#attributes[name]
    return typeof value === 'string' ? value : otherwise
  }

  numbers(name: string): readonly number[] | undefined {
    return this.#attributes[name] as readonly number[] | undefined
  }

  texts(name: string): readonly string[] | undefined {
    return this.#attributes[name] as readonly string[] | undefined
  }

  tensor(name: string): Tensor | undefined {
    return this.#attributes[name] as Tensor | undefined
  }

  /** The bytes of a sparse tensor. */
  sparse(name: string): Uint8Array | undefined {
    return this.#attributes[name] as Uint8Array | undefined
  }

  graph(name: string): Graph {
    const value = this.#attributes[name]
    return value instanceof Graph ? value : this.fail(`attribute "${name}" is missing`)
  }

  /** Integers that newer opsets give as an input and older ones as an attribute (axes, pads, splits …). */
  intsFrom(index: number, attribute: string): number[] | undefined {
    const input = this.optional(index)
    if (input) return integers(input)
    const list = this.numbers(attribute)
    return list && [...list]
  }

  /** The same for a single number. */
  numberFrom<D extends number | undefined>(index: number, attribute: string, otherwise: D): number | D {
    const input = this.optional(index)
    return input ? (numbers(input)[0] as number) : this.number(attribute, otherwise)
  }

  /** Ends the run with a sentence that names the node. */
  fail(what: string, details: ErrorDetails = {}): never {
    const { name, op } = this.node
    throw new AlambicError('reference.invalid', `node "${name}" (${op}): ${what}`, { subject: name, ...details })
  }

  /** An error for a dtype that the operator does not take. */
  wrongDtype(dtype: DType): never {
    return this.fail(`does not take ${dtype}`)
  }
}
