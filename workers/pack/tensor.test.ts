import { expect, test } from 'vitest'
import { gaussian, mulberry32, type Random } from '../graph/random.ts'
import { ByteReader } from './bytes.ts'
import { gapSymbols, nonZeros, planGaps, positionsOf } from './gaps.ts'
import { decodeTensor, encodeTensor } from './tensor.ts'

const roundTrip = (bytes: Uint8Array, width: number, indexBits?: number): Uint8Array => {
  const { payload } = encodeTensor(bytes, width, { indexBits })
  const reader = new ByteReader(payload, 0)
  const decoded = decodeTensor(reader, bytes.length)
  reader.end('the tensor')
  return decoded
}

test('positions 1, 4 and 15 with 3 index bits: gaps 2, 3, a filler of 8, 3', () => {
  const dense = new Float32Array(16)
  for (const position of [1, 4, 15]) dense[position] = 1
  const positions = nonZeros(dense)
  const plan = planGaps(positions, 3)
  const symbols = gapSymbols(positions, plan)
  // A symbol is the gap less one, that is the zeros before a non-zero; 8 is the filler.
  expect([...symbols]).toEqual([1, 2, 8, 2])
  expect(plan).toMatchObject({ count: 4, fillers: 1 })
  expect([...(positionsOf(symbols, 3, 3, 16) ?? [])]).toEqual([1, 4, 15])
  expect(positionsOf(symbols, 3, 3, 15)).toBeUndefined()
  expect(positionsOf(symbols, 3, 2, 16)).toBeUndefined()
})

/** Tensors of all sorts: widths, shares of zeros, shared and free values, NaNs, negative zeros. */
function anyElements(random: Random): { bytes: Uint8Array; width: number } {
  const width = [1, 2, 4, 8][Math.floor(4 * random())] ?? 4
  const count = Math.floor(random() ** 3 * 5000)
  const density = random() < 0.3 ? 1 : random() ** 3
  const distinct = 1 + Math.floor(300 * random() ** 2)
  const shared = random() < 0.6
  const floats = Float32Array.from({ length: count * 2 }, () => {
    if (random() >= density) return 0
    const value = shared ? Math.round(distinct * random()) - distinct / 3 : gaussian(random)
    return random() < 0.01 ? ([NaN, -0, Infinity, -Infinity][Math.floor(4 * random())] ?? 0) : value
  })
  return { bytes: new Uint8Array(floats.buffer, 0, count * width), width }
}

test('1,000 random tensors come back bit for bit', () => {
  const random = mulberry32(1)
  const forms = new Set<string>()
  for (let i = 0; i < 1000; i++) {
    const { bytes, width } = anyElements(random)
    const indexBits = random() < 0.3 ? 1 + Math.floor(11 * random()) : undefined
    const { report } = encodeTensor(bytes, width, { indexBits })
    forms.add(`${report.positions === 'dense' ? 'dense' : 'sparse'} ${report.codebook > 0 ? 'shared' : 'free'}`)
    expect(Buffer.compare(roundTrip(bytes, width, indexBits), bytes)).toBe(0)
  }
  expect([...forms].toSorted()).toEqual(['dense free', 'dense shared', 'sparse free', 'sparse shared'])
})

test.each([0, 1, 65])('%i zeros', (count) => {
  expect(roundTrip(new Uint8Array(4 * count), 4)).toEqual(new Uint8Array(4 * count))
})

test('elements that are not aligned in memory', () => {
  const bytes = new Uint8Array(4 * 100 + 1).subarray(1)
  bytes[7] = 1
  expect(roundTrip(bytes, 4)).toEqual(bytes)
})

test('8 % of weights with 6-bit codebooks take the bits that entropy leaves', () => {
  const random = mulberry32(7)
  const weights = Float32Array.from({ length: 100_000 }, () =>
    random() < 0.08 ? Math.round(32 * (2 * random() - 1)) / 32 || 1 : 0,
  )
  const { report } = encodeTensor(new Uint8Array(weights.buffer), 4)
  // Geometric gaps of density p have an entropy of h(p)/p bits: 5.03 at 0.08.
  const indexBits = (8 * report.indexBytes) / report.nonZeros
  expect(indexBits).toBeGreaterThan(5.0)
  expect(indexBits).toBeLessThan(5.2)
  expect((8 * report.valueBytes) / report.nonZeros).toBeLessThan(6.2)
  expect(report.codebook).toBeLessThanOrEqual(65)
})
