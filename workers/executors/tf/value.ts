import { AlambicError } from '../../protocol/errors.ts'
import type { DType } from '../../graph/dtype.ts'
import { arrayOf, sizeOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { array, fromTensor, integers, type NdArray, toTensor } from '../reference/value.ts'
import { tfTypes, type Backend, type TfTensor, type TfType } from './tensorflow.ts'

/** How many numbers a value may have that is kept in this process: a learning rate, a factor. */
export const FEW = 16
/** The same of whole numbers, which are shapes, axes and sizes. */
const FEW_INTEGERS = 1024

/** Whether a tensor stays in this process until TensorFlow needs it. */
export const staysHere = ({ dtype, dims }: Pick<Tensor, 'dtype' | 'dims'>, few = FEW): boolean =>
  dtype === 'string' || sizeOf(dims) <= (dtype === 'i64' ? FEW_INTEGERS : few)

/**
 * A value of the graph while it runs, in one or several of its forms, each made when it is first asked for:
 *
 * - `host`: in this process, as the reference executor computes with it;
 * - `plain`: a tensor of TensorFlow with the axes of ONNX, channels after the batch;
 * - `last`: the same with the channels moved to the end, as TensorFlow's convolutions and pools want them;
 * - others by name, such as a filter's, for those who read a value several times.
 */
export class Value {
  readonly dtype: DType
  readonly dims: readonly number[]
  readonly #tf: Backend
  readonly #forms = new Map<string, TfTensor>()
  #host: NdArray | undefined
  #holders = 0

  private constructor(tf: Backend, dtype: DType, dims: readonly number[]) {
    this.#tf = tf
    this.dtype = dtype
    this.dims = dims
  }

  static plain(tf: Backend, tensor: TfTensor, dtype: DType): Value {
    const value = new Value(tf, dtype, tensor.shape)
    value.#forms.set('plain', tensor)
    return value
  }

  /** Of a tensor whose channels are last. */
  static last(tf: Backend, tensor: TfTensor, dtype: DType): Value {
    const value = new Value(tf, dtype, permuted(tensor.shape, fromLast(tensor.shape.length)))
    value.#forms.set('last', tensor)
    return value
  }

  static host(tf: Backend, host: NdArray): Value {
    const value = new Value(tf, host.dtype, host.dims)
    value.#host = host
    return value
  }

  /** Of a tensor of the graph; the bytes are copied when `copy` says that their owner may change them. */
  static of(tf: Backend, tensor: Tensor, { copy = false, few = FEW }: { copy?: boolean; few?: number } = {}): Value {
    const value = new Value(tf, tensor.dtype, tensor.dims)
    if (staysHere(tensor, few)) value.#host = fromTensor(tensor)
    else value.#forms.set('plain', tf.keep(upload(tf, tensor, copy)))
    return value
  }

  get rank(): number {
    return this.dims.length
  }

  get size(): number {
    return sizeOf(this.dims)
  }

  /** What is in this process of it. */
  get host(): NdArray | undefined {
    return this.#host
  }

  /** Whether its channels are last, and nothing else is known of it. */
  get isLastOnly(): boolean {
    return this.#forms.has('last') && !this.#forms.has('plain') && this.#host === undefined
  }

  plain(): TfTensor {
    return this.form('plain', () => {
      const last = this.#forms.get('last')
      if (last) return permute(this.#tf, last, fromLast(this.rank))
      return upload(this.#tf, toTensor(this.#host as NdArray), false)
    })
  }

  last(): TfTensor {
    return this.form('last', () => permute(this.#tf, this.plain(), toLast(this.rank)))
  }

  /** Another form of it, which lives as long as it does. */
  form(name: string, make: () => TfTensor): TfTensor {
    const known = this.#forms.get(name)
    if (known) return known
    const made = this.#tf.keep(make())
    this.#forms.set(name, made)
    return made
  }

  /** Its elements as numbers; reads a device's memory where they are only there. */
  numbers(): number[] {
    return integers((this.#host ??= fromTensor(this.read())))
  }

  /** A copy as a tensor of the graph. */
  read(): Tensor {
    if (this.#host) return toTensor(this.#host)
    return download(this.plain(), this.dtype, this.dims)
  }

  /** Tensors that a scope must not free. */
  get tensors(): readonly TfTensor[] {
    return [...this.#forms.values()]
  }

  hold(): this {
    this.#holders++
    return this
  }

  /** Frees its memory when the last holder lets go. */
  release(): void {
    if (--this.#holders > 0) return
    const freed = new Set<number>()
    for (const tensor of this.#forms.values()) {
      if (!freed.has(tensor.id)) tensor.dispose()
      freed.add(tensor.id)
    }
    this.#forms.clear()
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)
/** Where each axis of a tensor with channels last comes from, and the other way round. */
export const toLast = (rank: number): number[] => (rank < 3 ? range(0, rank) : [0, ...range(2, rank), 1])
export const fromLast = (rank: number): number[] => (rank < 3 ? range(0, rank) : [0, rank - 1, ...range(1, rank - 1)])

const permuted = (dims: readonly number[], perm: readonly number[]): number[] =>
  perm.map((axis) => dims[axis] as number)

/** Moves axes; where only axes of size one change their order nothing moves. */
export function permute(tf: Backend, x: TfTensor, perm: readonly number[]): TfTensor {
  const dims = permuted(x.shape, perm)
  const moving = perm.filter((axis) => x.shape[axis] !== 1)
  const inOrder = moving.every((axis, i) => i === 0 || axis > (moving[i - 1] as number))
  const [result] = inOrder
    ? tf.kernel('Reshape', { x }, { shape: dims })
    : tf.kernel('Transpose', { x }, { perm: [...perm] })
  return result as TfTensor
}

/** Throws `tf.range` when a 64-bit integer does not fit into TensorFlow's 32 bits. */
export function upload(tf: Backend, tensor: Tensor, copy: boolean): TfTensor {
  const type = tfTypes[tensor.dtype]
  if (!type) {
    throw new AlambicError('tf.dtype', `TensorFlow.js has no tensors of type ${tensor.dtype}`, {
      expected: Object.keys(tfTypes).join(', '),
      found: tensor.dtype,
    })
  }
  return tf.tensor(valuesOf(tensor, type, copy), tensor.dims, type)
}

function valuesOf(tensor: Tensor, type: TfType, copy: boolean): Float32Array | Int32Array | Uint8Array {
  const data = arrayOf(tensor)
  if (type === 'float32') return copy ? (data as Float32Array).slice() : (data as Float32Array)
  if (type === 'bool') return copy ? (data as Uint8Array).slice() : (data as Uint8Array)
  return data instanceof BigInt64Array ? Int32Array.from(data, inRange) : Int32Array.from(data as Int32Array)
}

function inRange(value: bigint): number {
  const small = Number(BigInt.asIntN(32, value))
  if (BigInt(small) === value) return small
  throw new AlambicError('tf.range', `the integer ${value} does not fit into the 32 bits that TensorFlow.js has`, {
    expected: 'at most 2147483647',
    found: String(value),
  })
}

function download(tensor: TfTensor, dtype: DType, dims: readonly number[]): Tensor {
  const data = tensor.dataSync()
  if (dtype === 'f32') return tensorOf(dtype, dims, Float32Array.from(data))
  if (dtype === 'i32') return tensorOf(dtype, dims, Int32Array.from(data))
  if (dtype === 'bool') return tensorOf(dtype, dims, Uint8Array.from(data))
  if (dtype === 'i64') {
    return tensorOf(
      dtype,
      dims,
      BigInt64Array.from({ length: data.length }, (_, i) => BigInt(data[i] as number)),
    )
  }
  const types = { i8: Int8Array, u8: Uint8Array, i16: Int16Array, u16: Uint16Array } as const
  const Type = types[dtype as keyof typeof types]
  return toTensor(array(dtype, dims, Type.from(data)))
}
