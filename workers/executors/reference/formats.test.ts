import { describe, expect, test } from 'vitest'
import { bfloatToNumber, halfToNumber, type Tensor } from '../../graph/tensor.ts'
import { byteLength, dtypes, type DType } from '../../graph/dtype.ts'
import {
  decodeFormat,
  encodeFormat,
  floatFormats,
  roundHalfEven,
  roundToFormat,
  roundToPower,
  type SmallFloat,
} from './formats.ts'
import { fromTensor, toTensor } from './value.ts'

const small = Object.keys(floatFormats) as SmallFloat[]
const patterns = (dtype: SmallFloat) => Array.from({ length: 2 ** dtypes[dtype].bits }, (_, i) => i)

describe('small floats', () => {
  test('halves round to the even integer', () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 2.4999, -2.5].map((x) => roundHalfEven(x) + 0)).toEqual([0, 2, 2, 0, -2, 2, -2])
  })

  test.each(small)('every pattern of %s that is a number comes back', (dtype) => {
    for (const pattern of patterns(dtype)) {
      const value = decodeFormat(pattern, dtype)
      if (Number.isNaN(value)) continue
      expect([value, encodeFormat(value, dtype)]).toEqual([value, pattern])
      if (Number.isFinite(value)) expect(roundToFormat(value, dtype)).toBe(value)
    }
  })

  test('half and bfloat16 agree with the bit-level decoders', () => {
    for (const pattern of patterns('f16')) {
      expect(decodeFormat(pattern, 'f16')).toBe(halfToNumber(pattern))
      expect(decodeFormat(pattern, 'bf16')).toBe(bfloatToNumber(pattern))
    }
  })

  // Between two neighbours the middle goes to the one whose last mantissa bit is 0.
  test.each(small)('the middle of two neighbours of %s rounds to the even one', (dtype) => {
    const finite = patterns(dtype)
      .map((pattern) => ({ pattern, value: decodeFormat(pattern, dtype) }))
      .filter(({ value }) => value >= 0 && Number.isFinite(value) && !Object.is(value, -0))
    finite.slice(1).forEach((upper, i) => {
      const lower = finite[i] as typeof upper
      const even = lower.pattern % 2 === 0 ? lower : upper
      expect(roundToFormat((lower.value + upper.value) / 2, dtype)).toBe(even.value)
    })
  })

  test('what is too large saturates, or becomes infinity or NaN', () => {
    expect(roundToFormat(1e6, 'f8e4m3fn', true)).toBe(448)
    expect(roundToFormat(-Infinity, 'f8e4m3fn', true)).toBe(-448)
    expect(roundToFormat(1e6, 'f8e4m3fn')).toBeNaN()
    expect(roundToFormat(1e6, 'f8e5m2')).toBe(Infinity)
    expect(roundToFormat(65519, 'f16')).toBe(65504)
    expect(roundToFormat(65520, 'f16')).toBe(Infinity)
    expect(roundToFormat(100, 'f4e2m1')).toBe(6)
  })

  test('float8e8m0 holds powers of two', () => {
    expect([3, 4, 5].map((x) => roundToPower(x, 'up'))).toEqual([4, 4, 8])
    expect([3, 4, 5].map((x) => roundToPower(x, 'down'))).toEqual([2, 4, 4])
    expect([2.9, 3, 5].map((x) => roundToPower(x, 'nearest'))).toEqual([2, 4, 4])
    expect(roundToPower(Infinity, 'up', true)).toBe(2 ** 127)
    expect(roundToPower(Infinity, 'up', false)).toBeNaN()
  })
})

const numeric = (Object.keys(dtypes) as DType[]).filter((d) => !['string', 'c64', 'c128', 'bool'].includes(d))

test.each(numeric)('a %s tensor comes back byte for byte', (dtype) => {
  // Bytes below 0x40 avoid the many patterns of NaN and the spare bits of the last byte.
  const count = 24
  const bytes = Uint8Array.from({ length: byteLength(dtype, count) }, (_, i) => (i * 37 + 5) % 64)
  const tensor: Tensor = { dtype, dims: [4, 6], bytes }
  expect(toTensor(fromTensor(tensor))).toEqual(tensor)
})

test('strings and booleans come back too', () => {
  const text: Tensor = { dtype: 'string', dims: [2], bytes: new Uint8Array(0), strings: ['a', 'ß'] }
  expect(toTensor(fromTensor(text))).toEqual(text)
  const truth: Tensor = { dtype: 'bool', dims: [3], bytes: Uint8Array.of(1, 0, 1) }
  expect(toTensor(fromTensor(truth))).toEqual(truth)
})
