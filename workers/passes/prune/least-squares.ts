import { AlambicError } from '../../protocol/errors.ts'

/**
 * Sums of XᵀX and XᵀR over rows, in float64, and the ridge solution of them: the change of weights that brings a
 * layer's outputs closest to what they were (He et al. 2017, Channel Pruning, arXiv:1707.06168, eq. 3, linear part).
 */
export class LeastSquares {
  readonly #inputs: number
  readonly #outputs: number
  /** Lower triangle of XᵀX, row-major with all columns. */
  readonly #gram: Float64Array
  readonly #right: Float64Array
  #rows = 0

  constructor(inputs: number, outputs: number) {
    this.#inputs = inputs
    this.#outputs = outputs
    this.#gram = new Float64Array(inputs * inputs)
    this.#right = new Float64Array(inputs * outputs)
  }

  /** One row of inputs, and what its outputs lack. */
  add(x: Float64Array, residual: Float64Array): void {
    const n = this.#inputs
    this.#rows++
    for (let i = 0; i < n; i++) {
      const xi = x[i] as number
      if (xi === 0) continue
      for (let j = 0, at = i * n; j <= i; j++, at++) this.#gram[at] = (this.#gram[at] as number) + xi * (x[j] as number)
      for (let k = 0, at = i * this.#outputs; k < this.#outputs; k++, at++) {
        this.#right[at] = (this.#right[at] as number) + xi * (residual[k] as number)
      }
    }
  }

  /** Δ `[inputs, outputs]` of (XᵀX + λI)Δ = XᵀR, λ as a share of the mean diagonal. */
  solve(ridge: number): Float64Array {
    const n = this.#inputs
    const factor = this.#gram.slice()
    let trace = 0
    for (let i = 0; i < n; i++) trace += factor[i * n + i] as number
    const lambda = Math.max(ridge * (trace / n), 1e-12)
    for (let i = 0; i < n; i++) factor[i * n + i] = (factor[i * n + i] as number) + lambda
    cholesky(factor, n)
    return substitute(factor, n, this.#right.slice(), this.#outputs)
  }

  get rows(): number {
    return this.#rows
  }
}

/** L with LLᵀ = A in the lower triangle, in place (Golub & Van Loan, Matrix Computations, alg. 4.2.1). */
function cholesky(a: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j] as number
      for (let k = 0; k < j; k++) sum -= (a[i * n + k] as number) * (a[j * n + k] as number)
      if (i !== j) a[i * n + j] = sum / (a[j * n + j] as number)
      else if (sum > 0) a[i * n + i] = Math.sqrt(sum)
      else throw new AlambicError('prune.singular', 'the activations of a layer do not determine its weights')
    }
  }
}

/** Solves LLᵀX = B for all columns of B `[n, columns]`, in place. */
function substitute(l: Float64Array, n: number, b: Float64Array, columns: number): Float64Array {
  const subtract = (i: number, k: number, factor: number) => {
    for (let c = 0; c < columns; c++) {
      b[i * columns + c] = (b[i * columns + c] as number) - factor * (b[k * columns + c] as number)
    }
  }
  const divide = (i: number) => {
    for (let c = 0; c < columns; c++) b[i * columns + c] = (b[i * columns + c] as number) / (l[i * n + i] as number)
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) subtract(i, k, l[i * n + k] as number)
    divide(i)
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) subtract(i, k, l[k * n + i] as number)
    divide(i)
  }
  return b
}
