import { AlambicError } from '../protocol/errors.ts'
import type { DType } from '../graph/dtype.ts'
import { tensorOf, type Tensor } from '../graph/tensor.ts'

const scratch = new Float32Array(1)

/** The nearest bfloat16 pattern (round to nearest even). */
function bfloatPattern(value: number): number {
  scratch[0] = value
  const bits = new Uint32Array(scratch.buffer)[0] ?? 0
  if (Number.isNaN(value)) return 0x7fc0
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff
}

const writers: Partial<Record<DType, (values: readonly number[]) => ArrayBufferView>> = {
  f32: (v) => Float32Array.from(v),
  f64: (v) => Float64Array.from(v),
  f16: (v) => Float16Array.from(v),
  bf16: (v) => Uint16Array.from(v, bfloatPattern),
  i64: (v) => BigInt64Array.from(v, BigInt),
  u64: (v) => BigUint64Array.from(v, BigInt),
  i32: (v) => Int32Array.from(v),
  u32: (v) => Uint32Array.from(v),
  i16: (v) => Int16Array.from(v),
  u16: (v) => Uint16Array.from(v),
  i8: (v) => Int8Array.from(v),
  u8: (v) => Uint8Array.from(v),
}

/** True for the element types that `numberTensor` writes. */
export const isWritable = (dtype: DType): boolean => dtype in writers

/** Numbers as a tensor of any float or whole-byte integer type, rounded to nearest. */
export function numberTensor(values: readonly number[], dims: readonly number[], dtype: DType): Tensor {
  const write = writers[dtype]
  if (!write) throw new AlambicError('graph.not-numeric', `a ${dtype} tensor can not be made of plain numbers`)
  return tensorOf(dtype, dims, write(values))
}

/** A 0-D tensor. */
export const scalarOf = (value: number, dtype: DType): Tensor => numberTensor([value], [], dtype)
