import { fillGaussian, mulberry32 } from '../../graph/random.ts'
import { energy, firstColumns, gram, matrixOf, multiply, symmetricEigen, transpose, type Matrix } from './matrix.ts'
import { inner, orthonormalColumns, outer } from './single.ts'

/** A ≈ U·diag(σ)·Vᵀ of some rank: columns of U `[m, R]` and V `[n, R]` orthonormal, σ descending. */
export interface Svd {
  readonly u: Matrix
  readonly sigma: Float64Array
  readonly v: Matrix
}

/** Singular values and left singular vectors, from the eigen-decomposition of the Gram matrix A·Aᵀ. */
export interface Left {
  readonly u: Matrix
  readonly sigma: Float64Array
}

export function leftSingular(a: Matrix): Left {
  const { values, vectors } = symmetricEigen(gram(a))
  return { u: vectors, sigma: values.map((v) => Math.sqrt(Math.max(0, v))) }
}

/** All singular values, descending; through the smaller of the two Gram matrices. */
export const singularValues = (a: Matrix): Float64Array => leftSingular(a.rows <= a.columns ? a : transpose(a)).sigma

/**
 * The best approximation of rank R in the Frobenius norm (Eckart & Young 1936); its error is √Σ_{i>R} σ_i². Works on
 * the Gram matrix of the shorter side, never on the long one. A direction whose σ is lost in rounding (below
 * 1e-10·σ₁) becomes zero.
 */
export function truncatedSvd(a: Matrix, rank: number): Svd {
  if (a.rows > a.columns) {
    const { u, sigma, v } = truncatedSvd(transpose(a), rank)
    return { u: v, sigma, v: u }
  }
  if (a.rows >= LARGE && rank <= a.rows / 4) return rangeSvd(a, rank)
  const { u: all, sigma: every } = leftSingular(a)
  const u = firstColumns(all, rank)
  const sigma = every.slice(0, rank)
  // A ≈ U·(Uᵀ·A): V is Uᵀ·A, each row divided by its σ.
  const projected = multiply(transpose(u), a)
  const least = 1e-10 * (every[0] ?? 0)
  const rows = projected.data.slice()
  for (let r = 0; r < rank; r++) {
    const s = sigma[r] as number
    for (let j = 0; j < a.columns; j++) {
      rows[r * a.columns + j] = s > least ? (rows[r * a.columns + j] as number) / s : 0
    }
  }
  return { u, sigma, v: transpose(matrixOf(rank, a.columns, rows)) }
}

/** From this shorter side on, and up to a quarter of it as rank, the decomposition is found from random combinations. */
const LARGE = 768
const OVERSAMPLING = 10
const POWERS = 2

/**
 * The leading part by a randomized range finder with power iterations (Halko, Martinsson & Tropp 2011,
 * arXiv:0909.4061, algorithms 4.4 and 5.1), in float32: a fully connected layer of thousands by thousands takes seconds,
 * where all eigenvectors of its Gram matrix take many minutes. Of a spectrum that hardly falls the error is about a per
 * cent above the least.
 */
export function rangeSvd(a: Matrix, rank: number): Svd {
  const size = Math.min(rank + OVERSAMPLING, a.rows)
  const data = new Float32Array(a.data)
  const start = new Float32Array(a.columns * size)
  fillGaussian(start, mulberry32(42))
  let range = orthonormalColumns(outer(data, start, a.columns), a.rows)
  for (let i = 0; i < POWERS; i++) {
    const back = orthonormalColumns(inner(data, range, a.rows), a.columns)
    range = orthonormalColumns(outer(data, back, a.columns), a.rows)
  }
  // Aᵀ·Q = V·Σ·Eᵀ: its small Gram matrix has the same σ, and E turns Q into U.
  const projected = matrixOf(a.columns, size, new Float64Array(inner(data, range, a.rows)))
  const { values, vectors } = symmetricEigen(gram(transpose(projected)))
  const turn = firstColumns(vectors, rank)
  const sigma = values.slice(0, rank).map((v) => Math.sqrt(Math.max(0, v)))
  const u = multiply(matrixOf(a.rows, size, new Float64Array(range)), turn)
  const v = multiply(projected, turn)
  const least = 1e-6 * (sigma[0] ?? 0)
  for (let i = 0; i < v.data.length; i++) {
    const s = sigma[i % rank] as number
    v.data[i] = s > least ? (v.data[i] as number) / s : 0
  }
  return { u, sigma, v }
}

/** U·√Σ and √Σ·Vᵀ: two factors of equal norms. */
export function balancedFactors({ u, sigma, v }: Svd): { left: Matrix; right: Matrix } {
  const scale = (m: Matrix) =>
    matrixOf(
      m.rows,
      m.columns,
      m.data.map((x, i) => x * Math.sqrt(sigma[i % m.columns] as number)),
    )
  return { left: scale(u), right: transpose(scale(v)) }
}

/** ‖A − B‖ / ‖A‖ in the Frobenius norm. */
export function relativeError(a: { readonly data: Float64Array }, b: { readonly data: Float64Array }): number {
  const difference = a.data.map((v, i) => v - (b.data[i] as number))
  const whole = energy(a)
  return whole === 0 ? 0 : Math.sqrt(energy({ data: difference }) / whole)
}
