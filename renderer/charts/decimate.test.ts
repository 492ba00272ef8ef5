import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Column } from './column.ts'
import { decimate, pixelEdges, type Line } from './decimate.ts'

const lineOf = (xs: ArrayLike<number>, ys: ArrayLike<number>): Line => {
  const line = { x: new Column(), y: new Column() }
  line.x.append(xs)
  line.y.append(ys)
  return line
}

const numbers = (row: readonly (number | null | undefined)[] | undefined) =>
  (row ?? []).filter((v): v is number => typeof v === 'number')

test('every pixel column keeps its least and greatest value, with linear and logarithmic x', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -500, max: 500 }), { minLength: 50, maxLength: 2000 }),
      fc.integer({ min: 3, max: 20 }),
      fc.boolean(),
      (ys, pixels, logarithmic) => {
        const line = lineOf(
          ys.map((_, i) => i + 1),
          ys,
        )
        const edges = pixelEdges({ min: 1, max: ys.length }, pixels, logarithmic)
        const [xs, row] = decimate([line], edges)
        expect(xs.length).toBe(row?.length)
        expect(xs.every((x, i) => i === 0 || x > (xs[i - 1] ?? -Infinity))).toBe(true)
        for (let p = 0; p < pixels; p++) {
          const [a, b] = [edges[p] ?? 0, edges[p + 1] ?? 0]
          const lastPixel = p === pixels - 1
          const inside = (x: number) => x >= a && (x < b || lastPixel)
          const wanted = ys.filter((_, i) => inside(i + 1))
          const drawn = numbers(row?.filter((_, i) => inside(xs[i] ?? 0)))
          if (wanted.length === 0) continue
          expect([Math.min(...drawn), Math.max(...drawn)]).toEqual([Math.min(...wanted), Math.max(...wanted)])
        }
      },
    ),
    { numRuns: 80 },
  )
})

test('few points are all kept, also of lines with different x; outside neighbours carry the line to the edge', () => {
  const train = lineOf([1, 2, 3, 4, 5, 6], [10, 20, 30, 40, 50, 60])
  const evaluation = lineOf([2.5, 5], [0.5, 0.9])
  expect(decimate([train, evaluation], pixelEdges({ min: 2, max: 4 }, 100, false))).toEqual([
    [1, 2, 2.5, 3, 4, 5],
    [10, 20, undefined, 30, 40, 50],
    [undefined, undefined, 0.5, undefined, undefined, 0.9],
  ])
})

test('NaN breaks a line; a pixel of nothing but NaN does too', () => {
  const ys = Array.from({ length: 100 }, (_, i) => (i >= 40 && i < 60 ? NaN : i))
  const line = lineOf(
    ys.map((_, i) => i),
    ys,
  )
  const [, row] = decimate([line], pixelEdges({ min: 0, max: 99 }, 10, false))
  expect(row?.filter((v) => v === null).length).toBeGreaterThanOrEqual(2)
  expect(decimate([lineOf([0, 1], [NaN, 2])], pixelEdges({ min: 0, max: 1 }, 10, false))[1]).toEqual([null, 2])
})

test('a spike among a million points is drawn in each of twenty lines', () => {
  const steps = Float64Array.from({ length: 1_000_000 }, (_, i) => i)
  const x = new Column()
  x.append(steps)
  const lines = Array.from({ length: 20 }, (_, k) => {
    const y = new Column()
    y.append(steps.map((i) => Math.sin(i / 1000 + k) + (i === 654_321 ? 100 : 0)))
    return { x, y }
  })
  const [, ...rows] = decimate(lines, pixelEdges({ min: 1000, max: 990_000 }, 1000, false))
  expect(rows.map((row) => Math.max(...numbers(row as number[])) > 99)).toEqual(Array(20).fill(true))
})
