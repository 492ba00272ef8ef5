import { AlambicError, type ErrorDetails } from '../../protocol/errors.ts'
import { attributesOf, type LooseAttributes } from '../../graph/attributes.ts'
import type { DType } from '../../graph/dtype.ts'
import { nodeLabel, type Node } from '../../graph/graph.ts'
import type { Tensor } from '../../graph/tensor.ts'
import type { Backend, KernelInputs, TfTensor } from './tensorflow.ts'
import { fromLast, permute, toLast, Value } from './value.ts'

/** What an operator does with TensorFlow: its outputs, in order. */
export type Outputs = Value | readonly Value[]
export type Function = (call: Call) => Outputs
/** Functions by operator name. */
export type Functions = Readonly<Record<string, Function>>

const attributes = new WeakMap<Node, LooseAttributes>()

/** One call of an operator, as its function sees it. */
export class Call {
  readonly node: Node
  readonly tf: Backend
  readonly values: readonly (Value | undefined)[]
  readonly attr: LooseAttributes

  constructor(tf: Backend, node: Node, values: readonly (Value | undefined)[]) {
    this.node = node
    this.tf = tf
    this.values = values
    const known = attributes.get(node) ?? attributesOf(node)
    attributes.set(node, known)
    this.attr = known
  }

  /** An input that must be there. */
  value(index: number): Value {
    return this.values[index] ?? this.fail(`input ${index} is missing`)
  }

  optional(index: number): Value | undefined {
    return this.values[index]
  }

  /** An input as a tensor with the axes of ONNX. */
  x(index: number): TfTensor {
    return this.value(index).plain()
  }

  number<D extends number | undefined>(name: string, otherwise: D): number | D {
    const value = this.attr[name]
    return typeof value === 'number' ? value : otherwise
  }

  numbers(name: string): readonly number[] | undefined {
    return this.attr[name] as readonly number[] | undefined
  }

  text(name: string, otherwise: string): string {
    const value = this.attr[name]
    return typeof value === 'string' ? value : otherwise
  }

  tensor(name: string): Tensor | undefined {
    return this.attr[name] as Tensor | undefined
  }

  /** Integers of an input, or of an attribute as older operator sets have it. */
  intsFrom(index: number, attribute: string): readonly number[] | undefined {
    return this.values[index]?.numbers() ?? this.numbers(attribute)
  }

  /** A non-negative axis. */
  axis(name: string, otherwise: number, rank: number): number {
    return normalAxis(this.number(name, otherwise), rank)
  }

  /** The first output of a kernel. */
  run(kernel: string, inputs: KernelInputs, attrs?: object): TfTensor {
    return this.tf.kernel(kernel, inputs, attrs)[0] as TfTensor
  }

  reshape(x: TfTensor, dims: readonly number[]): TfTensor {
    return this.run('Reshape', { x }, { shape: [...dims] })
  }

  transpose(x: TfTensor, perm: readonly number[]): TfTensor {
    return permute(this.tf, x, perm)
  }

  /** A number as a tensor. */
  scalar(value: number): TfTensor {
    return this.tf.tensor(Float32Array.of(value), [], 'float32')
  }

  plain(tensor: TfTensor, dtype: DType = this.value(0).dtype): Value {
    return Value.plain(this.tf, this.#own(tensor), dtype)
  }

  last(tensor: TfTensor, dtype: DType = this.value(0).dtype): Value {
    return Value.last(this.tf, this.#own(tensor), dtype)
  }

  /** A tensor of an output: one of an input's is freed with the input. */
  #own(tensor: TfTensor): TfTensor {
    const isShared = this.values.some((value) => value?.tensors.includes(tensor))
    return isShared ? this.run('Identity', { x: tensor }) : tensor
  }

  /**
   * A function of elements that meet under ONNX's broadcasting. Channels stay last where they are, so that nothing is
   * moved between two convolutions.
   */
  elementwise(
    values: readonly Value[],
    make: (...x: TfTensor[]) => TfTensor,
    dtype = values[0]?.dtype as DType,
  ): Value {
    const rank = Math.max(...values.map((v) => v.rank))
    if (rank < 3 || !values.some((v) => v.rank === rank && v.isLastOnly)) {
      return this.plain(make(...values.map((v) => v.plain())), dtype)
    }
    return this.last(make(...values.map((v) => this.#lastOf(v, rank))), dtype)
  }

  /** A value as one of a higher rank, channels last. */
  #lastOf(value: Value, rank: number): TfTensor {
    if (value.size === 1) return this.reshape(value.plain(), [])
    if (value.rank === rank) return value.last()
    const dims = [...Array<number>(rank - value.rank).fill(1), ...value.dims]
    return this.transpose(this.reshape(value.plain(), dims), toLast(rank))
  }

  /** Where an axis is in the form that a value has, and how to wrap what comes of that form. */
  asItIs(value: Value): { x: TfTensor; axisOf: (axis: number) => number; wrap: (t: TfTensor, dtype?: DType) => Value } {
    const { rank } = value
    if (rank >= 3 && value.isLastOnly) {
      const where = fromLast(rank)
      return {
        x: value.last(),
        axisOf: (axis) => where[axis] as number,
        wrap: (t, dtype = value.dtype) => this.last(t, dtype),
      }
    }
    return { x: value.plain(), axisOf: (axis) => axis, wrap: (t, dtype = value.dtype) => this.plain(t, dtype) }
  }

  /** Ends the run with a sentence that names the node. */
  fail(what: string, details: ErrorDetails = {}): never {
    throw new AlambicError('tf.invalid', `${nodeLabel(this.node)}: ${what}`, { subject: this.node.name, ...details })
  }
}

export const normalAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)
