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
  const total = mass[bins] as number
  // This runs a hundred thousand times for each value: plain numbers only, nothing is allocated.
  return (half) => {
    const start = (bins >> 1) - half
    const end = Math.min((bins >> 1) + half + 1, bins)
    const size = Math.floor((end - start) / groups)
    let cross = 0
    let own = 0
    let qSum = 0
    let empty = 0
    for (let g = 0; g < groups; g++) {
      const from = start + g * size
      const to = g === groups - 1 ? end : from + size
      const inside = (mass[to] as number) - (mass[from] as number)
      let nonEmpty = (filled[to] as number) - (filled[from] as number)
      let p = inside
      own += (entropy[to] as number) - (entropy[from] as number)
      // Outliers make an edge bin non-empty in P; Q is made of the slice alone.
      const outside = g === 0 ? (mass[start] as number) : g === groups - 1 ? total - (mass[end] as number) : 0
      if (outside > 0) {
        const edge = counts[g === 0 ? from : to - 1] as number
        if (edge === 0) nonEmpty++
        p += outside
        own += xlogx(edge + outside) - xlogx(edge)
      }
      const hollow = to - from - nonEmpty
      empty += hollow
      // A group that only outliers fill has nothing to spread.
      const q = inside > 0 ? inside / nonEmpty : SMOOTHING
      cross += (p + SMOOTHING * hollow) * Math.log(q)
      qSum += q * (to - from)
    }
    own += empty * xlogx(SMOOTHING)
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
