import {
  energy,
  firstColumns,
  gram,
  matrixOf,
  multiply,
  orthonormal,
  symmetricEigen,
  transpose,
  zeros,
  type Matrix,
} from './matrix.ts'
import { inner, outer } from './single.ts'
import { mulberry32, fillGaussian } from '../../graph/random.ts'
import { taps, type ConvWeight } from './piece.ts'

/** W ≈ G ×₀ U_out ×₁ U_in. */
export interface Tucker2 {
  /** `[out, R_out]`, columns orthonormal. */
  readonly output: Matrix
  /** `[in, R_in]`, columns orthonormal. */
  readonly input: Matrix
  /** `[R_out, R_in, …kernel]`. */
  readonly core: Float64Array
  /** ‖W − Ŵ‖ / ‖W‖. */
  readonly error: number
  readonly sweeps: number
}

export interface Tucker2Options {
  readonly sweeps?: number
  /** Ends when a sweep changes the relative error by less. */
  readonly tolerance?: number
}

/** W as a matrix `[out, in·taps]`: as it lies in memory. */
export const byOutput = (w: ConvWeight): Matrix => matrixOf(w.out, w.in * taps(w), w.data)

/** W as a matrix `[in, out·taps]`. */
export function byInput(w: ConvWeight): Matrix {
  const k = taps(w)
  const out = new Float64Array(w.data.length)
  for (let t = 0; t < w.out; t++) {
    for (let s = 0; s < w.in; s++) {
      const from = (t * w.in + s) * k
      out.set(w.data.subarray(from, from + k), (s * w.out + t) * k)
    }
  }
  return matrixOf(w.in, w.out * k, out)
}

/** A tensor `[a, b, taps]` as `[b, a, taps]`. */
function swapped(data: Float32Array, a: number, b: number, k: number): Float32Array {
  const out = new Float32Array(data.length)
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      const [from, to] = [(i * b + j) * k, (j * a + i) * k]
      for (let tap = 0; tap < k; tap++) out[to + tap] = data[from + tap] as number
    }
  }
  return out
}

function squares(data: Float32Array): number {
  let sum = 0
  for (let i = 0; i < data.length; i++) sum += (data[i] as number) ** 2
  return sum
}

/** Below this the error is rounding of float32. */
const ROUNDING = 1e-3

/**
 * Tucker decomposition of the channel modes of a convolution (Kim et al. 2016, arXiv:1511.06530) by higher-order
 * orthogonal iteration (De Lathauwer, De Moor & Vandewalle 2000): each side's basis in turn is that of the leading
 * singular vectors of the weight projected on the other. A sweep takes one step of subspace iteration from the basis
 * before, and goes on a little in the direction that it took; that is undone where the error grew. Sweeps are computed
 * in float32, which no step depends on, core and error in float64.
 */
export function tucker2(w: ConvWeight, rankOut: number, rankIn: number, options: Tucker2Options = {}): Tucker2 {
  const { sweeps = 50, tolerance = 7.5e-5 } = options
  const k = taps(w)
  const outputFirst = new Float32Array(w.data)
  const inputFirst = swapped(outputFirst, w.out, w.in, k)
  const total = squares(outputFirst)
  const [output, input] = [new Side(w.out, rankOut), new Side(w.in, rankIn)]
  input.improve(inputFirst, 0)
  let [error, ahead, sweep] = [Infinity, 0, 0]
  while (sweep < sweeps) {
    sweep++
    output.improve(swapped(inner(input.start, inputFirst, w.in), rankIn, w.out, k), ahead)
    input.improve(swapped(inner(output.start, outputFirst, w.out), rankOut, w.in, k), ahead)
    const kept = input.kept()
    const next = total === 0 ? 0 : Math.sqrt(Math.max(0, 1 - kept / total))
    const gain = error - next
    error = next
    if (error < ROUNDING || (gain >= 0 && gain < tolerance)) break
    ahead = gain < 0 ? 0 : Math.min(1, ahead + 1 / 3)
  }
  return finished(w, output.basis, input.basis, sweep)
}

/** Core and error of two bases, in float64. */
function finished(w: ConvWeight, output: Matrix, input: Matrix, sweeps: number): Tucker2 {
  const [k, rankOut] = [taps(w), output.columns]
  const projected = multiply(transpose(output), byOutput(w))
  const reduced = byInput({ out: rankOut, in: w.in, kernel: [k], data: projected.data })
  // `[R_in, R_out·taps]`, and with the output first.
  const both = multiply(transpose(input), reduced)
  const core = byInput({ out: input.columns, in: rankOut, kernel: [k], data: both.data })
  const [kept, total] = [energy(core), energy(w)]
  const error = total === 0 ? 0 : Math.sqrt(Math.max(0, 1 - kept / total))
  return { output, input, core: core.data, error, sweeps }
}

/** The basis of one side as it gets better. */
class Side {
  readonly #size: number
  readonly #rank: number
  /** What a sweep starts from, `[size, rank]`: the basis, or beyond it. */
  start: Float32Array
  /** The basis that the last step found. */
  basis: Matrix
  /** What the last step projected: a `[size, …]`. */
  #weight: Float32Array = new Float32Array()

  constructor(size: number, rank: number) {
    this.#size = size
    this.#rank = rank
    this.basis = randomBasis(size, rank)
    this.start = new Float32Array(this.basis.data)
  }

  /** One step towards the leading left singular vectors of a `[size, …]`; `ahead` is how far to go on beyond it. */
  improve(a: Float32Array, ahead: number): void {
    const size = this.#size
    this.#weight = a
    if (size <= EXACT || this.#rank > size / 2) {
      const columns = a.length / size
      this.basis = leading(matrixOf(size, columns, new Float64Array(a)), this.#rank)
      this.start = new Float32Array(this.basis.data)
    } else {
      const before = this.start
      const image = outer(a, inner(a, before, size), a.length / size)
      this.basis = orthonormal(matrixOf(size, this.#rank, new Float64Array(image)))
      this.start = new Float32Array(this.basis.data)
      if (ahead > 0) this.start = beyond(before, this.start, size, ahead)
    }
  }

  /** Squares of the last weight that the basis keeps. */
  kept(): number {
    return squares(inner(new Float32Array(this.basis.data), this.#weight, this.#size))
  }
}

/** As far again beyond a basis as it is from the one before it, in the tangent of that one. */
function beyond(before: Float32Array, now: Float32Array, size: number, share: number): Float32Array {
  const along = outer(before, inner(before, now, size), now.length / size)
  const further = new Float64Array(now)
  for (let i = 0; i < now.length; i++) further[i] = (1 + share) * (now[i] as number) - share * (along[i] as number)
  return new Float32Array(orthonormal(matrixOf(size, now.length / size, further)).data)
}

/** Up to here all eigenvectors are computed; beyond, only the leading ones, by iteration. */
const EXACT = 32

/** Orthonormal basis of the leading left singular vectors of a matrix. */
function leading(a: Matrix, rank: number): Matrix {
  return firstColumns(symmetricEigen(gram(a)).vectors, rank)
}

function randomBasis(rows: number, columns: number): Matrix {
  const basis = zeros(rows, columns)
  fillGaussian(basis.data, mulberry32(42))
  return basis
}
