import { AlambicError } from '../protocol/errors.ts'
import { isFloat, type DType } from './dtype.ts'
import { arrayOf, numberToBfloat, numberToHalf, numbersOf, tensorOf, type Tensor } from './tensor.ts'

/** Elements of a tensor of any plain number type as float32, rounded to nearest: fast enough for whole weights. */
export function asFloat32(tensor: Tensor): Float32Array {
  const data = arrayOf(tensor)
  switch (tensor.dtype) {
    case 'f32':
      return data as Float32Array
    case 'f16':
      return Float32Array.from(new Float16Array(data.buffer, data.byteOffset, data.length))
    case 'bf16':
      // The upper half of a float32.
      return new Float32Array(Uint32Array.from(data as Uint16Array, (pattern) => pattern << 16).buffer)
    case 'f64':
    case 'i8':
    case 'u8':
    case 'i16':
    case 'u16':
    case 'i32':
    case 'u32':
      return Float32Array.from(data as Float64Array)
    default:
      return Float32Array.from(numbersOf(tensor))
  }
}

const writers: Partial<Record<DType, (values: Float32Array) => ArrayBufferView>> = {
  f32: (values) => values,
  f64: (values) => Float64Array.from(values),
  f16: (values) => Uint16Array.from(values, numberToHalf),
  bf16: (values) => Uint16Array.from(values, numberToBfloat),
}

/** Float32 elements as a tensor of a float type, rounded to nearest, ties to even. Throws `graph.not-float`. */
export function fromFloat32(values: Float32Array, dims: readonly number[], dtype: DType): Tensor {
  const write = writers[dtype]
  if (write) return tensorOf(dtype, dims, write(values))
  throw new AlambicError('graph.not-float', `float32 numbers can't be written as ${dtype}`, {
    expected: Object.keys(writers).join(', '),
    found: dtype,
  })
}

/** A float tensor in another float type; any other tensor as it is. */
export const castFloat = (tensor: Tensor, dtype: DType): Tensor =>
  tensor.dtype === dtype || !isFloat(tensor.dtype) ? tensor : fromFloat32(asFloat32(tensor), tensor.dims, dtype)
