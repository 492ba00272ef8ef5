/** How many values one block of a level sums up. */
const FACTOR = 16

interface Level {
  readonly min: Float64Array
  readonly max: Float64Array
}

/**
 * One column of numbers that grows at its end, with the least and greatest of every 16, 256, 4,096 … values beside
 * it: the extremes of any range of a million points cost some hundred looks, so zooming and panning never scan the
 * data. NaN stands for "no value" and is left out of the extremes.
 */
export class Column {
  #values = new Float64Array(1024)
  #length = 0
  #levels: Level[] = []

  get length(): number {
    return this.#length
  }

  /** The values so far; valid until the next `append`. */
  get values(): Float64Array {
    return this.#values.subarray(0, this.#length)
  }

  at(index: number): number {
    return index < this.#length ? (this.#values[index] ?? NaN) : NaN
  }

  append(more: ArrayLike<number>): void {
    const from = this.#length
    this.#reserve(from + more.length)
    this.#values.set(more, from)
    this.#length += more.length
    this.#summarize(from)
  }

  /** Forgets everything from `length` on: what a resumed run will write again. */
  truncate(length: number): void {
    if (length >= this.#length) return
    this.#length = Math.max(0, length)
    this.#summarize(this.#length - (this.#length % FACTOR))
  }

  /** The least and greatest of the values in [from, to); undefined when there is none. */
  extent(from: number, to: number): readonly [number, number] | undefined {
    let start = Math.max(0, from)
    let end = Math.min(to, this.#length)
    let level: Level = { min: this.#values, max: this.#values }
    let low = Infinity
    let high = -Infinity
    // Ragged ends on this level, whole blocks on the next. Comparisons with NaN are false: it is never taken.
    for (let depth = 0; start < end; depth++) {
      const next = end - start >= 2 * FACTOR ? this.#levels[depth] : undefined
      const head = next ? Math.ceil(start / FACTOR) * FACTOR : end
      const tail = next ? Math.floor(end / FACTOR) * FACTOR : end
      const { min, max } = level
      for (let i = start; i < head; i++) {
        if ((min[i] as number) < low) low = min[i] as number
        if ((max[i] as number) > high) high = max[i] as number
      }
      for (let i = tail; i < end; i++) {
        if ((min[i] as number) < low) low = min[i] as number
        if ((max[i] as number) > high) high = max[i] as number
      }
      if (!next) break
      start = head / FACTOR
      end = tail / FACTOR
      level = next
    }
    return low <= high ? [low, high] : undefined
  }

  #reserve(length: number): void {
    if (length <= this.#values.length) return
    const grown = new Float64Array(Math.max(length, 2 * this.#values.length))
    grown.set(this.#values.subarray(0, this.#length))
    this.#values = grown
  }

  /** Brings the levels up to date with the values from `from` on. Only whole blocks are kept. */
  #summarize(from: number): void {
    let below: Level = { min: this.#values, max: this.#values }
    let count = this.#length
    let first = from
    for (let depth = 0; count >= FACTOR; depth++) {
      count = Math.floor(count / FACTOR)
      first = Math.floor(first / FACTOR)
      const level = this.#level(depth, count, first)
      for (let block = first; block < count; block++) fold(below, block, level)
      below = level
    }
  }

  #level(depth: number, count: number, keep: number): Level {
    const known = this.#levels[depth]
    if (known && known.min.length >= count) return known
    const size = Math.max(64, 2 * count)
    const grown: Level = { min: new Float64Array(size), max: new Float64Array(size) }
    if (known) {
      grown.min.set(known.min.subarray(0, keep))
      grown.max.set(known.max.subarray(0, keep))
    }
    this.#levels[depth] = grown
    return grown
  }
}

function fold(below: Level, block: number, into: Level): void {
  let low = Infinity
  let high = -Infinity
  for (let i = block * FACTOR; i < (block + 1) * FACTOR; i++) {
    const min = below.min[i] ?? NaN
    const max = below.max[i] ?? NaN
    if (min < low) low = min
    if (max > high) high = max
  }
  into.min[block] = low
  into.max[block] = high
}

/** The first index whose value is not less than `x`; `values` must not decrease. */
export function lowerBound(values: ArrayLike<number>, x: number, from = 0, to = values.length): number {
  let low = from
  let high = to
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((values[middle] ?? Infinity) < x) low = middle + 1
    else high = middle
  }
  return low
}
