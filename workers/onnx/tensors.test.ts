import { describe, expect, test } from 'vitest'
import { dtypes, type DType } from '../graph/dtype.ts'
import * as p from './corpus/proto.ts'
import { decodeTensor, encodeTensor } from './index.ts'

interface Form {
  readonly count: number
  readonly data: Uint8Array
  /** The packed little-endian bytes that the same values have in `raw_data`. */
  readonly bytes: readonly number[]
}

const form = (count: number, data: Uint8Array, ...bytes: number[]): Form => ({ count, data, bytes })
const doubles = (...values: number[]) => p.blob(10, new Uint8Array(Float64Array.from(values).buffer))

/** Every dtype in its typed field; values and patterns by hand. */
const forms: Record<Exclude<DType, 'string'>, Form> = {
  f32: form(2, p.floats(4, [1, -2]), 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0),
  f64: form(1, doubles(1), 0, 0, 0, 0, 0, 0, 0xf0, 0x3f),
  c64: form(1, p.floats(4, [1, -2]), 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0),
  c128: form(1, doubles(1, -2), 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0),
  i8: form(3, p.packed(5, [-1, 5, -128]), 255, 5, 128),
  u8: form(2, p.packed(5, [0, 255]), 0, 255),
  i16: form(2, p.packed(5, [-2, 258]), 0xfe, 0xff, 2, 1),
  u16: form(2, p.packed(5, [65535, 258]), 0xff, 0xff, 2, 1),
  i32: form(2, p.packed(5, [-(2 ** 31), 1]), 0, 0, 0, 0x80, 1, 0, 0, 0),
  i64: form(2, p.packed(7, [-2, 2n ** 62n]), 0xfe, ...Array<number>(7).fill(255), 0, 0, 0, 0, 0, 0, 0, 0x40),
  u32: form(2, p.packed(11, [2 ** 32 - 1, 1]), 255, 255, 255, 255, 1, 0, 0, 0),
  u64: form(1, p.packed(11, [2n ** 64n - 2n]), 0xfe, ...Array<number>(7).fill(255)),
  bool: form(3, p.packed(5, [1, 0, 1]), 1, 0, 1),
  f16: form(2, p.packed(5, [0x3c00, 0xc000]), 0, 0x3c, 0, 0xc0),
  bf16: form(2, p.packed(5, [0x3f80, 0xc000]), 0x80, 0x3f, 0, 0xc0),
  f8e4m3fn: form(2, p.packed(5, [0x38, 0xc0]), 0x38, 0xc0),
  f8e4m3fnuz: form(2, p.packed(5, [0x38, 0xc0]), 0x38, 0xc0),
  f8e5m2: form(2, p.packed(5, [0x3c, 0xc0]), 0x3c, 0xc0),
  f8e5m2fnuz: form(2, p.packed(5, [0x3c, 0xc0]), 0x3c, 0xc0),
  f8e8m0: form(2, p.packed(5, [127, 255]), 127, 255),
  // Two elements of 4 bits to an entry, four of 2 bits, but only one of 6 bits.
  u4: form(3, p.packed(5, [0x21, 0x0f]), 0x21, 0x0f),
  i4: form(2, p.packed(5, [0xf8]), 0xf8),
  f4e2m1: form(4, p.packed(5, [0x21, 0x43]), 0x21, 0x43),
  u2: form(5, p.packed(5, [0b11100100, 0b10]), 0xe4, 2),
  i2: form(4, p.packed(5, [0b11100100]), 0xe4),
  f6e2m3: form(5, p.packed(5, [1, 2, 3, 63, 32]), 0b10000001, 0b00110000, 0b11111100, 32),
  f6e3m2: form(2, p.packed(5, [63, 63]), 0xff, 0x0f),
}

const decoded = (dtype: DType, count: number, data: Uint8Array) =>
  decodeTensor(p.tensor(dtypes[dtype].onnx, [count], 't', data))

describe('typed data fields', () => {
  test.for(Object.entries(forms))('%s', ([name, { count, data, bytes }]) => {
    const dtype = name as DType
    expect([...decoded(dtype, count, data).bytes]).toEqual(bytes)
    expect(decoded(dtype, count, p.blob(9, Uint8Array.from(bytes)))).toEqual(decoded(dtype, count, data))
  })
})

test('one field an element means the same as a packed list', () => {
  const single = p.cat(...[-1, 5, -128].map((v) => p.int(5, v)))
  expect(decoded('i8', 3, single)).toEqual(decoded('i8', 3, p.packed(5, [-1, 5, -128])))
  const mixed = p.cat(p.floats(4, [1]), p.float(4, 2), p.float(4, 3), p.floats(4, []), p.floats(4, [4]))
  expect(decoded('f32', 4, mixed)).toEqual(decoded('f32', 4, p.floats(4, [1, 2, 3, 4])))
})

test('strings keep every byte', () => {
  const tensor = decodeTensor(p.tensor(8, [3], 't', p.text(6, 'ä🙂'), p.text(6, ''), p.blob(6, p.raw(0xff, 0x41))))
  expect(tensor.strings).toEqual(['ä🙂', '', '\udcffA'])
  expect(decodeTensor(encodeTensor(tensor))).toEqual(tensor)
})

test('a tensor is written as raw_data, with its name', () => {
  const bytes = encodeTensor({ dtype: 'i4', dims: [3], bytes: Uint8Array.from([0x21, 0x03]) }, 'w')
  expect(bytes).toEqual(p.tensor(22, [3], 'w', p.blob(9, p.raw(0x21, 0x03))))
})
