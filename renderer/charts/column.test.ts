import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Column, lowerBound } from './column.ts'

const extentOf = (values: readonly number[]) => {
  const real = values.filter((v) => !Number.isNaN(v))
  return real.length === 0 ? undefined : [Math.min(...real), Math.max(...real)]
}

test('the extent of every range is that of a scan, whatever was appended and cut off', () => {
  const value = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: -1000, max: 1000 }) }, fc.constant(NaN))
  const chunk = fc.array(value, { maxLength: 2500 })
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 4 }), fc.nat(), fc.nat(), fc.nat(), chunk, (chunks, cut, a, b, more) => {
      const column = new Column()
      let all: number[] = []
      for (const values of chunks) {
        column.append(values)
        all.push(...values)
      }
      const length = cut % (all.length + 1)
      column.truncate(length)
      column.append(more)
      all = [...all.slice(0, length), ...more]
      const [from, to] = [a % (all.length + 1), b % (all.length + 1)].sort((x, y) => x - y) as [number, number]
      expect(column.length).toBe(all.length)
      expect(column.extent(from, to)).toEqual(extentOf(all.slice(from, to)))
      expect(column.extent(0, all.length)).toEqual(extentOf(all))
    }),
    { numRuns: 60 },
  )
})

test('one value in a million is found', () => {
  const column = new Column()
  const values = new Float64Array(1_000_000)
  values[777_777] = 5
  column.append(values)
  expect(column.extent(0, 1_000_000)).toEqual([0, 5])
  expect(column.extent(777_778, 1_000_000)).toEqual([0, 0])
  expect(column.extent(777_777, 777_778)).toEqual([5, 5])
})

test('lowerBound', () => {
  expect([0, 1, 2, 3, 4].map((x) => lowerBound([1, 1, 3], x))).toEqual([0, 0, 2, 2, 3])
})
