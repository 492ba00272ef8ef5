import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { elementBytes, elementWords, float32Text, nameText, quote, uniformElement } from './literals.ts'
import { f32, tensorOf, type Tensor } from './tensor.ts'

describe('numbers', () => {
  test.each([
    [0.1, '0.1'],
    [Math.fround(0.1), '0.1'],
    [Math.fround(1e-5), '0.00001'],
    [Math.fround(16777216), '16777216'],
    [2 ** -149, '1e-45'],
    [Math.fround(3.4028234663852886e38), '3.4028235e+38'],
    [-0, '-0'],
    [NaN, 'nan'],
    [-Infinity, '-inf'],
  ])('%d is written %s', (value, text) => {
    expect(float32Text(value)).toBe(text)
  })

  test('a double that is no float32 number keeps its digits', () => {
    expect(float32Text(0.1 + 2 ** -50)).toBe(String(0.1 + 2 ** -50))
  })

  test('no shorter decimal gives the same float32 number', () => {
    fc.assert(
      fc.property(fc.float({ noDefaultInfinity: true, noNaN: true }), (value) => {
        const text = float32Text(value)
        expect(Math.fround(Number(text))).toBe(value)
        const digits = Number(text)
          .toExponential()
          .replace(/e.*|[-.]/g, '').length
        if (digits > 1) expect(Math.fround(Number(value.toPrecision(digits - 1)))).not.toBe(value)
      }),
    )
  })

  test.each(['f16', 'bf16'] as const)('every %s number comes back from its text', (dtype) => {
    const all = tensorOf(
      dtype,
      [65536],
      Uint16Array.from({ length: 65536 }, (_, i) => i),
    )
    const isNaNPattern = (pattern: number) => {
      const magnitude = pattern & 0x7fff
      return magnitude > (dtype === 'f16' ? 0x7c00 : 0x7f80)
    }
    const numbers = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((pattern) => !isNaNPattern(pattern))
    const tensor = tensorOf(dtype, [numbers.length], numbers)
    const words = elementWords(tensor)
    expect(words).toBeDefined()
    expect(elementBytes(dtype, words ?? [])).toEqual(tensor.bytes)
    // NaNs with payloads have no words.
    expect(elementWords(all)).toBeUndefined()
  })

  test('half precision numbers are written short', () => {
    expect(elementWords(tensorOf('f16', [2], Uint16Array.of(0x2e66, 0x7bff)))).toEqual(['0.1', '65500'])
    expect(elementWords(tensorOf('bf16', [1], Uint16Array.of(0x3dcd)))).toEqual(['0.1'])
  })
})

describe('elements', () => {
  test.each([
    ['i8', '128'],
    ['u8', '-1'],
    ['u4', '16'],
    ['i2', '2'],
    ['i64', '9223372036854775808'],
    ['u64', '-1'],
    ['i32', '0.5'],
    ['f32', 'true'],
    ['bool', '2'],
    ['f8e5m2', '1'],
  ] as const)('%s does not take %s', (dtype, word) => {
    expect(elementBytes(dtype, [word])).toBeUndefined()
  })

  test('64-bit integers keep every digit', () => {
    const tensor = tensorOf('i64', [2], BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n)))
    expect(elementWords(tensor)).toEqual(['9223372036854775807', '-9223372036854775808'])
  })

  test('words that would lose bits are refused', () => {
    const padding: Tensor = { dtype: 'u4', dims: [1], bytes: Uint8Array.of(0xf1) }
    const short: Tensor = { dtype: 'f32', dims: [2], bytes: new Uint8Array(4) }
    expect([padding, short, tensorOf('bool', [1], Uint8Array.of(7))].map(elementWords)).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  test('a tensor of equal elements is told by one', () => {
    expect(uniformElement(f32([3, 3, 3]))?.bytes).toEqual(f32([3]).bytes)
    expect(uniformElement(f32([3, 3, 4]))).toBeUndefined()
    expect(uniformElement(f32([3]))).toBeUndefined()
  })
})

describe('names', () => {
  test.each(['conv1.weight', 'x', '_x', 'a_1.0'])('%s stands bare', (name) => {
    expect(nameText(name)).toBe(name)
  })

  test.each(['', '_', 'const', '1x', 'a/b', 'a-b', 'a.', 'onnx::Conv_1'])('%j is quoted', (name) => {
    expect(nameText(name)).toBe(JSON.stringify(name))
  })

  test('characters that a terminal would act on are escaped', () => {
    expect(quote('a\u001b[31m\u009b\u202e"')).toBe('"a\\u001b[31m\\u009b\\u202e\\""')
  })
})
