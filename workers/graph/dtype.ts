/**
 * Element types of tensors, by their short names; `bits` is what one element takes when packed, `onnx` the code of
 * `TensorProto.DataType` and `name` its name there (onnx.proto, IR version 14).
 */
export const dtypes = {
  f32: { onnx: 1, bits: 32, name: 'FLOAT' },
  u8: { onnx: 2, bits: 8, name: 'UINT8' },
  i8: { onnx: 3, bits: 8, name: 'INT8' },
  u16: { onnx: 4, bits: 16, name: 'UINT16' },
  i16: { onnx: 5, bits: 16, name: 'INT16' },
  i32: { onnx: 6, bits: 32, name: 'INT32' },
  i64: { onnx: 7, bits: 64, name: 'INT64' },
  /** Strings have no fixed width. */
  string: { onnx: 8, bits: 0, name: 'STRING' },
  bool: { onnx: 9, bits: 8, name: 'BOOL' },
  f16: { onnx: 10, bits: 16, name: 'FLOAT16' },
  f64: { onnx: 11, bits: 64, name: 'DOUBLE' },
  u32: { onnx: 12, bits: 32, name: 'UINT32' },
  u64: { onnx: 13, bits: 64, name: 'UINT64' },
  c64: { onnx: 14, bits: 64, name: 'COMPLEX64' },
  c128: { onnx: 15, bits: 128, name: 'COMPLEX128' },
  bf16: { onnx: 16, bits: 16, name: 'BFLOAT16' },
  f8e4m3fn: { onnx: 17, bits: 8, name: 'FLOAT8E4M3FN' },
  f8e4m3fnuz: { onnx: 18, bits: 8, name: 'FLOAT8E4M3FNUZ' },
  f8e5m2: { onnx: 19, bits: 8, name: 'FLOAT8E5M2' },
  f8e5m2fnuz: { onnx: 20, bits: 8, name: 'FLOAT8E5M2FNUZ' },
  u4: { onnx: 21, bits: 4, name: 'UINT4' },
  i4: { onnx: 22, bits: 4, name: 'INT4' },
  f4e2m1: { onnx: 23, bits: 4, name: 'FLOAT4E2M1' },
  f8e8m0: { onnx: 24, bits: 8, name: 'FLOAT8E8M0' },
  u2: { onnx: 25, bits: 2, name: 'UINT2' },
  i2: { onnx: 26, bits: 2, name: 'INT2' },
  /** Four elements in three bytes. */
  f6e2m3: { onnx: 27, bits: 6, name: 'FLOAT6E2M3' },
  f6e3m2: { onnx: 28, bits: 6, name: 'FLOAT6E3M2' },
} as const

export type DType = keyof typeof dtypes

const byCode = new Map<number, DType>(Object.entries(dtypes).map(([name, row]) => [row.onnx, name as DType]))

/** The dtype of an ONNX `TensorProto.DataType` code; undefined for 0 (UNDEFINED) and codes unknown here. */
export const dtypeOf = (code: number): DType | undefined => byCode.get(code)

/** Whether a word is the short name of a dtype. */
export const isDType = (word: string): word is DType => Object.hasOwn(dtypes, word)

/** Bytes that `count` elements take, sub-byte types packed without gaps; 0 for strings, which have no fixed width. */
export const byteLength = (dtype: DType, count: number): number => Math.ceil((dtypes[dtype].bits * count) / 8)

const floats: ReadonlySet<DType> = new Set<DType>(['f32', 'f64', 'f16', 'bf16'])
/** The types that can carry a gradient. */
export const isFloat = (dtype: DType): boolean => floats.has(dtype)
