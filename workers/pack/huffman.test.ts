import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalCodes, codedBits, codeLengths, decodeSymbols, decodeTable, encodeSymbols } from './huffman.ts'

const entropy = (frequencies: readonly number[]): number => {
  const total = frequencies.reduce((a, b) => a + b, 0)
  return frequencies.reduce((sum, f) => (f === 0 ? sum : sum - (f / total) * Math.log2(f / total)), 0)
}

test('the code of Cormen et al., Introduction to Algorithms, figure 16.3', () => {
  const frequencies = [45, 13, 12, 16, 9, 5]
  const lengths = codeLengths(frequencies)
  expect([...lengths]).toEqual([1, 3, 3, 3, 4, 4])
  expect(codedBits(frequencies, lengths) / 100).toBeCloseTo(2.24, 12)
  expect(entropy(frequencies)).toBeCloseTo(2.21988, 5)
  expect([...canonicalCodes(lengths)]).toEqual([0b0, 0b100, 0b101, 0b110, 0b1110, 0b1111])
})

test('lengths are optimal: within a bit of the entropy, and never above 15', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 1000 }), { minLength: 2, maxLength: 300 }), (frequencies) => {
      const total = frequencies.reduce((a, b) => a + b, 0)
      fc.pre(frequencies.filter((f) => f > 0).length > 1)
      const mean = codedBits(frequencies, codeLengths(frequencies)) / total
      expect(mean).toBeGreaterThanOrEqual(entropy(frequencies) - 1e-9)
      expect(mean).toBeLessThan(entropy(frequencies) + 1)
    }),
  )
})

test('Fibonacci frequencies, whose Huffman code would be 39 bits deep, stay within 15', () => {
  const frequencies = [1, 1]
  while (frequencies.length < 40) frequencies.push((frequencies.at(-1) ?? 0) + (frequencies.at(-2) ?? 0))
  const lengths = codeLengths(frequencies)
  expect(Math.max(...lengths)).toBe(15)
  expect(lengths.reduce((sum, length) => sum + 2 ** -length, 0)).toBe(1)
  const symbols = frequencies.map((_, i) => i)
  const bytes = encodeSymbols(
    symbols,
    lengths,
    codedBits(
      symbols.map(() => 1),
      lengths,
    ),
  )
  expect([...decodeSymbols(bytes, decodeTable(lengths, 0), new Uint16Array(40), 0)]).toEqual(symbols)
})

test('a symbol that is alone takes one bit', () => {
  const lengths = codeLengths([0, 7, 0])
  expect([...lengths]).toEqual([0, 1, 0])
  const bytes = encodeSymbols([1, 1, 1], lengths, 3)
  expect([...bytes]).toEqual([0])
  expect([...decodeSymbols(bytes, decodeTable(lengths, 0), new Uint8Array(3), 0)]).toEqual([1, 1, 1])
})

test.each([
  [[1, 1, 1], 'a Kraft sum of 1.5'],
  [[2, 2, 2], 'a Kraft sum of 0.75'],
  [[2, 0, 0], 'a Kraft sum of 0.25'],
])('lengths %j are refused', (lengths, found) => {
  expect(() => decodeTable(Uint8Array.from(lengths), 12)).toThrow(
    expect.objectContaining({ code: 'cmpz.code', subject: 'byte 12', found }) as Error,
  )
})
