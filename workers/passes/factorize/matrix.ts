import { products } from './gemm.ts'
import { EigenvalueDecomposition, Matrix as MlMatrix } from 'ml-matrix'

/** A dense matrix, row-major, float64. */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array
}

export const matrixOf = (rows: number, columns: number, data: ArrayLike<number>): Matrix => ({
  rows,
  columns,
  data: data instanceof Float64Array ? data : Float64Array.from(data),
})

export const zeros = (rows: number, columns: number): Matrix =>
  matrixOf(rows, columns, new Float64Array(rows * columns))

export function transpose({ rows, columns, data }: Matrix): Matrix {
  const out = new Float64Array(data.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j] as number
  return matrixOf(columns, rows, out)
}

/** The first columns. */
export function firstColumns({ rows, columns, data }: Matrix, count: number): Matrix {
  const out = new Float64Array(rows * count)
  for (let i = 0; i < rows; i++) out.set(data.subarray(i * columns, i * columns + count), i * count)
  return matrixOf(rows, count, out)
}

/** A·B. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  const left = { data: a.data, lines: a.rows, line: a.columns, term: 1 }
  const right = { data: b.data, lines: b.columns, line: 1, term: b.columns }
  return matrixOf(a.rows, b.columns, products(left, right, a.columns))
}

/** Bands of rows that a Gram matrix is made in: what is above the diagonal is copied from below it. */
const BAND = 128

/** A·Aᵀ. */
export function gram(a: Matrix): Matrix {
  const n = a.rows
  const out = new Float64Array(n * n)
  const band = (from: number, lines: number) => ({
    data: a.data.subarray(from * a.columns),
    lines,
    line: a.columns,
    term: 1,
  })
  for (let from = 0; from < n; from += BAND) {
    const [lines, before] = [Math.min(BAND, n - from), Math.min(from + BAND, n)]
    const part = products(band(from, lines), band(0, before), a.columns)
    for (let i = 0; i < lines; i++) {
      for (let j = 0; j < before; j++) {
        const value = part[i * before + j] as number
        out[(from + i) * n + j] = value
        out[j * n + from + i] = value
      }
    }
  }
  return matrixOf(n, n, out)
}

/** Σ of squares. */
export const energy = ({ data }: { readonly data: Float64Array }): number => data.reduce((sum, v) => sum + v * v, 0)

export interface Eigen {
  /** Descending. */
  readonly values: Float64Array
  /** Orthonormal eigenvectors as columns, in that order. */
  readonly vectors: Matrix
}

/** Eigenvalues and eigenvectors of a symmetric matrix. */
export function symmetricEigen(a: Matrix): Eigen {
  const n = a.rows
  const rows = Array.from({ length: n }, (_, i) => Array.from(a.data.subarray(i * n, (i + 1) * n)))
  const decomposed = new EigenvalueDecomposition(new MlMatrix(rows), { assumeSymmetric: true })
  const ascending = decomposed.realEigenvalues
  const from = decomposed.eigenvectorMatrix
  const vectors = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    const row = from.getRow(i)
    for (let j = 0; j < n; j++) vectors[i * n + j] = row[n - 1 - j] as number
  }
  return {
    values: Float64Array.from({ length: n }, (_, i) => ascending[n - 1 - i] as number),
    vectors: matrixOf(n, n, vectors),
  }
}

/** Makes columns orthonormal, in order: by Cholesky where they are far from dependent, else by projections. */
export const orthonormal = (a: Matrix): Matrix => byCholesky(a) ?? byProjections(a)

/** Pivots below this share of the largest mean columns that are nearly dependent. */
const DEPENDENT = 1e-10

/**
 * Q = A·L⁻ᵀ with A ᵀA = L·Lᵀ, twice, so that what the first time left is gone (Yamamoto, Nakatsukasa, Yanagisawa &
 * Fukaya 2015, "Roundoff error analysis of the CholeskyQR2 algorithm"): nearly all of it products of matrices.
 */
function byCholesky(a: Matrix): Matrix | undefined {
  let q = a
  for (let pass = 0; pass < 2; pass++) {
    const inverse = inverseFactor(gram(transpose(q)))
    if (!inverse) return undefined
    q = multiply(q, transpose(inverse))
  }
  return q
}

/** L⁻¹ of a symmetric positive definite matrix L·Lᵀ; undefined when it is nearly singular. */
export function inverseFactor(g: Matrix): Matrix | undefined {
  const n = g.rows
  const l = Float64Array.from(g.data)
  const inverse = new Float64Array(n * n)
  let largest = 0
  for (let i = 0; i < n; i++) largest = Math.max(largest, l[i * n + i] as number)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = l[i * n + j] as number
      for (let k = 0; k < j; k++) rest -= (l[i * n + k] as number) * (l[j * n + k] as number)
      if (i !== j) l[i * n + j] = rest / (l[j * n + j] as number)
      else if (rest > DEPENDENT * largest) l[i * n + i] = Math.sqrt(rest)
      else return undefined
    }
    const pivot = l[i * n + i] as number
    inverse[i * n + i] = 1 / pivot
    for (let k = 0; k < i; k++) {
      const factor = (l[i * n + k] as number) / pivot
      for (let j = 0; j <= k; j++) {
        inverse[i * n + j] = (inverse[i * n + j] as number) - factor * (inverse[k * n + j] as number)
      }
    }
  }
  return matrixOf(n, n, inverse)
}

/** Modified Gram–Schmidt, twice (Giraud, Langou & Rozložník 2005). */
function byProjections(a: Matrix): Matrix {
  // Columns as rows: contiguous in memory.
  const t = transpose(a)
  const [count, length, data] = [t.rows, t.columns, t.data]
  for (let i = 0; i < count; i++) {
    const own = data.subarray(i * length, (i + 1) * length)
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) subtractProjection(own, data.subarray(j * length, (j + 1) * length))
    }
    const norm = Math.sqrt(own.reduce((sum, v) => sum + v * v, 0))
    if (norm > 0) for (let k = 0; k < length; k++) own[k] = (own[k] as number) / norm
  }
  return transpose(t)
}

function subtractProjection(own: Float64Array, other: Float64Array): void {
  let dot = 0
  for (let k = 0; k < own.length; k++) dot += (own[k] as number) * (other[k] as number)
  for (let k = 0; k < own.length; k++) own[k] = (own[k] as number) - dot * (other[k] as number)
}
