import { AlambicError } from '../protocol/errors.ts'

/** Points in a plane: x and y, one after the other, `2n` of them. */
export type Plane = Float64Array

export interface EmbeddingOptions {
  /** About how many neighbours each point has; less where there are few points. */
  readonly perplexity: number
  readonly iterations: number
}

const usual: EmbeddingOptions = { perplexity: 20, iterations: 350 }

/**
 * Points of many dimensions in a plane, so that neighbours stay neighbours: t-SNE (van der Maaten & Hinton 2008, JMLR 9),
 * exact, begun from the two largest principal components (Kobak & Berens 2019, Nat. Commun. 10:5416), which makes it the
 * same each time.
 *
 * @param points `n × dims` values, row by row
 * @throws AlambicError `embedding.shape` when the values are no rows of `dims`
 */
export function embed(points: Float64Array, dims: number, options: Partial<EmbeddingOptions> = {}): Plane {
  const { perplexity, iterations } = { ...usual, ...options }
  const n = points.length / dims
  if (!Number.isInteger(n) || dims < 1) {
    throw new AlambicError('embedding.shape', `${points.length} values are no rows of ${dims}`, {
      expected: 'a multiple of the dimensions',
      found: String(points.length),
    })
  }
  const plane = principal(points, dims)
  if (n < 4) return plane
  const affinities = joint(squaredDistances(points, dims), n, Math.min(perplexity, (n - 1) / 3))
  // A spread of 1e-4 is where gradients do not saturate yet (van der Maaten & Hinton 2008, §3.4).
  const deviation = Math.sqrt(plane.reduce((sum, value, i) => (i % 2 === 0 ? sum + value * value : sum), 0) / n)
  for (let i = 0; i < plane.length; i++) plane[i] = ((plane[i] as number) / (deviation || 1)) * 1e-4
  descend(plane, affinities, n, iterations)
  return plane
}

/** The two largest principal components of each row, by power iteration on the covariance. */
export function principal(points: Float64Array, dims: number): Plane {
  const n = points.length / dims
  const centred = points.slice()
  for (let d = 0; d < dims; d++) {
    let mean = 0
    for (let i = 0; i < n; i++) mean += (points[i * dims + d] as number) / n
    for (let i = 0; i < n; i++) centred[i * dims + d] = (centred[i * dims + d] as number) - mean
  }
  const plane = new Float64Array(2 * n)
  for (const axis of [0, 1]) {
    const direction = largestDirection(centred, n, dims)
    for (let i = 0; i < n; i++) {
      const along = dot(centred, i * dims, direction)
      plane[2 * i + axis] = along
      // What the next component finds is orthogonal to this one.
      for (let d = 0; d < dims; d++) {
        centred[i * dims + d] = (centred[i * dims + d] as number) - along * (direction[d] as number)
      }
    }
  }
  return plane
}

const dot = (values: Float64Array, from: number, direction: Float64Array): number => {
  let sum = 0
  for (let d = 0; d < direction.length; d++) sum += (values[from + d] as number) * (direction[d] as number)
  return sum
}

const POWER_ITERATIONS = 60

function largestDirection(rows: Float64Array, n: number, dims: number): Float64Array {
  let direction = Float64Array.from({ length: dims }, (_, d) => 1 + d / dims)
  for (let step = 0; step < POWER_ITERATIONS; step++) {
    const next = new Float64Array(dims)
    for (let i = 0; i < n; i++) {
      const along = dot(rows, i * dims, direction)
      for (let d = 0; d < dims; d++) next[d] = (next[d] as number) + along * (rows[i * dims + d] as number)
    }
    const length = Math.hypot(...next)
    if (length === 0) return new Float64Array(dims)
    direction = next.map((value) => value / length)
  }
  return direction
}

function squaredDistances(points: Float64Array, dims: number): Float64Array {
  const n = points.length / dims
  const distances = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      let sum = 0
      for (let d = 0; d < dims; d++) sum += ((points[i * dims + d] as number) - (points[j * dims + d] as number)) ** 2
      distances[i * n + j] = distances[j * n + i] = sum
    }
  }
  return distances
}

/** Symmetric affinities p_ij (eq. 10 with the perplexity of eq. 1): each row's entropy is log of the perplexity. */
export function joint(distances: Float64Array, n: number, perplexity: number): Float64Array {
  const affinities = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    const row = conditional(distances.subarray(i * n, (i + 1) * n), i, Math.log(perplexity))
    affinities.set(row, i * n)
  }
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      const both = ((affinities[i * n + j] as number) + (affinities[j * n + i] as number)) / (2 * n)
      affinities[i * n + j] = affinities[j * n + i] = Math.max(both, 1e-12)
    }
  }
  return affinities
}

/** One row: the precision is found by bisection. */
function conditional(distances: Float64Array, self: number, entropy: number): Float64Array {
  const nearest = distances.reduce((least, d, j) => (j === self ? least : Math.min(least, d)), Infinity)
  let [low, high, beta] = [0, Infinity, 1]
  let row = new Float64Array(distances.length)
  for (let step = 0; step < 60; step++) {
    let [sum, weighted] = [0, 0]
    row = distances.map((d, j) => (j === self ? 0 : Math.exp(-beta * (d - nearest))))
    row.forEach((value, j) => {
      sum += value
      weighted += value * ((distances[j] as number) - nearest)
    })
    const found = Math.log(sum) + (beta * weighted) / sum
    row = row.map((value) => value / sum)
    if (Math.abs(found - entropy) < 1e-5) break
    if (found > entropy) low = beta
    else high = beta
    beta = high === Infinity ? 2 * beta : (low + high) / 2
  }
  return row
}

/** Gradient descent with momentum, gains and early exaggeration (eq. 5 and §3.4). */
function descend(plane: Plane, affinities: Float64Array, n: number, iterations: number): void {
  const speed = new Float64Array(2 * n)
  const gains = new Float64Array(2 * n).fill(1)
  const kernel = new Float64Array(n * n)
  const exaggerated = Math.min(100, Math.floor(iterations / 3))
  // n over the exaggeration, as Belkina et al. 2019 (Nat. Commun. 10:5415) found.
  const rate = Math.max(10, n / 12)
  for (let step = 0; step < iterations; step++) {
    const gradient = gradientOf(plane, affinities, kernel, n, step < exaggerated ? 12 : 1)
    const momentum = step < exaggerated ? 0.5 : 0.8
    for (let k = 0; k < plane.length; k++) {
      const [g, v] = [gradient[k] as number, speed[k] as number]
      gains[k] = Math.max(0.01, g > 0 === v > 0 ? (gains[k] as number) * 0.8 : (gains[k] as number) + 0.2)
      speed[k] = momentum * v - rate * (gains[k] as number) * g
      plane[k] = (plane[k] as number) + (speed[k] as number)
    }
  }
}

function gradientOf(
  plane: Plane,
  affinities: Float64Array,
  kernel: Float64Array,
  n: number,
  factor: number,
): Float64Array {
  let total = 0
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const dx = (plane[2 * i] as number) - (plane[2 * j] as number)
      const dy = (plane[2 * i + 1] as number) - (plane[2 * j + 1] as number)
      const near = 1 / (1 + dx * dx + dy * dy)
      kernel[i * n + j] = near
      total += 2 * near
    }
  }
  const gradient = new Float64Array(2 * n)
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const near = kernel[i * n + j] as number
      const force = 4 * (factor * (affinities[i * n + j] as number) - near / total) * near
      for (const axis of [0, 1]) {
        const pull = force * ((plane[2 * i + axis] as number) - (plane[2 * j + axis] as number))
        gradient[2 * i + axis] = (gradient[2 * i + axis] as number) + pull
        gradient[2 * j + axis] = (gradient[2 * j + axis] as number) - pull
      }
    }
  }
  return gradient
}
