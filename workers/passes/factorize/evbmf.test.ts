import { expect, test } from 'vitest'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { evbmf } from './evbmf.ts'
import { matrixOf, multiply, transpose } from './matrix.ts'
import { singularValues } from './svd.ts'

/** A·Bᵀ + σ·N, all of normal numbers from one stream: A `[L, r]`, B `[M, r]`, N `[L, M]`, row by row. */
function noisy(l: number, m: number, rank: number, sigma: number, seed: number) {
  const random = mulberry32(seed)
  const draw = (rows: number, columns: number) =>
    matrixOf(
      rows,
      columns,
      Float64Array.from({ length: rows * columns }, () => gaussian(random)),
    )
  const [a, b, n] = [draw(l, rank), draw(m, rank), draw(l, m)]
  const signal = multiply(a, transpose(b))
  return matrixOf(
    l,
    m,
    signal.data.map((v, i) => v + sigma * (n.data[i] as number)),
  )
}

test.each([
  { l: 32, m: 64, rank: 4, sigma: 0.1, seed: 1, variance: 0.010139, threshold: 1.519553 },
  { l: 64, m: 32, rank: 4, sigma: 0.1, seed: 2, variance: 0.009494 },
  { l: 64, m: 576, rank: 10, sigma: 1, seed: 3, variance: 1.011691 },
])('finds rank $rank in $l×$m with noise of $sigma', ({ l, m, rank, sigma, seed, variance, threshold }) => {
  const found = evbmf(singularValues(noisy(l, m, rank, sigma, seed)), l, m)
  expect(found.rank).toBe(rank)
  expect(found.variance).toBeCloseTo(variance, 5)
  if (threshold !== undefined) expect(found.threshold).toBeCloseTo(threshold, 4)
  expect(found.values).toHaveLength(rank)
})

test('finds nothing in noise alone', () => {
  expect(evbmf(singularValues(noisy(64, 576, 0, 1, 4)), 64, 576).rank).toBe(0)
})

test('finds nothing in zeros', () => {
  expect(evbmf(new Float64Array(8), 8, 9).rank).toBe(0)
})

test('shrinks the singular values, and knows a variance that it is told', () => {
  const matrix = noisy(32, 64, 4, 0.1, 1)
  const sigma = singularValues(matrix)
  const told = evbmf(sigma, 32, 64, 0.01)
  expect(told.variance).toBe(0.01)
  expect(told.rank).toBe(4)
  told.values.forEach((value, i) => {
    expect(value).toBeLessThan(sigma[i] as number)
    expect(value).toBeGreaterThan(0.9 * (sigma[i] as number))
  })
})
