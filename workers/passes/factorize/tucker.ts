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

/** Σ_s W[t, s, k]·U[s, r], as `[out, R·taps]`. */
function projectInput(inputFirst: Matrix, u: Matrix, out: number, k: number): Matrix {
  return matrixOf(
    out,
    u.columns * k,
    byInput({ out: u.columns, in: out, kernel: [k], data: multiply(transpose(u), inputFirst).data }).data,
  )
}

/**
 * Tucker decomposition of the channel modes of a convolution (Kim et al. 2016, arXiv:1511.06530) by higher-order
 * orthogonal iteration (De Lathauwer, De Moor & Vandewalle 2000): each side's basis in turn is that of the leading
 * singular vectors of the weight projected on the other.
 */
export function tucker2(w: ConvWeight, rankOut: number, rankIn: number, options: Tucker2Options = {}): Tucker2 {
  const { sweeps = 50, tolerance = 5e-5 } = options
  const k = taps(w)
  const [outputFirst, inputFirst] = [byOutput(w), byInput(w)]
  const total = energy(w)
  let input = leading(inputFirst, rankIn)
  let output: Matrix | undefined
  let error = Infinity
  let sweep = 0
  while (sweep < sweeps) {
    sweep++
    output = leading(projectInput(inputFirst, input, w.out, k), rankOut, output)
    // Uᵀ·W is `[R_out, in·taps]`; with the input channels first it is what the input basis is found from.
    const projected = multiply(transpose(output), outputFirst)
    const reduced = byInput({ out: rankOut, in: w.in, kernel: [k], data: projected.data })
    input = leading(reduced, rankIn, input)
    const kept = energy(multiply(transpose(input), reduced))
    const next = total === 0 ? 0 : Math.sqrt(Math.max(0, 1 - kept / total))
    const settled = Math.abs(error - next) < tolerance
    error = next
    if (settled) break
  }
  const basis = output as Matrix
  const core = projectInput(
    matrixOf(
      w.in,
      rankOut * k,
      byInput({ out: rankOut, in: w.in, kernel: [k], data: multiply(transpose(basis), outputFirst).data }).data,
    ),
    input,
    rankOut,
    k,
  )
  return { output: basis, input, core: core.data, error, sweeps: sweep }
}

/** Up to here all eigenvectors are computed; beyond, only the leading ones, by iteration. */
const EXACT = 96

/** Steps of a subspace iteration: from a random basis, and from one of the sweep before, which the next sweep refines. */
const STEPS = { cold: 8, warm: 4 } as const

/** Orthonormal basis of the leading left singular vectors of a matrix; `start` is a basis that is nearly that. */
export function leading(a: Matrix, rank: number, start?: Matrix): Matrix {
  const g = gram(a)
  if (g.rows <= EXACT || rank > g.rows / 2) return firstColumns(symmetricEigen(g).vectors, rank)
  return start ? subspace(g, start, STEPS.warm) : subspace(g, randomBasis(g.rows, rank), STEPS.cold)
}

/** Orthogonal iteration (Golub & Van Loan, Matrix Computations, 8.2.4), until the energy that is caught settles. */
function subspace(g: Matrix, start: Matrix, steps: number): Matrix {
  let basis = orthonormal(start)
  let caught = 0
  for (let step = 0; step < steps; step++) {
    const image = multiply(g, basis)
    const now = dot(basis, image)
    basis = orthonormal(image)
    if (now - caught < 1e-6 * now) break
    caught = now
  }
  return basis
}

const dot = (a: Matrix, b: Matrix): number => a.data.reduce((sum, v, i) => sum + v * (b.data[i] as number), 0)

function randomBasis(rows: number, columns: number): Matrix {
  const basis = zeros(rows, columns)
  fillGaussian(basis.data, mulberry32(42))
  return basis
}
