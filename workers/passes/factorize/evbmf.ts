/**
 * Rank and noise of a matrix by empirical variational Bayesian matrix factorization, the analytic global solution
 * (Nakajima, Sugiyama, Babacan & Tomioka 2013, "Global analytic solution of fully-observed variational Bayesian matrix
 * factorization", JMLR 14, theorem 2 and corollary 3).
 */
export interface Evbmf {
  readonly rank: number
  /** Estimated variance of the noise. */
  readonly variance: number
  /** Singular values above this one are signal. */
  readonly threshold: number
  /** The singular values of the signal, shrunk. */
  readonly values: readonly number[]
}

/** The constant of τ̄ ≈ 2.5129·√α. */
const TAU = 2.5129

/**
 * @param sigma all singular values of an L×M matrix, descending
 * @param variance of the noise when it is known
 */
export function evbmf(sigma: ArrayLike<number>, rows: number, columns: number, variance?: number): Evbmf {
  const [l, m] = [Math.min(rows, columns), Math.max(rows, columns)]
  const alpha = l / m
  const tau = TAU * Math.sqrt(alpha)
  const limit = (1 + tau) * (1 + alpha / tau)
  const squares = Array.from({ length: l }, (_, i) => (sigma[i] ?? 0) ** 2)
  const total = squares.reduce((a, b) => a + b, 0)
  if (total === 0) return { rank: 0, variance: 0, threshold: 0, values: [] }
  const v = variance ?? estimate(squares, m, alpha, limit)
  const threshold = Math.sqrt(m * v * limit)
  const signal = squares.filter((s) => Math.sqrt(s) > threshold)
  return { rank: signal.length, variance: v, threshold, values: signal.map((s) => shrunk(s, l, m, v)) }
}

/** The variance that minimizes Ω, the negative log evidence but for constants, between its bounds. */
function estimate(squares: readonly number[], m: number, alpha: number, limit: number): number {
  const l = squares.length
  const total = squares.reduce((a, b) => a + b, 0)
  const upper = total / (l * m)
  const e = Math.min(Math.ceil(l / (1 + alpha)) - 1, l) - 1
  const rest = squares.slice(e + 1)
  const mean = rest.reduce((a, b) => a + b, 0) / Math.max(1, rest.length) / m
  const lower = Math.max((squares[e + 1] ?? 0) / (m * limit), mean)
  return minimize((v) => evidence(squares, m, alpha, limit, v), lower, upper)
}

function evidence(squares: readonly number[], m: number, alpha: number, limit: number, v: number): number {
  return squares.reduce((sum, square) => {
    const x = square / (m * v)
    if (x <= limit) return sum + x - Math.log(x)
    const t = tauOf(x, alpha)
    return sum + x - t + Math.log((t + 1) / x) + alpha * Math.log(t / alpha + 1)
  }, 0)
}

function tauOf(x: number, alpha: number): number {
  const d = x - (1 + alpha)
  return (d + Math.sqrt(Math.max(0, d * d - 4 * alpha))) / 2
}

/** d = σ/2·(1 − (L+M)v/σ² + √((1 − (L+M)v/σ²)² − 4LMv²/σ⁴)). */
function shrunk(square: number, l: number, m: number, v: number): number {
  const a = 1 - ((l + m) * v) / square
  return (Math.sqrt(square) / 2) * (a + Math.sqrt(Math.max(0, a * a - (4 * l * m * v * v) / (square * square))))
}

/** The place of a minimum in an interval, by golden sections (Kiefer 1953). */
function minimize(f: (x: number) => number, from: number, to: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2
  let [low, high] = [from, to]
  let [a, b] = [high - ratio * (high - low), low + ratio * (high - low)]
  let [fa, fb] = [f(a), f(b)]
  while (high - low > 1e-12 * (Math.abs(low) + Math.abs(high))) {
    if (fa <= fb) {
      ;[high, b, fb] = [b, a, fa]
      a = high - ratio * (high - low)
      fa = f(a)
    } else {
      ;[low, a, fa] = [a, b, fb]
      b = low + ratio * (high - low)
      fb = f(b)
    }
  }
  return (low + high) / 2
}
