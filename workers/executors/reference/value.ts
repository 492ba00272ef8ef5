import { AlambicError } from '../../protocol/errors.ts'
import { byteLength, dtypes, type DType } from '../../graph/dtype.ts'
import { arrayOf, sizeOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import {
  decodeFormat,
  encodeFormat,
  exponentOf,
  floatFormats,
  roundToFormat,
  roundToPower,
  type SmallFloat,
} from './formats.ts'

export type NumberArray = Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array
export type BigArray = BigInt64Array | BigUint64Array
export type Data = NumberArray | BigArray | string[]

/**
 * A tensor as the reference executor computes with it: floats of every width in a Float64Array, 64-bit integers as
 * bigints, 4-bit integers one to a byte, bool as 0 and 1. Row-major. Never written to once a node has put it out.
 */
export interface NdArray {
  readonly kind: 'tensor'
  readonly dtype: DType
  readonly dims: readonly number[]
  readonly data: Data
}
export interface SequenceValue {
  readonly kind: 'sequence'
  readonly items: readonly Value[]
}
/** An optional without an element; one with an element is that element. */
export interface NoneValue {
  readonly kind: 'none'
}
export type Value = NdArray | SequenceValue | NoneValue
export type Values = Readonly<Record<string, Value>>

const constructors = {
  f32: Float64Array,
  f64: Float64Array,
  f16: Float64Array,
  bf16: Float64Array,
  f8e4m3fn: Float64Array,
  f8e4m3fnuz: Float64Array,
  f8e5m2: Float64Array,
  f8e5m2fnuz: Float64Array,
  f4e2m1: Float64Array,
  f6e2m3: Float64Array,
  f6e3m2: Float64Array,
  f8e8m0: Float64Array,
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i4: Int8Array,
  u4: Uint8Array,
  i2: Int8Array,
  u2: Uint8Array,
  bool: Uint8Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
} as const

/** Zeros (empty strings for strings) of a dtype. Throws `reference.dtype` for complex numbers. */
export function allocate(dtype: DType, length: number): Data {
  if (dtype === 'string') return new Array<string>(length).fill('')
  if (dtype === 'c64' || dtype === 'c128') {
    throw new AlambicError('reference.dtype', `the reference executor does not compute with ${dtype} tensors`)
  }
  return new constructors[dtype](length)
}

export const array = (dtype: DType, dims: readonly number[], data: Data): NdArray => ({
  kind: 'tensor',
  dtype,
  dims,
  data,
})

/** A float tensor over given numbers; the array is used, not copied. */
export const floatArray = (dtype: DType, dims: readonly number[], data: Float64Array): NdArray =>
  array(dtype, dims, data)

export const scalar = (dtype: DType, value: number): NdArray => fromNumbers(dtype, [], [value])

/** An int64 vector, the type of shapes and indices. */
export const int64s = (values: readonly number[], dims: readonly number[] = [values.length]): NdArray =>
  array(
    'i64',
    dims,
    BigInt64Array.from(values, (v) => BigInt(v)),
  )

export const isFloating = (dtype: DType): boolean =>
  dtype in constructors && constructors[dtype as keyof typeof constructors] === Float64Array
export const isBig = (data: Data): data is BigArray => data instanceof BigInt64Array || data instanceof BigUint64Array

/** Numbers as a tensor of any numeric dtype; integers wrap, floats are rounded to their width. */
export function fromNumbers(dtype: DType, dims: readonly number[], values: ArrayLike<number>): NdArray {
  const data = allocate(dtype, values.length)
  if (isBig(data)) {
    for (let i = 0; i < values.length; i++) data[i] = BigInt(Math.trunc(values[i] as number))
  } else {
    const numbers = data as NumberArray
    for (let i = 0; i < values.length; i++) numbers[i] = values[i] as number
  }
  return roundStored(array(dtype, dims, data))
}

/** Elements as numbers, without a copy where they already are. 64-bit integers beyond 2^53 lose digits. */
export function numbers(x: NdArray): NumberArray {
  if (isBig(x.data)) return Float64Array.from(x.data as BigInt64Array, Number)
  if (Array.isArray(x.data)) throw new AlambicError('reference.dtype', 'expected numbers, found a string tensor')
  return x.data
}

/** Elements as doubles, without a copy where they already are. */
export const floats = (x: NdArray): Float64Array =>
  x.data instanceof Float64Array ? x.data : Float64Array.from(numbers(x))

/** The elements of a small integer tensor (a shape, axes) as plain numbers. */
export const integers = (x: NdArray): number[] => Array.from(numbers(x))

export function strings(x: NdArray): string[] {
  if (Array.isArray(x.data)) return x.data
  throw new AlambicError('reference.dtype', `expected a string tensor, found ${x.dtype}`)
}

const isSmall = (dtype: DType): dtype is SmallFloat => dtype in floatFormats

/** Rounds the elements to what their dtype can hold, in place; does nothing where they already are. */
export function roundStored(x: NdArray): NdArray {
  const { dtype, data } = x
  if (!(data instanceof Float64Array) || dtype === 'f64') return x
  if (dtype === 'f32') for (let i = 0; i < data.length; i++) data[i] = Math.fround(data[i] as number)
  else if (isSmall(dtype)) for (let i = 0; i < data.length; i++) data[i] = roundToFormat(data[i] as number, dtype)
  else if (dtype === 'f8e8m0') for (let i = 0; i < data.length; i++) data[i] = roundToPower(data[i] as number)
  return x
}

/** What a node puts out: rounded to its dtype, but for float32 where that is kept exact. */
export const stored = (x: NdArray, exact: boolean): NdArray => (exact && x.dtype === 'f32' ? x : roundStored(x))

/** Types of less than a byte, packed without gaps from the lowest bit. */
const isPacked = (dtype: DType): boolean => dtypes[dtype].bits > 0 && dtypes[dtype].bits < 8

/** The bit pattern of element i. */
function patternAt(bytes: Uint8Array, bits: number, i: number): number {
  const at = (i * bits) >> 3
  return ((((bytes[at + 1] ?? 0) << 8) | (bytes[at] as number)) >> ((i * bits) & 7)) & ((1 << bits) - 1)
}

function setPattern(bytes: Uint8Array, bits: number, i: number, pattern: number): void {
  const at = (i * bits) >> 3
  const shifted = pattern << ((i * bits) & 7)
  bytes[at] = (bytes[at] as number) | (shifted & 255)
  if (shifted > 255) bytes[at + 1] = (bytes[at + 1] as number) | (shifted >> 8)
}

/** The internal form of a tensor of the graph. */
export function fromTensor(tensor: Tensor): NdArray {
  const { dtype, dims, bytes } = tensor
  const data = allocate(dtype, sizeOf(dims))
  if (dtype === 'string') return array(dtype, dims, [...(tensor.strings ?? [])])
  const { bits } = dtypes[dtype]
  if (isBig(data)) data.set(arrayOf(tensor) as BigInt64Array)
  else if (isPacked(dtype) || isSmall(dtype) || dtype === 'f8e8m0') {
    const patterns = isPacked(dtype) ? undefined : (arrayOf(tensor) as Uint16Array)
    const values = data as NumberArray
    for (let i = 0; i < values.length; i++) {
      values[i] = decode(patterns ? (patterns[i] as number) : patternAt(bytes, bits, i), dtype)
    }
  } else (data as NumberArray).set(arrayOf(tensor) as Float32Array)
  return array(dtype, dims, data)
}

function decode(pattern: number, dtype: DType): number {
  if (dtype === 'f8e8m0') return pattern === 255 ? NaN : 2 ** (pattern - 127)
  if (isSmall(dtype)) return decodeFormat(pattern, dtype)
  return wrapInteger(pattern, dtype)
}

/** A number as an integer type of less than a byte holds it. */
export function wrapInteger(v: number, dtype: DType): number {
  const spare = 32 - dtypes[dtype].bits
  return dtype.startsWith('i') ? (v << spare) >> spare : (v << spare) >>> spare
}

function encode(x: number, dtype: DType): number {
  if (dtype === 'f8e8m0') return Number.isNaN(x) ? 255 : x < 2 ** -126 ? 0 : exponentOf(x) + 127
  if (isSmall(dtype)) return encodeFormat(roundToFormat(x, dtype), dtype)
  return x & ((1 << dtypes[dtype].bits) - 1)
}

/** A tensor of the graph from the internal form; f32 elements are rounded to float32. */
export function toTensor(x: NdArray): Tensor {
  const { dtype, dims, data } = x
  if (Array.isArray(data)) return { dtype, dims, bytes: new Uint8Array(0), strings: data }
  if (dtype === 'f32') return tensorOf(dtype, dims, Float32Array.from(data as Float64Array))
  if (isBig(data)) return tensorOf(dtype, dims, data.slice())
  if (isPacked(dtype)) {
    const bytes = new Uint8Array(byteLength(dtype, data.length))
    for (let i = 0; i < data.length; i++) setPattern(bytes, dtypes[dtype].bits, i, encode(data[i] as number, dtype))
    return { dtype, dims, bytes }
  }
  if (dtype === 'f64' || !(data instanceof Float64Array)) return tensorOf(dtype, dims, data.slice())
  const patterns = Array.from(data, (v) => encode(v, dtype))
  return tensorOf(dtype, dims, dtypes[dtype].bits === 16 ? Uint16Array.from(patterns) : Uint8Array.from(patterns))
}
