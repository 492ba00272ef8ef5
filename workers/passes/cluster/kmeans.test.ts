import fc from 'fast-check'
import { expect, test } from 'vitest'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { initializations, kMeans } from './kmeans.ts'

test('the example of Deep Compression, figure 3: four centroids of a 4×4 matrix', () => {
  const weights = [2.09, -0.98, 1.48, 0.09, 0.05, -0.14, -1.08, 2.12, -0.91, 1.92, 0, -1.03, 1.87, 0, 1.53, 1.49]
  const { centroids, assignments } = kMeans(weights, 4)
  expect([...centroids].map((c) => Number(c.toFixed(9)))).toEqual([-1, 0, 1.5, 2])
  expect([...assignments]).toEqual([3, 0, 2, 1, 1, 1, 0, 3, 0, 3, 1, 0, 3, 1, 2, 2])
})

/** Lloyd's algorithm as it is usually written, all distances computed. */
function plain(values: readonly number[], start: Float64Array): number[] {
  let centroids = [...start]
  for (let i = 0; i < 300; i++) {
    const nearest = values.map((v) =>
      centroids.reduce((best, c, k) => (Math.abs(v - c) < Math.abs(v - (centroids[best] ?? 0)) ? k : best), 0),
    )
    const next = centroids.map((c, k) => {
      const own = values.filter((_, j) => nearest[j] === k)
      return own.length > 0 ? own.reduce((a, b) => a + b, 0) / own.length : c
    })
    if (next.every((c, k) => c === centroids[k])) break
    centroids = next
  }
  return centroids
}

test('the same centroids as with all distances computed', () => {
  const random = mulberry32(5)
  for (let round = 0; round < 30; round++) {
    const values = Array.from({ length: 50 + round * 5 }, () => gaussian(random))
    const k = 2 + (round % 9)
    const start = kMeans(values, k, { iterations: 0 }).centroids
    const { centroids } = kMeans(values, k)
    plain(values, start).forEach((expected, i) => expect(centroids[i]).toBeCloseTo(expected, 9))
  }
})

test.each(initializations)('%s: no iteration makes it worse, every value goes to its nearest centroid', (init) => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer(),
      (values, k, seed) => {
        const first = kMeans(values, k, { init, seed, iterations: 0 })
        const last = kMeans(values, k, { init, seed })
        expect(last.inertia).toBeLessThanOrEqual(first.inertia + 1e-9)
        const direct = values.reduce((sum, v, i) => {
          const own = last.centroids[last.assignments[i] ?? 0] ?? NaN
          const nearest = Math.min(...last.centroids.map((c) => Math.abs(v - c)))
          expect(Math.abs(v - own)).toBeLessThanOrEqual(nearest + 1e-12)
          return sum + (v - own) ** 2
        }, 0)
        expect(last.inertia).toBeCloseTo(direct, 6)
      },
    ),
    { numRuns: 50 },
  )
})

test('an empty cluster keeps its centroid', () => {
  const { centroids } = kMeans([0, 0.1, 9.9, 10], 3)
  expect(centroids[1]).toBe(5)
})

test('k-means++ is closer than random centroids on separated groups', () => {
  const random = mulberry32(2)
  const values = Array.from({ length: 4000 }, (_, i) => (i % 16) * 10 + gaussian(random) * 0.1)
  const mean = (init: 'random' | 'k-means++') =>
    [1, 2, 3, 4, 5].reduce((sum, seed) => sum + kMeans(values, 16, { init, seed }).inertia, 0) / 5
  expect(mean('k-means++')).toBeLessThan(mean('random') / 2)
})

test('a million normal numbers: the 16 levels of Max 1960, table I, with a mean squared error of 0.009497', () => {
  const random = mulberry32(3)
  const values = Float32Array.from({ length: 1_000_000 }, () => gaussian(random))
  const { centroids, inertia } = kMeans(values, 16, { iterations: 2000 })
  expect(inertia / values.length).toBeCloseTo(0.009497, 4)
  expect(centroids[15]).toBeCloseTo(2.733, 1)
  expect(centroids[8]).toBeCloseTo(0.128, 1)
})
