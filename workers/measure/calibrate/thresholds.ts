import { affineOf, codesOf, type AffineOptions, type QuantType, type Range } from '../../passes/index.ts'
import type { Histogram } from './histogram.ts'

/** Keeps a clip within what was observed. */
const within = (low: number, high: number, observed: Range): Range => ({
  min: Math.max(low, observed.min),
  max: Math.min(high, observed.max),
})

/**
 * Leaves the largest elements out: `percentile` of all |x| lie inside (symmetric), or an equal share is cut from both
 * ends. 99.999 and 2048 bins are onnxruntime's defaults.
 */
export function percentileRange(histogram: Histogram, observed: Range, percentile: number, symmetric: boolean): Range {
  return symmetric ? centred(histogram, observed, percentile) : twoSided(histogram, observed, percentile)
}

/** Bins i and n−1−i hold the same |x|. */
function centred(histogram: Histogram, observed: Range, percentile: number): Range {
  const { counts, bins } = histogram
  const wanted = (histogram.total() * percentile) / 100
  let seen = 0
  for (let half = 1; half <= bins / 2; half++) {
    seen += (counts[bins / 2 - half] as number) + (counts[bins / 2 + half - 1] as number)
    if (seen < wanted) continue
    const limit = half * histogram.width
    return within(-limit, limit, observed)
  }
  return observed
}

function twoSided(histogram: Histogram, observed: Range, percentile: number): Range {
  const { counts, bins } = histogram
  const cut = (histogram.total() * (100 - percentile)) / 200
  let [left, right, low, high] = [0, bins - 1, 0, 0]
  while (left < bins && (low += counts[left] as number) <= cut) left++
  while (right >= 0 && (high += counts[right] as number) <= cut) right--
  return within(histogram.edge(left), histogram.edge(right + 1), observed)
}

/** What an empty bin counts, so that logarithms stay finite. */
const SMOOTHING = 1e-4

/** Sums over the bins before each position. */
function prefixSums(values: (bin: number) => number, bins: number): Float64Array {
  const sums = new Float64Array(bins + 1)
  for (let i = 0; i < bins; i++) sums[i + 1] = (sums[i] as number) + values(i)
  return sums
}

const xlogx = (x: number): number => (x > 0 ? x * Math.log(x) : 0)

/**
 * The symmetric clip whose quantized distribution tells the most of the real one (Migacz 2017, "8-bit inference with
 * TensorRT"): for every half-width, P is the histogram inside with what is outside added to its edge bins; Q is the
 * same slice merged into `quantizedBins` groups, each spread again evenly by the number of P's bins in it that are not
 * empty; the least KL(P‖Q) wins. Clips are those of onnxruntime's quantizer, but counts stay real numbers where it
 * rounds them down. With as many bins as groups only one candidate is left, which is min-max: use 2048 or more.
 */
export function entropyRange(histogram: Histogram, observed: Range, quantizedBins = 128): Range {
  const divergence = divergenceOf(histogram, quantizedBins)
  const middle = histogram.bins >> 1
  let [best, least] = [middle, Infinity]
  for (let half = quantizedBins >> 1; half <= middle; half++) {
    const found = divergence(half)
    if (found < least) [best, least] = [half, found]
  }
  const limit = Math.min(histogram.limit, (best + 1) * histogram.width)
  return within(-limit, limit, observed)
}

/** KL(P‖Q) by half-width, each in time linear in the groups: sums over runs of bins are taken beforehand. */
function divergenceOf({ counts, bins }: Histogram, groups: number): (half: number) => number {
  const mass = prefixSums((i) => counts[i] as number, bins)
  const filled = prefixSums((i) => ((counts[i] as number) > 0 ? 1 : 0), bins)
  const entropy = prefixSums((i) => xlogx(counts[i] as number), bins)
  const over = (sums: Float64Array, from: number, to: number) => (sums[to] as number) - (sums[from] as number)
  const total = mass[bins] as number
  return (half) => {
    const start = (bins >> 1) - half
    const end = Math.min((bins >> 1) + half + 1, bins)
    const outside = [mass[start] as number, total - (mass[end] as number)] as const
    const size = Math.floor((end - start) / groups)
    let [cross, own, qSum, empty] = [0, 0, 0, 0]
    for (let g = 0; g < groups; g++) {
      const from = start + g * size
      const to = g === groups - 1 ? end : from + size
      // Outliers make an edge bin non-empty in P; Q is made of the slice alone.
      const [leftMass, rightMass] = [g === 0 ? outside[0] : 0, g === groups - 1 ? outside[1] : 0]
      const left = counts[from] as number
      const right = counts[to - 1] as number
      const inside = over(mass, from, to)
      const nonEmpty =
        over(filled, from, to) + (leftMass > 0 && left === 0 ? 1 : 0) + (rightMass > 0 && right === 0 ? 1 : 0)
      const p = inside + leftMass + rightMass
      const hollow = to - from - nonEmpty
      empty += hollow
      own += hollow * xlogx(SMOOTHING)
      if (nonEmpty > 0) {
        own += over(entropy, from, to)
        own += leftMass > 0 ? xlogx(left + leftMass) - xlogx(left) : 0
        own += rightMass > 0 ? xlogx(right + rightMass) - xlogx(right) : 0
      }
      // A group that only outliers fill has nothing to spread.
      const q = inside > 0 ? inside / nonEmpty : SMOOTHING
      cross += (p + SMOOTHING * hollow) * Math.log(q)
      qSum += q * (to - from)
    }
    // Σ p/P·log((p/P)/(q/Q))
    const pSum = total + SMOOTHING * empty
    return (own - cross) / pSum + Math.log(qSum / pSum)
  }
}

/** Clips that are tried: 1 %, 2 %, … 100 % of what was observed. */
const CLIPS = 100

/** The clip that minimizes Σ(x̂ − x)² over the histogram's bin centres. */
export function leastSquaresRange(
  histogram: Histogram,
  observed: Range,
  type: QuantType,
  options: AffineOptions,
): Range {
  const { counts, bins, width } = histogram
  const [qmin, qmax] = codesOf(type, options)
  let best = observed
  let least = Infinity
  for (let step = CLIPS; step > 0; step--) {
    const clip = { min: (observed.min * step) / CLIPS, max: (observed.max * step) / CLIPS }
    const { scale, zeroPoint } = affineOf(clip.min, clip.max, type, options)
    let error = 0
    for (let i = 0; i < bins && error < least; i++) {
      const n = counts[i] as number
      if (n === 0) continue
      const x = -histogram.limit + (i + 0.5) * width
      const code = Math.min(qmax, Math.max(qmin, Math.round(x / scale) + zeroPoint))
      error += n * (scale * (code - zeroPoint) - x) ** 2
    }
    if (error < least) [least, best] = [error, clip]
  }
  return best
}
