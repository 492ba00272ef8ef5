import { AlambicError } from '../protocol/errors.ts'
import { byteLength, dtypes, type DType } from './dtype.ts'

/**
 * A constant tensor: little-endian packed bytes (as ONNX `raw_data`), row-major. Its bytes may be a view of a file's
 * buffer, so they are never written to. Strings live in `strings` and have empty bytes.
 */
export interface Tensor {
  readonly dtype: DType
  readonly dims: readonly number[]
  readonly bytes: Uint8Array
  readonly strings?: readonly string[]
  /** Fields of the file's TensorProto that Alambic does not model (documentation, metadata), byte for byte. */
  readonly unknownFields?: readonly Uint8Array[]
}

/** A tensor of strings; they live in `strings`, its bytes are empty. */
export const stringTensor = (strings: readonly string[], dims: readonly number[] = [strings.length]): Tensor => ({
  dtype: 'string',
  dims,
  bytes: new Uint8Array(0),
  strings,
})

/** Number of elements of a static shape; 1 for a scalar. */
export const sizeOf = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1)

const arrays = {
  f32: Float32Array,
  f64: Float64Array,
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  bool: Uint8Array,
  f16: Uint16Array,
  bf16: Uint16Array,
} as const

/** The typed array that `arrayOf` gives for a dtype. */
export type ArrayOf<D extends DType> = D extends keyof typeof arrays ? InstanceType<(typeof arrays)[D]> : Uint8Array
export type AnyArray = InstanceType<(typeof arrays)[keyof typeof arrays]>

/**
 * The elements as a typed array of the same width: a view where the bytes are aligned, else a copy. float16 and
 * bfloat16 come as their raw 16-bit patterns, float8 and sub-byte types as packed bytes.
 */
export function arrayOf<D extends DType>(tensor: Tensor & { dtype: D }): ArrayOf<D>
export function arrayOf(tensor: Tensor): AnyArray
export function arrayOf(tensor: Tensor): AnyArray {
  const Type = tensor.dtype in arrays ? arrays[tensor.dtype as keyof typeof arrays] : Uint8Array
  const { buffer, byteOffset, byteLength: length } = tensor.bytes
  if (byteOffset % Type.BYTES_PER_ELEMENT === 0) {
    return new Type(buffer as ArrayBuffer, byteOffset, length / Type.BYTES_PER_ELEMENT)
  }
  // Not `slice`: of a Buffer that is a view of the same memory.
  return new Type(new Uint8Array(tensor.bytes).buffer)
}

/**
 * A tensor over an existing typed array, without a copy. `bool` and the 16-bit floats must be given as raw patterns,
 * sub-byte types packed. Throws `graph.tensor-size` when the number of bytes does not fit the dims.
 */
export function tensorOf(dtype: DType, dims: readonly number[], data: ArrayBufferView): Tensor {
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
  const expected = byteLength(dtype, sizeOf(dims))
  if (bytes.byteLength !== expected) {
    throw new AlambicError('graph.tensor-size', `a ${dtype}[${dims.join(',')}] tensor has the wrong number of bytes`, {
      expected: `${expected} bytes`,
      found: `${bytes.byteLength} bytes`,
    })
  }
  return { dtype, dims, bytes }
}

/** A float32 tensor from numbers. */
export const f32 = (values: ArrayLike<number>, dims: readonly number[] = [values.length]): Tensor =>
  tensorOf('f32', dims, values instanceof Float32Array ? values : Float32Array.from(values))

/** An int64 tensor from numbers; the usual type of shapes and axes. */
export const i64 = (values: ArrayLike<number>, dims: readonly number[] = [values.length]): Tensor =>
  tensorOf('i64', dims, BigInt64Array.from(Array.from(values, (v) => toInt64(v))))

const INT64_MAX = 2n ** 63n - 1n
/** An integer as int64, saturating: ONNX exporters write INT64_MAX for "to the end" and doubles can't hold it. */
export const toInt64 = (value: number): bigint =>
  value >= Number(INT64_MAX) ? INT64_MAX : value <= -Number(INT64_MAX) ? -(2n ** 63n) : BigInt(value)

/**
 * Elements as numbers, for any numeric dtype. 64-bit integers beyond 2^53 lose digits; callers use this for shapes,
 * axes, scales and small tables, never for bulk weights of other types than float. Throws `graph.not-numeric` for
 * strings, complex numbers and the floats of 8 bits and less.
 */
export function numbersOf(tensor: Tensor): number[] {
  switch (tensor.dtype) {
    case 'i64':
    case 'u64':
      return Array.from(arrayOf(tensor) as BigInt64Array, Number)
    case 'f16':
      return Array.from(arrayOf(tensor) as Uint16Array, halfToNumber)
    case 'bf16':
      return Array.from(arrayOf(tensor) as Uint16Array, bfloatToNumber)
    case 'i4':
    case 'u4':
    case 'i2':
    case 'u2':
      return unpackBits(tensor)
    case 'string':
    case 'c64':
    case 'c128':
    case 'f8e4m3fn':
    case 'f8e4m3fnuz':
    case 'f8e5m2':
    case 'f8e5m2fnuz':
    case 'f6e2m3':
    case 'f6e3m2':
    case 'f4e2m1':
    case 'f8e8m0':
      throw new AlambicError('graph.not-numeric', `a ${tensor.dtype} tensor has no plain numbers`)
    default:
      return Array.from(arrayOf(tensor) as Float32Array)
  }
}

/** Integers of 2 or 4 bits, packed from the least significant bits of each byte (onnx.proto, `raw_data`). */
function unpackBits({ dtype, dims, bytes }: Tensor): number[] {
  const { bits } = dtypes[dtype]
  const perByte = 8 / bits
  const range = 1 << bits
  const signed = dtype.startsWith('i')
  return Array.from({ length: sizeOf(dims) }, (_, i) => {
    const value = ((bytes[Math.floor(i / perByte)] ?? 0) >> ((i % perByte) * bits)) & (range - 1)
    return signed && value >= range / 2 ? value - range : value
  })
}

/** The inverse of `numbersOf` for i4, u4, i2 and u2; numbers out of range wrap, spare bits at the end are zero. */
export function packBits(dtype: 'i4' | 'u4' | 'i2' | 'u2', values: ArrayLike<number>): Uint8Array {
  const { bits } = dtypes[dtype]
  const perByte = 8 / bits
  const bytes = new Uint8Array(byteLength(dtype, values.length))
  for (let i = 0; i < values.length; i++) {
    const at = Math.floor(i / perByte)
    const masked = (values[i] ?? 0) & ((1 << bits) - 1)
    bytes[at] = (bytes[at] ?? 0) | (masked << ((i % perByte) * bits))
  }
  return bytes
}

/** IEEE 754 binary16 pattern to number. */
export function halfToNumber(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1
  const exponent = (pattern >> 10) & 31
  const fraction = pattern & 0x3ff
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15))
}

const scratch = new DataView(new ArrayBuffer(4))
/** bfloat16 pattern (the upper half of a float32) to number. */
export function bfloatToNumber(pattern: number): number {
  scratch.setUint32(0, pattern << 16)
  return scratch.getFloat32(0)
}

/** The IEEE 754 binary16 pattern nearest to a number, ties to even; overflow gives infinity, NaN the quiet NaN. */
export const numberToHalf = (value: number): number => roundTo16(value, 10, 15)

/** The bfloat16 pattern nearest to a number, ties to even; overflow gives infinity, NaN the quiet NaN. */
export const numberToBfloat = (value: number): number => roundTo16(value, 7, 127)

/** Rounds once, straight from the double: going through float32 would round twice and could break a tie wrongly. */
function roundTo16(value: number, mantissaBits: number, bias: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const infinity = (2 * bias + 1) << mantissaBits
  if (Number.isNaN(value)) return infinity | (1 << (mantissaBits - 1))
  const magnitude = Math.abs(value)
  if (magnitude === Infinity) return sign | infinity
  // Below the smallest normal number the spacing stays what it is there, which gives the subnormals.
  const exponent = Math.max(exponentOf(magnitude), 1 - bias)
  const steps = roundHalfEven(magnitude * 2 ** (mantissaBits - exponent))
  // A carry out of the fraction lands in the exponent field, as it should; past the largest it lands on infinity.
  const pattern = (exponent + bias - 1) * 2 ** mantissaBits + steps
  return sign | Math.min(pattern, infinity)
}

const double = new DataView(new ArrayBuffer(8))
/** floor(log2(magnitude)) of a finite double, exactly; -1023 for zero and subnormals, which is small enough here. */
function exponentOf(magnitude: number): number {
  double.setFloat64(0, magnitude)
  return ((double.getUint16(0) >> 4) & 0x7ff) - 1023
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}

/** ‖a − b‖ / ‖b‖ of two f32 tensors. */
export function distance(a: Tensor, b: Tensor): number {
  const [x, y] = [arrayOf(a) as Float32Array, arrayOf(b) as Float32Array]
  const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0))
  return norm(x.map((v, i) => v - (y[i] as number))) / Math.max(1e-8, norm(y))
}
