import * as ort from 'onnxruntime-node'
import { AlambicError } from '../../protocol/errors.ts'
import { byteLength, type DType } from '../../graph/dtype.ts'
import { arrayOf, sizeOf, tensorOf, type AnyArray, type Tensor } from '../../graph/tensor.ts'

/** Element types that onnxruntime-node can pass, by our names. */
const ortTypes = {
  f32: 'float32',
  f64: 'float64',
  f16: 'float16',
  i8: 'int8',
  u8: 'uint8',
  i16: 'int16',
  u16: 'uint16',
  i32: 'int32',
  u32: 'uint32',
  i64: 'int64',
  u64: 'uint64',
  bool: 'bool',
  i4: 'int4',
  u4: 'uint4',
} as const satisfies Partial<Record<DType, ort.Tensor.Type>>

const ours = new Map<string, DType>(Object.entries(ortTypes).map(([dtype, type]) => [type, dtype as DType]))

function ortType(dtype: DType): ort.Tensor.Type {
  if (dtype in ortTypes) return ortTypes[dtype as keyof typeof ortTypes]
  throw new AlambicError('ort.dtype', `onnxruntime-node can't pass tensors of type ${dtype}`, {
    expected: Object.keys(ortTypes).join(', '),
    found: dtype,
  })
}

/** Shares the tensor's memory where it is aligned. */
export const toOrt = (tensor: Tensor): ort.Tensor =>
  tensor.dtype === 'string'
    ? new ort.Tensor('string', [...(tensor.strings ?? [])], tensor.dims)
    : tensor.dtype === 'f16'
      ? halfTensor(arrayOf(tensor) as Uint16Array, tensor.dims)
      : new ort.Tensor(ortType(tensor.dtype), arrayOf(tensor) as Float32Array, tensor.dims)

/**
 * A float16 tensor. Where JavaScript has a Float16Array onnxruntime-common turns the bits into one, of which the native
 * side of onnxruntime-node 1.30 reads no byte ("not enough space"); it does read the bits themselves.
 */
function halfTensor(bits: Uint16Array, dims: readonly number[]): ort.Tensor {
  const tensor = new ort.Tensor('float16', bits, dims)
  return Object.assign(tensor, { cpuData: bits })
}

export function emptyOrtTensor(dtype: DType, dims: readonly number[]): ort.Tensor {
  return toOrt({ dtype, dims, bytes: new Uint8Array(byteLength(dtype, sizeOf(dims))) })
}

/** Shares the tensor's memory unless a copy is asked for. */
export function fromOrt(tensor: ort.Tensor, copy = false): Tensor {
  if (tensor.type === 'string') {
    return { dtype: 'string', dims: tensor.dims, bytes: new Uint8Array(), strings: tensor.data as string[] }
  }
  const data = tensor.data as unknown as AnyArray
  return tensorOf(dtypeOf(tensor), tensor.dims, copy ? data.slice() : data)
}

/** Our name of a tensor's element type. */
export function dtypeOf({ type }: ort.Tensor): DType {
  const dtype = ours.get(type)
  if (dtype !== undefined) return dtype
  throw new AlambicError('ort.dtype', `onnxruntime gave back a tensor of type ${type}`)
}
