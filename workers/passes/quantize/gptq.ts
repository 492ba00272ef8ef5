import { AlambicError } from '../../protocol/errors.ts'
import {
  affineOf,
  codesOf,
  roundHalfEven,
  type Affine,
  type AffineOptions,
  type CodeRange,
  type QuantType,
} from './affine.ts'

/** A weight as the rows of its outputs: `values` is `[rows, columns]`, columns being what inputs multiply. */
export interface Rows {
  readonly rows: number
  readonly columns: number
  readonly values: Float64Array
}

export interface RowCodes {
  readonly codes: Int32Array
  /** One per row and block: `affines[row·blocks + block]`. */
  readonly affines: readonly Affine[]
}

export interface BlockOptions extends AffineOptions {
  readonly type: QuantType
  /** Columns that share a scale; the whole row when absent. */
  readonly block?: number | undefined
  /** Take the clip of a block with the least error, not its extremes. */
  readonly mse?: boolean
}

export interface GptqOptions extends BlockOptions {
  /** Share of the mean diagonal that is added to the diagonal; .01 unless told. */
  readonly damping?: number
  /** Quantize the columns with the largest diagonal first. */
  readonly actOrder?: boolean
  /** Scales to use instead of those found from the weight, one per row and block. */
  readonly affines?: readonly Affine[]
}

const GRID = 100
const MAX_SHRINK = 0.8
const NORM = 2.4

/** Scale and zero point of columns `from` to `to` of a row. */
export function blockAffine(
  { values, columns }: Rows,
  row: number,
  from: number,
  to: number,
  options: BlockOptions,
): Affine {
  const part = values.subarray(row * columns + from, row * columns + to)
  let [min, max] = [Infinity, -Infinity]
  for (const v of part) {
    if (v < min) min = v
    if (v > max) max = v
  }
  const widest = affineOf(min, max, options.type, options)
  if (options.mse !== true) return widest
  const codes = codesOf(options.type, options)
  let best = widest
  let least = Infinity
  for (let step = 0; step < GRID * MAX_SHRINK; step++) {
    const share = 1 - step / GRID
    const affine = affineOf(min * share, max * share, options.type, options)
    const error = part.reduce((sum, v) => sum + Math.abs(nearest(v, affine, codes) - v) ** NORM, 0)
    if (error < least) [least, best] = [error, affine]
  }
  return best
}

const codeOf = (v: number, { scale, zeroPoint }: Affine, [qmin, qmax]: CodeRange): number =>
  Math.min(qmax, Math.max(qmin, roundHalfEven(v / scale) + zeroPoint))

const nearest = (v: number, affine: Affine, codes: CodeRange): number =>
  affine.scale * (codeOf(v, affine, codes) - affine.zeroPoint)

const blocksOf = (columns: number, block: number | undefined) => Math.ceil(columns / (block ?? columns))

/** Scales of every block of every row. */
export function blockAffines(weight: Rows, options: BlockOptions): readonly Affine[] {
  const { rows, columns } = weight
  const size = options.block ?? columns
  const blocks = blocksOf(columns, options.block)
  return Array.from({ length: rows * blocks }, (_, i) => {
    const from = (i % blocks) * size
    return blockAffine(weight, Math.floor(i / blocks), from, Math.min(columns, from + size), options)
  })
}

/** Rounds every weight to its nearest code. */
export function roundToNearest(
  weight: Rows,
  options: BlockOptions,
  affines: readonly Affine[] = blockAffines(weight, options),
): RowCodes {
  const { rows, columns, values } = weight
  const size = options.block ?? columns
  const blocks = blocksOf(columns, options.block)
  const range = codesOf(options.type, options)
  const codes = new Int32Array(rows * columns)
  for (let i = 0; i < codes.length; i++) {
    const affine = affines[Math.floor(i / columns) * blocks + Math.floor((i % columns) / size)] as Affine
    codes[i] = codeOf(values[i] as number, affine, range)
  }
  return { codes, affines }
}

/**
 * Quantizes column by column and spreads each column's error over those that are still to come, as the curvature
 * H = (2/n)·Σxxᵀ of the layer's squared error tells: with U = chol(H⁻¹) upper, e = (w_i − q)/U_ii and
 * W[:, i:] −= e ⊗ U[i, i:] (Frantar et al. 2023, arXiv:2210.17323, algorithm 1). Inputs that are always zero take no
 * part. `hessian` is `[columns, columns]`; a diagonal one gives the same as rounding to nearest.
 *
 * @throws AlambicError `gptq.hessian` when the damped matrix is not positive definite
 */
export function gptq(weight: Rows, hessian: Float64Array, options: GptqOptions): RowCodes {
  const { rows, columns } = weight
  const order = columnOrder(hessian, columns, options.actOrder ?? false)
  const work = alive(weight, hessian)
  // Blocks belong to columns as they are stored, so with another order their scales must be known before.
  const given = options.affines ?? (options.actOrder ? blockAffines(work, options) : undefined)
  const upper = inverseFactor(permuted(damped(hessian, columns, options.damping ?? 0.01), order), columns)
  const range = codesOf(options.type, options)
  const size = options.block ?? columns
  const blocks = blocksOf(columns, options.block)
  const affines: Affine[] = given ? [...given] : Array<Affine>(rows * blocks)
  const codes = new Int32Array(rows * columns)
  for (let at = 0; at < columns; at++) {
    const column = order[at] as number
    const block = Math.floor(column / size)
    const diagonal = upper[at * columns + at] as number
    for (let row = 0; row < rows; row++) {
      if (!given && column % size === 0) {
        affines[row * blocks + block] = blockAffine(work, row, column, Math.min(columns, column + size), options)
      }
      const affine = affines[row * blocks + block] as Affine
      const base = row * columns
      const v = work.values[base + column] as number
      const code = codeOf(v, affine, range)
      codes[base + column] = code
      const error = (v - affine.scale * (code - affine.zeroPoint)) / diagonal
      if (error === 0) continue
      for (let next = at + 1; next < columns; next++) {
        const j = base + (order[next] as number)
        work.values[j] = (work.values[j] as number) - error * (upper[at * columns + next] as number)
      }
    }
  }
  return { codes, affines }
}

function columnOrder(hessian: Float64Array, n: number, byDiagonal: boolean): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i)
  const diagonal = (i: number) => hessian[i * n + i] as number
  return byDiagonal ? order.sort((a, b) => diagonal(b) - diagonal(a)) : order
}

/** A copy whose columns of dead inputs are zero. */
function alive({ rows, columns, values }: Rows, hessian: Float64Array): Rows {
  const copy = values.slice()
  for (let i = 0; i < columns; i++) {
    if (hessian[i * columns + i] !== 0) continue
    for (let row = 0; row < rows; row++) copy[row * columns + i] = 0
  }
  return { rows, columns, values: copy }
}

function damped(hessian: Float64Array, n: number, share: number): Float64Array {
  const copy = hessian.slice()
  for (let i = 0; i < n; i++) if (copy[i * n + i] === 0) copy[i * n + i] = 1
  let mean = 0
  for (let i = 0; i < n; i++) mean += (copy[i * n + i] as number) / n
  for (let i = 0; i < n; i++) copy[i * n + i] = (copy[i * n + i] as number) + share * mean
  return copy
}

function permuted(matrix: Float64Array, order: Int32Array): Float64Array {
  const n = order.length
  const out = new Float64Array(matrix.length)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) out[i * n + j] = matrix[(order[i] as number) * n + (order[j] as number)] as number
  }
  return out
}

/**
 * U upper triangular with H⁻¹ = UᵀU. A Cholesky factorization from the last row up gives H = R·Rᵀ with R upper
 * triangular, and U is R⁻¹: no inverse of H is formed.
 */
export function inverseFactor(h: Float64Array, n: number): Float64Array {
  const r = h.slice()
  for (let j = n - 1; j >= 0; j--) {
    let pivot = r[j * n + j] as number
    for (let k = j + 1; k < n; k++) pivot -= (r[j * n + k] as number) ** 2
    if (!(pivot > 0)) {
      throw new AlambicError('gptq.hessian', 'the inputs of a layer are too alike to quantize by their curvature', {
        expected: 'a positive definite matrix',
        found: `a pivot of ${pivot} at row ${j}`,
        fix: 'Use more samples, or a larger damping.',
      })
    }
    const root = Math.sqrt(pivot)
    r[j * n + j] = root
    for (let i = 0; i < j; i++) {
      let sum = r[i * n + j] as number
      for (let k = j + 1; k < n; k++) sum -= (r[i * n + k] as number) * (r[j * n + k] as number)
      r[i * n + j] = sum / root
    }
  }
  return upperInverse(r, n)
}

/** The inverse of an upper triangular matrix, row by row from the last. */
function upperInverse(r: Float64Array, n: number): Float64Array {
  const u = new Float64Array(n * n)
  for (let i = n - 1; i >= 0; i--) {
    const inverse = 1 / (r[i * n + i] as number)
    u[i * n + i] = inverse
    for (let k = i + 1; k < n; k++) {
      const factor = (r[i * n + k] as number) * inverse
      if (factor === 0) continue
      for (let j = k; j < n; j++) u[i * n + j] = (u[i * n + j] as number) - factor * (u[k * n + j] as number)
    }
  }
  return u
}

/** tr(Δ·H·Δᵀ) of codes against the weight: the layer's squared error up to a factor. */
export function curvatureError(
  { rows, columns, values }: Rows,
  result: RowCodes,
  hessian: Float64Array,
  block?: number,
): number {
  const size = block ?? columns
  const blocks = blocksOf(columns, block)
  const delta = new Float64Array(columns)
  let total = 0
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < columns; c++) {
      const { scale, zeroPoint } = result.affines[row * blocks + Math.floor(c / size)] as Affine
      const i = row * columns + c
      delta[c] = (values[i] as number) - scale * ((result.codes[i] as number) - zeroPoint)
    }
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++) {
        total += (delta[i] as number) * (hessian[i * columns + j] as number) * (delta[j] as number)
      }
    }
  }
  return total
}
