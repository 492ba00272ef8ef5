import { products } from './gemm.ts'
import { matrixOf, orthonormal } from './matrix.ts'

/*
 * Dense matrices in float32, row-major, their sizes kept by the caller: twice as fast as float64, and as precise as the
 * weights are.
 */

/** Aᵀ·B of `[terms, m]` and `[terms, n]`. */
export const inner = (a: Float32Array, b: Float32Array, terms: number): Float32Array => {
  const [m, n] = [a.length / terms, b.length / terms]
  return products({ data: a, lines: m, line: 1, term: m }, { data: b, lines: n, line: 1, term: n }, terms)
}

/** A·B of `[m, terms]` and `[terms, n]`. */
export const outer = (a: Float32Array, b: Float32Array, terms: number): Float32Array => {
  const [m, n] = [a.length / terms, b.length / terms]
  return products({ data: a, lines: m, line: terms, term: 1 }, { data: b, lines: n, line: 1, term: n }, terms)
}

/** The columns of `[rows, n]` made orthonormal, in float64. */
export const orthonormalColumns = (a: Float32Array, rows: number): Float32Array =>
  new Float32Array(orthonormal(matrixOf(rows, a.length / rows, new Float64Array(a))).data)
