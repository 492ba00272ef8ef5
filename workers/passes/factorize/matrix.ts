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

/** A·B. Four rows of B at a time, so that each element of the result is touched a quarter as often. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  const [m, n, p] = [a.rows, a.columns, b.columns]
  const [x, y, out] = [a.data, b.data, new Float64Array(m * p)]
  for (let i = 0; i < m; i++) {
    const to = i * p
    let k = 0
    for (; k + 4 <= n; k += 4) {
      const at = i * n + k
      const [x0, x1, x2, x3] = [x[at] as number, x[at + 1] as number, x[at + 2] as number, x[at + 3] as number]
      const [r0, r1, r2, r3] = [k * p, (k + 1) * p, (k + 2) * p, (k + 3) * p]
      for (let j = 0; j < p; j++) {
        out[to + j] =
          (out[to + j] as number) +
          x0 * (y[r0 + j] as number) +
          x1 * (y[r1 + j] as number) +
          x2 * (y[r2 + j] as number) +
          x3 * (y[r3 + j] as number)
      }
    }
    for (; k < n; k++) {
      const xk = x[i * n + k] as number
      for (let j = 0; j < p; j++) out[to + j] = (out[to + j] as number) + xk * (y[k * p + j] as number)
    }
  }
  return matrixOf(m, p, out)
}

/** A·Aᵀ, which is symmetric: half of the products, two by two. */
export function gram(a: Matrix): Matrix {
  const [m, n, x] = [a.rows, a.columns, a.data]
  const out = new Float64Array(m * m)
  const put = (i: number, j: number, value: number) => {
    if (i >= m || j >= m) return
    out[i * m + j] = value
    out[j * m + i] = value
  }
  for (let i = 0; i < m; i += 2) {
    const [i0, i1] = [i * n, Math.min(i + 1, m - 1) * n]
    for (let j = 0; j <= i; j += 2) {
      const [j0, j1] = [j * n, Math.min(j + 1, m - 1) * n]
      let [s00, s01, s10, s11] = [0, 0, 0, 0]
      for (let k = 0; k < n; k++) {
        const [u, v] = [x[i0 + k] as number, x[i1 + k] as number]
        const [w, z] = [x[j0 + k] as number, x[j1 + k] as number]
        s00 += u * w
        s01 += u * z
        s10 += v * w
        s11 += v * z
      }
      put(i, j, s00)
      put(i, j + 1, s01)
      put(i + 1, j, s10)
      put(i + 1, j + 1, s11)
    }
  }
  return matrixOf(m, m, out)
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

/** Makes columns orthonormal, in place order (modified Gram–Schmidt, twice: Giraud et al. 2005). */
export function orthonormal(a: Matrix): Matrix {
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
