/** Functions that JavaScript's Math lacks. */

/** 2/√π */
const TWO_OVER_ROOT_PI = 1.1283791670955126

/**
 * The error function to double precision: its Maclaurin series (Abramowitz & Stegun 7.1.6) for small arguments, the
 * continued fraction of its complement (7.1.14) beyond.
 */
export function erf(x: number): number {
  const a = Math.abs(x)
  if (Number.isNaN(x)) return x
  if (a > 6) return Math.sign(x)
  if (a > 2.5) return Math.sign(x) * (1 - erfcFraction(a))
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return TWO_OVER_ROOT_PI * Math.exp(-x * x) * sum
}

function erfcFraction(x: number): number {
  let fraction = 0
  for (let k = 60; k >= 1; k--) fraction = k / 2 / (x + fraction)
  return (Math.exp(-x * x) / (x + fraction)) * (TWO_OVER_ROOT_PI / 2)
}

export const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)))

/** log(1 + eˣ) without overflow. */
export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))

/** x·Φ(x), Hendrycks & Gimpel 2016, arXiv:1606.08415. */
export const gelu = (x: number): number => 0.5 * x * (1 + erf(x * Math.SQRT1_2))

/** The same paper's approximation by tanh. */
export const geluTanh = (x: number): number =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)))
