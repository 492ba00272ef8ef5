/** Counts of a value's elements in equal bins over [−limit, limit]. The same size however many samples are added. */
export class Histogram {
  readonly limit: number
  readonly counts: Float64Array

  constructor(limit: number, bins: number) {
    this.limit = limit
    this.counts = new Float64Array(bins)
  }

  /** Elements beyond the limits count in the outermost bins. */
  add(values: Float32Array): void {
    const { counts, limit } = this
    const last = counts.length - 1
    if (limit === 0) {
      const middle = counts.length >> 1
      counts[middle] = (counts[middle] as number) + values.length
      return
    }
    const perUnit = counts.length / (2 * limit)
    for (let i = 0; i < values.length; i++) {
      const at = ((values[i] as number) + limit) * perUnit
      const bin = at <= 0 ? 0 : at >= last ? last : at | 0
      counts[bin] = (counts[bin] as number) + 1
    }
  }

  get bins(): number {
    return this.counts.length
  }

  get width(): number {
    return (2 * this.limit) / this.counts.length
  }

  /** Lower edge of a bin; `bins` gives the upper edge of the last. */
  edge(bin: number): number {
    return -this.limit + bin * this.width
  }

  total(): number {
    return this.counts.reduce((sum, n) => sum + n, 0)
  }
}
