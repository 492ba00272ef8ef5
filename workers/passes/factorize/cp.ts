import { CholeskyDecomposition, Matrix as MlMatrix } from 'ml-matrix'
import { fillGaussian, mulberry32 } from '../../graph/random.ts'
import { energy, gram, matrixOf, multiply, transpose, zeros, type Matrix } from './matrix.ts'
import type { ConvWeight } from './piece.ts'
import { leftSingular } from './svd.ts'
import { byInput, byOutput } from './tucker.ts'

/** W[t, s, y, x] ≈ Σ_r A[t, r]·B[s, r]·C[y, r]·D[x, r]. */
export interface Cp4 {
  readonly output: Matrix
  readonly input: Matrix
  readonly rows: Matrix
  readonly columns: Matrix
  /** ‖W − Ŵ‖ / ‖W‖. */
  readonly error: number
  readonly sweeps: number
  /**
   * Σ_r ‖component r‖² / ‖W‖². About 1 when components share the work; large when they grow against each other, as
   * they do where no best approximation exists (de Silva & Lim 2008, SIAM J. Matrix Anal. Appl. 30).
   */
  readonly degeneracy: number
}

export interface Cp4Options {
  readonly sweeps?: number
  readonly tolerance?: number
  /** Share of the mean diagonal that is added to the normal equations. */
  readonly ridge?: number
  readonly seed?: number
}

/**
 * Canonical polyadic decomposition of a convolution's weight by alternating least squares (Lebedev et al. 2015,
 * arXiv:1412.6553): F_m ← X_(m)·KR·(⊛ FᵀF + λI)⁻¹ for one mode after the other. Begins with the singular vectors of
 * the unfoldings, random where there are too few.
 */
export function cp4(w: ConvWeight, rank: number, options: Cp4Options = {}): Cp4 {
  const { sweeps = 100, tolerance = 1e-7, ridge = 1e-6, seed = 42 } = options
  const state = new Als(w, rank, ridge, seed)
  let error = Infinity
  let sweep = 0
  while (sweep < sweeps) {
    sweep++
    const next = state.sweep()
    const settled = Math.abs(error - next) < tolerance
    error = next
    if (settled) break
  }
  const [output, input, rows, columns] = balanced(state.factors)
  return { output, input, rows, columns, error, sweeps: sweep, degeneracy: state.degeneracy() }
}

type Factors = readonly [output: Matrix, input: Matrix, rows: Matrix, columns: Matrix]

class Als {
  readonly #w: ConvWeight
  readonly #rank: number
  readonly #ridge: number
  readonly #outputFirst: Matrix
  readonly #inputFirst: Matrix
  readonly #energy: number
  #factors: [Matrix, Matrix, Matrix, Matrix]

  constructor(w: ConvWeight, rank: number, ridge: number, seed: number) {
    this.#w = w
    this.#rank = rank
    this.#ridge = ridge
    this.#outputFirst = byOutput(w)
    this.#inputFirst = byInput(w)
    this.#energy = energy(w)
    const random = mulberry32(seed)
    const start = (a: Matrix) => filled(leftSingular(a).u, rank, random)
    this.#factors = [start(this.#outputFirst), start(this.#inputFirst), start(byTap(w, 0)), start(byTap(w, 1))]
  }

  get factors(): Factors {
    return this.#factors
  }

  /** Each mode once; returns the relative error. */
  sweep(): number {
    const [kh = 1, kw = 1] = this.#w.kernel
    const r = this.#rank
    // Σ_s W·B is shared by three modes: `[r, out, taps]`, one product of matrices.
    const byS = multiply(transpose(this.#factors[1]), this.#inputFirst)
    this.#solve(0, (m) =>
      contract(byS, this.#w.out, kh, kw, { rows: this.#factors[2], columns: this.#factors[3] }, 'channel', m),
    )
    this.#solve(2, (m) =>
      contract(byS, this.#w.out, kh, kw, { channel: this.#factors[0], columns: this.#factors[3] }, 'rows', m),
    )
    this.#solve(3, (m) =>
      contract(byS, this.#w.out, kh, kw, { channel: this.#factors[0], rows: this.#factors[2] }, 'columns', m),
    )
    const byT = multiply(transpose(this.#factors[0]), this.#outputFirst)
    const last = zeros(this.#w.in, r)
    contract(byT, this.#w.in, kh, kw, { rows: this.#factors[2], columns: this.#factors[3] }, 'channel', last)
    this.#apply(1, last)
    return this.#error(last)
  }

  #solve(mode: 0 | 1 | 2 | 3, fill: (into: Matrix) => void): void {
    const product = zeros(this.#factors[mode].rows, this.#rank)
    fill(product)
    this.#apply(mode, product)
  }

  /** F ← M·(⊛ FᵀF + λI)⁻¹ over the other modes. */
  #apply(mode: 0 | 1 | 2 | 3, product: Matrix): void {
    const normal = hadamard(this.#factors.filter((_, i) => i !== mode).map((f) => gram(transpose(f))))
    this.#factors[mode] = solveRight(product, normal, this.#ridge)
  }

  /** ‖X − X̂‖² = ‖X‖² − 2⟨X, X̂⟩ + ‖X̂‖²; ⟨X, X̂⟩ from the product of the mode that was solved last. */
  #error(last: Matrix): number {
    const inner = last.data.reduce((sum, v, i) => sum + v * (this.#factors[1].data[i] as number), 0)
    const own = hadamard(this.#factors.map((f) => gram(transpose(f)))).data.reduce((a, b) => a + b, 0)
    return this.#energy === 0 ? 0 : Math.sqrt(Math.max(0, this.#energy - 2 * inner + own) / this.#energy)
  }

  degeneracy(): number {
    const all = hadamard(this.#factors.map((f) => gram(transpose(f))))
    let sum = 0
    for (let r = 0; r < this.#rank; r++) sum += all.data[r * this.#rank + r] as number
    return this.#energy === 0 ? 1 : sum / this.#energy
  }
}

interface Others {
  readonly channel?: Matrix
  readonly rows?: Matrix
  readonly columns?: Matrix
}

/**
 * Sums a tensor `[R, channels, kh, kw]` over all axes but R and `mode`, weighted by the factors of the others:
 * into[i, r] += Σ tensor[r, c, y, x]·….
 */
function contract(
  tensor: Matrix,
  channels: number,
  kh: number,
  kw: number,
  others: Others,
  mode: keyof Others,
  into: Matrix,
): void {
  const rank = tensor.rows
  const of = (m: Matrix | undefined, i: number, r: number): number => (m ? (m.data[i * rank + r] as number) : 1)
  for (let r = 0; r < rank; r++) {
    let at = r * tensor.columns
    for (let c = 0; c < channels; c++) {
      const wc = of(others.channel, c, r)
      for (let y = 0; y < kh; y++) {
        const wy = wc * of(others.rows, y, r)
        for (let x = 0; x < kw; x++) {
          const value = wy * of(others.columns, x, r) * (tensor.data[at++] as number)
          const i = (mode === 'channel' ? c : mode === 'rows' ? y : x) * rank + r
          into.data[i] = (into.data[i] as number) + value
        }
      }
    }
  }
}

/** W with one of its two kernel axes first: `[k, rest]`. */
function byTap(w: ConvWeight, axis: 0 | 1): Matrix {
  const [kh = 1, kw = 1] = w.kernel
  const size = axis === 0 ? kh : kw
  const rest = w.data.length / size
  const out = new Float64Array(w.data.length)
  const used = new Uint32Array(size)
  for (let i = 0; i < w.data.length; i++) {
    const tap = axis === 0 ? Math.floor(i / kw) % kh : i % kw
    out[tap * rest + (used[tap] as number)] = w.data[i] as number
    used[tap] = (used[tap] as number) + 1
  }
  return matrixOf(size, rest, out)
}

/** How much of a random direction goes into each first one: symmetric weights would never leave a saddle otherwise. */
const NUDGE = 0.05

/** The first columns, nudged, and random ones where there are too few. */
function filled(u: Matrix, rank: number, random: () => number): Matrix {
  const out = zeros(u.rows, rank)
  fillGaussian(out.data, random, 1 / Math.sqrt(u.rows))
  const known = Math.min(rank, u.columns)
  for (let i = 0; i < u.rows; i++) {
    for (let j = 0; j < known; j++) {
      const at = i * rank + j
      out.data[at] = (u.data[i * u.columns + j] as number) + NUDGE * (out.data[at] as number)
    }
  }
  return out
}

const hadamard = (all: readonly Matrix[]): Matrix =>
  all.reduce((a, b) =>
    matrixOf(
      a.rows,
      a.columns,
      a.data.map((v, i) => v * (b.data[i] as number)),
    ),
  )

/** M·(N + λI)⁻¹ for a symmetric N that is positive semidefinite. */
function solveRight(m: Matrix, n: Matrix, ridge: number): Matrix {
  const size = n.rows
  let trace = 0
  for (let i = 0; i < size; i++) trace += n.data[i * size + i] as number
  const lambda = (ridge * trace) / size + Number.MIN_VALUE
  const left = new MlMatrix(
    Array.from({ length: size }, (_, i) =>
      Array.from({ length: size }, (_, j) => (n.data[i * size + j] as number) + (i === j ? lambda : 0)),
    ),
  )
  const right = transpose(m)
  const solved = new CholeskyDecomposition(left).solve(
    new MlMatrix(Array.from({ length: size }, (_, i) => [...right.data.subarray(i * m.rows, (i + 1) * m.rows)])),
  )
  return transpose(matrixOf(size, m.rows, Float64Array.from(solved.to2DArray().flat())))
}

/** The four parts of each component at one norm, so that none has to be stored with more bits than another. */
function balanced(factors: Factors): Factors {
  const rank = factors[0].columns
  const norms = factors.map((f) =>
    gram(transpose(f))
      .data.filter((_, i) => i % (rank + 1) === 0)
      .map(Math.sqrt),
  )
  const common = Float64Array.from({ length: rank }, (_, r) => norms.reduce((p, n) => p * (n[r] as number), 1) ** 0.25)
  const scale = (f: Matrix, i: number): Matrix =>
    matrixOf(
      f.rows,
      rank,
      f.data.map((v, at) => {
        const norm = norms[i]?.[at % rank] ?? 0
        return norm === 0 ? 0 : (v * (common[at % rank] as number)) / norm
      }),
    )
  return [scale(factors[0], 0), scale(factors[1], 1), scale(factors[2], 2), scale(factors[3], 3)]
}
