import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { byteLength, dtypeOf, dtypes, isDType, type DType } from './dtype.ts'
import {
  arrayOf,
  bfloatToNumber,
  f32,
  halfToNumber,
  i64,
  numbersOf,
  numberToBfloat,
  numberToHalf,
  packBits,
  tensorOf,
  toInt64,
} from './tensor.ts'

describe('dtypes', () => {
  test('codes and names are one to one', () => {
    for (const [name, { onnx }] of Object.entries(dtypes)) expect(dtypeOf(onnx)).toBe(name)
    expect(dtypeOf(0)).toBeUndefined()
    expect(isDType('f32')).toBe(true)
    expect(isDType('constructor')).toBe(false)
  })

  test.each([
    ['f32', 3, 12],
    ['i4', 3, 2],
    ['u2', 5, 2],
    ['f6e2m3', 4, 3],
    ['f6e2m3', 5, 4],
    ['c128', 2, 32],
    ['string', 9, 0],
  ] as const)('%s: %d elements take %d bytes', (dtype, count, bytes) => {
    expect(byteLength(dtype, count)).toBe(bytes)
  })
})

describe('arrayOf', () => {
  test('is a view where bytes are aligned and a copy where they are not', () => {
    const buffer = new Uint8Array(12)
    new DataView(buffer.buffer).setFloat32(4, 1.5, true)
    const aligned = { dtype: 'f32', dims: [1], bytes: buffer.subarray(4, 8) } as const
    expect(arrayOf(aligned)).toEqual(Float32Array.of(1.5))
    expect(arrayOf(aligned).buffer).toBe(buffer.buffer)
    buffer.copyWithin(5, 4, 8)
    const odd = { dtype: 'f32', dims: [1], bytes: buffer.subarray(5, 9) } as const
    expect(arrayOf(odd)).toEqual(Float32Array.of(1.5))
    expect(arrayOf(odd).buffer).not.toBe(buffer.buffer)
  })

  test('copies the misaligned bytes of a Buffer, which are the middle of a larger memory', () => {
    const buffer = Buffer.alloc(16)
    buffer.writeFloatLE(1.5, 5)
    expect(arrayOf({ dtype: 'f32', dims: [1], bytes: buffer.subarray(5, 9) })).toEqual(Float32Array.of(1.5))
  })

  test('tensorOf refuses a wrong number of bytes', () => {
    expect(() => tensorOf('f32', [2, 2], new Float32Array(3))).toThrow(
      'a f32[2,2] tensor has the wrong number of bytes',
    )
  })
})

describe('numbersOf', () => {
  test.each([
    ['i4', [1, -8, 7]],
    ['u4', [1, 15, 0, 9]],
    ['i2', [-2, -1, 0, 1, 1]],
    ['u2', [3, 0, 2]],
  ] as const)('unpacks what packBits packs: %s', (dtype, values) => {
    expect(numbersOf({ dtype, dims: [values.length], bytes: packBits(dtype, values) })).toEqual(values)
  })

  test('packs from the least significant bits', () => {
    expect(packBits('u4', [1, 2, 3])).toEqual(Uint8Array.of(0x21, 0x03))
    expect(packBits('u2', [1, 2, 3, 0, 1])).toEqual(Uint8Array.of(0b00111001, 0b01))
  })

  test('has no numbers for strings, complex and tiny floats', () => {
    const none: DType[] = ['string', 'c64', 'f8e4m3fn', 'f6e3m2', 'f4e2m1']
    for (const dtype of none) {
      expect(() => numbersOf({ dtype, dims: [0], bytes: new Uint8Array(0) })).toThrow(
        `a ${dtype} tensor has no plain numbers`,
      )
    }
  })
})

describe('16-bit floats', () => {
  const patterns = Array.from({ length: 65536 }, (_, i) => i)
  const isNaNPattern = (pattern: number, infinity: number) => (pattern & 0x7fff) > infinity

  test('every number keeps its pattern', () => {
    const changedHalf = patterns.filter((p) => !isNaNPattern(p, 0x7c00) && numberToHalf(halfToNumber(p)) !== p)
    const changedBfloat = patterns.filter((p) => !isNaNPattern(p, 0x7f80) && numberToBfloat(bfloatToNumber(p)) !== p)
    expect([changedHalf, changedBfloat]).toEqual([[], []])
  })

  test.each([
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [-1e300, 0xfc00],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [2 ** -25 * 1.0000001, 0x0001],
    [2 ** -14 - 2 ** -26, 0x0400],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [-0, 0x8000],
    [NaN, 0x7e00],
    // Rounding through float32 first would give 0x3c00: the last bit decides.
    [1 + 2 ** -11 + 2 ** -40, 0x3c01],
  ])('%d is 0x%s as binary16', (value, pattern) => {
    expect(numberToHalf(value)).toBe(pattern)
  })

  test('rounds to the nearest, as a search among the neighbours does', () => {
    fc.assert(
      fc.property(fc.double({ min: -70000, max: 70000, noNaN: true }), (value) => {
        const pattern = numberToHalf(value)
        const distance = (p: number) => Math.abs(halfToNumber(p) - value)
        if ((pattern & 0x7fff) === 0x7c00) expect(Math.abs(value)).toBeGreaterThanOrEqual(65520)
        else
          for (const other of [pattern - 1, pattern + 1])
            if ((other & 0x7fff) < 0x7c00) expect(distance(pattern)).toBeLessThanOrEqual(distance(other))
      }),
    )
  })

  test('bfloat16 rounds ties to even', () => {
    expect(numberToBfloat(1 + 2 ** -8)).toBe(0x3f80)
    expect(numberToBfloat(1 + 3 * 2 ** -8)).toBe(0x3f82)
    expect(numberToBfloat(Infinity)).toBe(0x7f80)
    expect(numberToBfloat(3.4e38)).toBe(0x7f80)
  })
})

test('int64 saturates, because exporters write INT64_MAX for "to the end"', () => {
  expect(toInt64(2 ** 63)).toBe(2n ** 63n - 1n)
  expect(toInt64(-(2 ** 63))).toBe(-(2n ** 63n))
  expect(numbersOf(i64([-1, 5]))).toEqual([-1, 5])
  expect(f32([1, 2]).dims).toEqual([2])
})
