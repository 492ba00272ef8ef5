import { SingularValueDecomposition, Matrix as MlMatrix } from 'ml-matrix'
import { expect, test } from 'vitest'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { energy, gram, matrixOf, multiply, orthonormal, symmetricEigen, transpose } from './matrix.ts'
import { balancedFactors, relativeError, singularValues, truncatedSvd } from './svd.ts'

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
