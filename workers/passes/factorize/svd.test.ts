import { SingularValueDecomposition, Matrix as MlMatrix } from 'ml-matrix'
import { expect, test } from 'vitest'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { energy, gram, matrixOf, multiply, orthonormal, symmetricEigen, transpose } from './matrix.ts'
import { balancedFactors, rangeSvd, relativeError, singularValues, truncatedSvd } from './svd.ts'

const random = mulberry32(42)
const normal = (rows: number, columns: number) =>
  matrixOf(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => gaussian(random)),
  )

test('products agree with the plain definition for odd and even sizes', () => {
  for (const [m, n, p] of [
    [1, 1, 1],
    [3, 5, 2],
    [4, 8, 6],
    [7, 9, 11],
    [13, 1030, 6],
  ] as const) {
    const [a, b] = [normal(m, n), normal(n, p)]
    const c = multiply(a, b)
    const g = gram(a)
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < p; j++) {
        let sum = 0
        for (let k = 0; k < n; k++) sum += (a.data[i * n + k] as number) * (b.data[k * p + j] as number)
        expect(c.data[i * p + j]).toBeCloseTo(sum, 10)
      }
    }
    expect(relativeError(multiply(a, transpose(a)), g)).toBeLessThan(1e-14)
  }
})

test('eigenvectors are orthonormal and give the matrix back', () => {
  const a = gram(normal(20, 30))
  const { values, vectors } = symmetricEigen(a)
  const scaled = matrixOf(
    20,
    20,
    vectors.data.map((v, i) => v * (values[i % 20] as number)),
  )
  expect(relativeError(a, multiply(scaled, transpose(vectors)))).toBeLessThan(1e-12)
  expect([...values]).toEqual([...values].toSorted((x, y) => y - x))
})

test.each([
  [40, 25],
  [25, 40],
  [30, 30],
])('%i×%i: the error of rank R is √Σ σ² of what is cut, to 1e-6 (Eckart & Young)', (m, n) => {
  const a = normal(m, n)
  const exact = new SingularValueDecomposition(
    new MlMatrix(Array.from({ length: m }, (_, i) => [...a.data.subarray(i * n, (i + 1) * n)])),
  ).diagonal
  singularValues(a).forEach((s, i) => expect(s).toBeCloseTo(exact[i] as number, 8))
  for (const rank of [1, 5, 20, 25]) {
    const { left, right } = balancedFactors(truncatedSvd(a, rank))
    const cut = Math.sqrt(exact.slice(rank).reduce((sum, s) => sum + s * s, 0) / energy(a))
    expect(relativeError(a, multiply(left, right))).toBeCloseTo(cut, 6)
    expect(Math.abs(energy(left) - energy(right))).toBeLessThan(1e-8 * energy(left))
  }
})

test.each([1, 1e-9])('columns become orthonormal, at a distance of %f from dependence', (distance) => {
  const a = normal(50, 8)
  for (let i = 0; i < 50; i++) a.data[i * 8 + 7] = (a.data[i * 8] as number) + distance * (a.data[i * 8 + 7] as number)
  const q = orthonormal(a)
  const identity = gram(transpose(q))
  identity.data.forEach((v, i) => expect(v).toBeCloseTo(i % 9 === 0 ? 1 : 0, 12))
})

test('the range finder comes within a per cent of the least error, with orthonormal factors', () => {
  const [rows, columns, rank] = [800, 820, 40]
  // A spectrum of 1/i: known because it is put together from it.
  const [left, right] = [orthonormal(normal(rows, 200)), orthonormal(normal(columns, 200))]
  const scaled = matrixOf(
    rows,
    200,
    left.data.map((v, i) => v / ((i % 200) + 1)),
  )
  const a = multiply(scaled, transpose(right))
  const { u, sigma, v } = rangeSvd(a, rank)
  sigma.forEach((s, i) => expect(Math.abs(s * (i + 1) - 1)).toBeLessThan(0.03))
  expect(sigma[0]).toBeCloseTo(1, 5)
  const back = multiply(
    matrixOf(
      rows,
      rank,
      u.data.map((x, i) => x * (sigma[i % rank] as number)),
    ),
    transpose(v),
  )
  const error = Math.sqrt(a.data.reduce((sum, x, i) => sum + (x - (back.data[i] as number)) ** 2, 0))
  const least = Math.sqrt(Array.from({ length: 160 }, (_, i) => 1 / (i + 41) ** 2).reduce((x, y) => x + y))
  expect(error).toBeLessThan(1.01 * least)
  expect(error).toBeGreaterThan(0.999 * least)
  const identity = gram(transpose(u))
  identity.data.forEach((x, i) => expect(x).toBeCloseTo(i % (rank + 1) === 0 ? 1 : 0, 4))
})
