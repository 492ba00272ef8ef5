import {
  firstColumns,
  inverseFactor,
  matrixOf,
  multiply,
  symmetricEigen,
  transpose,
  zeros,
  type Matrix,
} from './matrix.ts'
import { taps, type ConvWeight } from './piece.ts'
import { byOutput } from './tucker.ts'

/*
 * Factors that keep what a layer puts out on data, not its weight: the least of E‖(W − Ŵ)x‖² over the patches x that the
 * kernel is laid on, of which only the second moments H = E[xxᵀ] are needed (a sum over all samples). Factors next to the
 * input stay as the weight alone gave them; those next to the output are solved for.
 */

/** √(tr(ΔHΔᵀ) / tr(WHWᵀ)): what of the outputs is lost. */
export function lostOutput(whole: Matrix, approximation: Matrix, h: Matrix): number {
  const difference = matrixOf(
    whole.rows,
    whole.columns,
    whole.data.map((v, i) => v - (approximation.data[i] as number)),
  )
  const total = energyIn(whole, h)
  return total === 0 ? 0 : Math.sqrt(Math.max(0, energyIn(difference, h) / total))
}

/** tr(A·H·Aᵀ). */
function energyIn(a: Matrix, h: Matrix): number {
  const image = multiply(a, h)
  return a.data.reduce((sum, v, i) => sum + v * (image.data[i] as number), 0)
}

/** Share of the mean diagonal that is added to it: inputs that are never seen leave their coefficients undecided. */
const RIDGE = 1e-6

/**
 * The coefficients A `[out, R]` of least E‖(W − A·B)x‖² for given rows B `[R, in·taps]`: W·H·Bᵀ·(B·H·Bᵀ)⁻¹. Undefined
 * where rows are so alike on the data that they can't be told apart.
 */
export function leastOutputError(whole: Matrix, basis: Matrix, h: Matrix): Matrix | undefined {
  const seen = multiply(basis, h)
  const inverse = inverseFactor(withRidge(multiply(seen, transpose(basis))))
  if (!inverse) return undefined
  // (B·H·Bᵀ)⁻¹ = L⁻ᵀ·L⁻¹, and H is symmetric.
  return multiply(multiply(multiply(whole, transpose(seen)), transpose(inverse)), inverse)
}

function withRidge(a: Matrix): Matrix {
  const n = a.rows
  let mean = 0
  for (let i = 0; i < n; i++) mean += (a.data[i * n + i] as number) / n
  const data = a.data.slice()
  for (let i = 0; i < n; i++) data[i * n + i] = (data[i * n + i] as number) + RIDGE * mean
  return matrixOf(n, n, data)
}

/**
 * Output basis and core of a Tucker-2 for a given input basis `[in, R_in]`: the regression of the outputs on the projected
 * patches, then its best approximation of rank R_out (reduced-rank regression, Izenman 1975).
 */
export function tuckerOnData(
  w: ConvWeight,
  input: Matrix,
  rankOut: number,
  h: Matrix,
): { readonly output: Matrix; readonly core: Float64Array; readonly error: number } | undefined {
  const [whole, basis] = [byOutput(w), projections(input, taps(w))]
  const all = leastOutputError(whole, basis, h)
  if (!all) return undefined
  const gram = multiply(multiply(basis, h), transpose(basis))
  const output = firstColumns(symmetricEigen(multiply(multiply(all, gram), transpose(all))).vectors, rankOut)
  const core = multiply(transpose(output), all)
  return { output, core: core.data, error: lostOutput(whole, multiply(output, multiply(core, basis)), h) }
}

/** Rows `[R_in·taps, in·taps]` that project every tap's channels on a basis `[in, R_in]`. */
function projections({ rows: inputs, columns: rank, data }: Matrix, k: number): Matrix {
  const out = zeros(rank * k, inputs * k)
  for (let r = 0; r < rank; r++) {
    for (let s = 0; s < inputs; s++) {
      for (let tap = 0; tap < k; tap++)
        out.data[(r * k + tap) * inputs * k + s * k + tap] = data[s * rank + r] as number
    }
  }
  return out
}

/** Rows `[R, in·kh·kw]` of the components of a CP decomposition. */
export function componentsOf(input: Matrix, rows: Matrix, columns: Matrix): Matrix {
  const rank = input.columns
  const [kh, kw] = [rows.rows, columns.rows]
  const out = zeros(rank, input.rows * kh * kw)
  for (let r = 0; r < rank; r++) {
    for (let s = 0; s < input.rows; s++) {
      for (let y = 0; y < kh; y++) {
        for (let x = 0; x < kw; x++) {
          out.data[r * out.columns + (s * kh + y) * kw + x] =
            (input.data[s * rank + r] as number) *
            (rows.data[y * rank + r] as number) *
            (columns.data[x * rank + r] as number)
        }
      }
    }
  }
  return out
}

/** Rows `[R·kw, in·kh·kw]`: a column of filters `[in·kh, R]` at each place of the row that follows it. */
export function columnsOfFilters(left: Matrix, kw: number): Matrix {
  const { rows, columns: rank } = left
  const out = zeros(rank * kw, rows * kw)
  for (let r = 0; r < rank; r++) {
    for (let i = 0; i < rows; i++) {
      for (let x = 0; x < kw; x++) out.data[(r * kw + x) * rows * kw + i * kw + x] = left.data[i * rank + r] as number
    }
  }
  return out
}
