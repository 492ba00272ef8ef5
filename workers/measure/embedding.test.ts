import { expect, test } from 'vitest'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { embed, joint, principal } from './embedding.ts'

const DIMS = 10
/** Clouds around corners that are far from each other. */
function clouds(each: number, count: number): { readonly points: Float64Array; readonly of: readonly number[] } {
  const random = mulberry32(3)
  const of = Array.from({ length: each * count }, (_, i) => i % count)
  const points = Float64Array.from(
    of.flatMap((cloud) => Array.from({ length: DIMS }, (_, d) => (d === cloud ? 8 : 0) + gaussian(random))),
  )
  return { points, of }
}

const distance = (plane: Float64Array, i: number, j: number): number =>
  Math.hypot((plane[2 * i] ?? 0) - (plane[2 * j] ?? 0), (plane[2 * i + 1] ?? 0) - (plane[2 * j + 1] ?? 0))

test('neighbours in ten dimensions are neighbours in the plane', () => {
  const { points, of } = clouds(30, 4)
  const plane = embed(points, DIMS)
  expect(plane.every(Number.isFinite)).toBe(true)
  for (let i = 0; i < of.length; i++) {
    const others = of.map((_, j) => j).filter((j) => j !== i)
    const nearest = others.toSorted((a, b) => distance(plane, i, a) - distance(plane, i, b)).slice(0, 5)
    expect(nearest.map((j) => of[j])).toEqual(Array<number>(5).fill(of[i] ?? -1))
  }
  expect(embed(points, DIMS)).toEqual(plane)
})

test('principal components are the directions of most variance, uncorrelated', () => {
  const random = mulberry32(5)
  const n = 400
  // Variances 9, 4 and 1 along axes that are turned by 30 degrees in the first plane.
  const [c, s] = [Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)]
  const points = new Float64Array(3 * n)
  for (let i = 0; i < n; i++) {
    const [a, b, rest] = [3 * gaussian(random), 2 * gaussian(random), gaussian(random)]
    points.set([c * a - s * b, s * a + c * b, rest], 3 * i)
  }
  const plane = principal(points, 3)
  const moment = (p: 0 | 1, q: 0 | 1) =>
    Array.from({ length: n }, (_, i) => (plane[2 * i + p] ?? 0) * (plane[2 * i + q] ?? 0)).reduce((x, y) => x + y) / n
  expect(moment(0, 0)).toBeGreaterThan(7)
  expect(moment(0, 0)).toBeLessThan(11)
  expect(moment(1, 1)).toBeGreaterThan(3.3)
  expect(moment(1, 1)).toBeLessThan(4.7)
  expect(Math.abs(moment(0, 1))).toBeLessThan(0.02)
})

test('affinities are symmetric, add up to one, and have the perplexity that was asked for', () => {
  const n = 40
  // Points on a circle are all alike, so each row has the entropy of the whole less that of the choice of the row.
  const distances = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) distances[i * n + j] = (2 * Math.sin((Math.PI * (i - j)) / n)) ** 2
  }
  const affinities = joint(distances, n, 8)
  expect(affinities.reduce((a, b) => a + b)).toBeCloseTo(1, 6)
  const row = [...affinities.subarray(0, n)].map((p) => p * n)
  const entropy = row.reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0)
  expect(Math.exp(entropy)).toBeCloseTo(8, 2)
  expect(affinities[1]).toBe(affinities[n])
})

test('few points stay where their components are, and rows must be whole', () => {
  expect(embed(Float64Array.of(1, 0, -1, 0), 2)).toEqual(Float64Array.of(1, 0, -1, 0))
  expect(() => embed(new Float64Array(7), 2)).toThrow('7 values are no rows of 2')
})
