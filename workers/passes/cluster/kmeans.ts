import { mulberry32, type Random } from '../../graph/random.ts'

/** How the first centroids are chosen (Han, Mao & Dally 2016, arXiv:1510.00149, section 3.2; k-means++ is Arthur & Vassilvitskii 2007). */
export const initializations = ['linear', 'density', 'random', 'k-means++'] as const
export type Initialization = (typeof initializations)[number]

export interface KMeansOptions {
  readonly init?: Initialization
  /** Of the random initializations. */
  readonly seed?: number
  readonly iterations?: number
}

export interface Clusters {
  /** Ascending. A cluster that nothing belongs to keeps its centroid. */
  readonly centroids: Float64Array
  /** Which cluster each value belongs to, in the order that the values were given. */
  readonly assignments: Uint16Array
  /** Σ (value − its centroid)². */
  readonly inertia: number
  readonly iterations: number
}

/** Numbers in order, with the sums and sums of squares of all that come before each position. */
interface Sorted {
  readonly values: Float64Array
  readonly sums: Float64Array
  readonly squares: Float64Array
}

/**
 * Lloyd's k-means of numbers. In one dimension a cluster is a stretch of the sorted values, so that an iteration takes
 * k binary searches and k differences of prefix sums: O(n log n) once and O(k log n) for each iteration.
 */
export function kMeans(values: ArrayLike<number>, k: number, options: KMeansOptions = {}): Clusters {
  const { init = 'linear', seed = 42, iterations = 300 } = options
  const sorted = sort(values)
  const count = Math.max(1, Math.min(k, values.length))
  let centroids = starts[init](sorted.values, count, mulberry32(seed)).sort()
  let bounds = boundsOf(sorted.values, centroids)
  let iteration = 0
  while (iteration < iterations) {
    iteration++
    const moved = meansOf(sorted, bounds, centroids)
    const next = boundsOf(sorted.values, moved)
    centroids = moved
    const settled = next.every((bound, i) => bound === bounds[i])
    bounds = next
    if (settled) break
  }
  return {
    centroids,
    assignments: assign(values, centroids),
    inertia: inertiaOf(sorted, bounds, centroids),
    iterations: iteration,
  }
}

function sort(values: ArrayLike<number>): Sorted {
  const ordered = Float64Array.from(values).sort()
  const sums = new Float64Array(ordered.length + 1)
  const squares = new Float64Array(ordered.length + 1)
  ordered.forEach((v, i) => {
    sums[i + 1] = (sums[i] as number) + v
    squares[i + 1] = (squares[i] as number) + v * v
  })
  return { values: ordered, sums, squares }
}

type Start = (sorted: Float64Array, k: number, random: Random) => Float64Array

const at = (values: Float64Array, i: number): number => values[i] ?? 0

const starts: Readonly<Record<Initialization, Start>> = {
  /** Even steps from the smallest to the largest: large weights are few, but they matter. */
  linear: (sorted, k) => {
    const [low, high] = [at(sorted, 0), at(sorted, sorted.length - 1)]
    return Float64Array.from({ length: k }, (_, i) => (k === 1 ? (low + high) / 2 : low + ((high - low) * i) / (k - 1)))
  },
  /** Even steps of the distribution function. */
  density: (sorted, k) =>
    Float64Array.from({ length: k }, (_, i) => at(sorted, Math.floor(((i + 0.5) * sorted.length) / k))),
  random: (sorted, k, random) =>
    Float64Array.from({ length: k }, () => at(sorted, Math.floor(random() * sorted.length))),
  'k-means++': plusPlus,
}

/** Values beyond this many are thinned out evenly before k-means++ draws from them. */
const SAMPLE = 2 ** 15

/** Each centroid is a value, drawn with a chance that grows with the square of its distance to the nearest one so far. */
function plusPlus(sorted: Float64Array, k: number, random: Random): Float64Array {
  const stride = Math.max(1, Math.floor(sorted.length / SAMPLE))
  const sample = stride === 1 ? sorted : sorted.filter((_, i) => i % stride === 0)
  const centroids = new Float64Array(k)
  centroids[0] = at(sample, Math.floor(random() * sample.length))
  const distances = sample.map((v) => (v - (centroids[0] as number)) ** 2)
  for (let c = 1; c < k; c++) {
    const drawn = draw(distances, random)
    const centroid = at(sample, drawn)
    centroids[c] = centroid
    for (let i = 0; i < sample.length; i++) {
      distances[i] = Math.min(distances[i] as number, (at(sample, i) - centroid) ** 2)
    }
  }
  return centroids
}

/** A position, with a chance in proportion to its weight. */
function draw(weights: Float64Array, random: Random): number {
  let left = random() * weights.reduce((sum, w) => sum + w, 0)
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i] as number
    if (left < 0) return i
  }
  return weights.length - 1
}

/** Where each cluster ends in the sorted values: up to the middle between its centroid and the next. */
function boundsOf(sorted: Float64Array, centroids: Float64Array): Uint32Array {
  return Uint32Array.from(centroids, (centroid, i) => {
    const next = centroids[i + 1]
    return next === undefined ? sorted.length : firstAbove(sorted, (centroid + next) / 2)
  })
}

/** Position of the first value above a limit; a value in the middle belongs to the lower cluster. */
function firstAbove(sorted: Float64Array, limit: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as number) > limit) high = middle
    else low = middle + 1
  }
  return low
}

function meansOf({ sums }: Sorted, bounds: Uint32Array, centroids: Float64Array): Float64Array {
  return centroids.map((centroid, i) => {
    const [from, to] = [bounds[i - 1] ?? 0, bounds[i] as number]
    return to > from ? ((sums[to] as number) - (sums[from] as number)) / (to - from) : centroid
  })
}

function inertiaOf({ sums, squares }: Sorted, bounds: Uint32Array, centroids: Float64Array): number {
  return centroids.reduce((total, c, i) => {
    const [from, to] = [bounds[i - 1] ?? 0, bounds[i] as number]
    const sum = (sums[to] as number) - (sums[from] as number)
    const square = (squares[to] as number) - (squares[from] as number)
    return total + Math.max(0, square - 2 * c * sum + (to - from) * c * c)
  }, 0)
}

/** The nearest of ascending centroids for each value; the lower one in the middle between two. */
export function assign(values: ArrayLike<number>, centroids: Float64Array): Uint16Array {
  const middles = centroids.subarray(1).map((c, i) => (c + (centroids[i] as number)) / 2)
  return Uint16Array.from(values, (v) => {
    let [low, high] = [0, middles.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (v > (middles[middle] as number)) low = middle + 1
      else high = middle
    }
    return low
  })
}
