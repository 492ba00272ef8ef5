import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Reader } from './reader.ts'
import { bytesOf, textOf } from './text.ts'
import { written, Writer } from './writer.ts'

test('64-bit integers come back as they were', () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  fc.assert(
    fc.property(int64, (value) => {
      const reader = new Reader(written((out) => out.int(3, value)))
      expect(reader.next()).toBe(true)
      expect(reader.field).toBe(3)
      expect(BigInt(reader.int())).toBe(value)
      expect(reader.next()).toBe(false)
    }),
  )
})

test('integers are numbers as long as a number holds them', () => {
  const read = (value: bigint) => {
    const reader = new Reader(written((out) => out.int(1, value)))
    reader.next()
    return reader.int()
  }
  expect([0n, -1n, 2n ** 53n - 1n, -(2n ** 53n) + 1n].map(read)).toEqual([0, -1, 2 ** 53 - 1, -(2 ** 53) + 1])
  expect([2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)].map(read)).toEqual([2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)])
  expect(() => new Writer().int(1, 1.5)).toThrow('1.5 cannot be written where the file needs an integer')
})

test('texts keep every byte, UTF-8 or not', () => {
  const bytes = fc.uint8Array({ maxLength: 100 })
  const point = fc.integer({ min: 0, max: 0x10ffff }).filter((code) => code < 0xd800 || code > 0xdfff)
  const text = fc.array(point, { maxLength: 60 }).map((points) => String.fromCodePoint(...points))
  fc.assert(
    fc.property(bytes, text, (b, t) => {
      expect(bytesOf(textOf(b))).toEqual(b)
      expect(textOf(bytesOf(t))).toBe(t)
    }),
  )
  const cases = [
    [0xed, 0xa0, 0x80],
    [0xc0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xe2, 0x82],
    [0xef, 0xbb, 0xbf, 0x41],
  ]
  for (const bytes of cases) expect([...bytesOf(textOf(Uint8Array.from(bytes)))]).toEqual(bytes)
})

test('big chunks are referred to, not copied, and stay in their place', () => {
  const weights = new Uint8Array(10_000).fill(7)
  const out = new Writer()
  out.text(1, 'before')
  out.message(2, (m) => m.message(3, (inner) => inner.bytes(4, weights)))
  out.text(5, 'after')
  const chunks = out.chunks()
  expect(chunks).toContain(weights)
  expect(chunks.reduce((n, c) => n + c.length, 0)).toBe(out.size)
  const reader = new Reader(Buffer.concat(chunks))
  const seen: string[] = []
  while (reader.next()) seen.push(`${reader.field}: ${reader.take().length}`)
  expect(seen).toEqual(['1: 6', '2: 10006', '5: 5'])
})
