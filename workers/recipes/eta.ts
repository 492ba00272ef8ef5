/** Enough steps to say how long the rest takes. */
const ENOUGH = 20

/**
 * How fast a loop goes and how long the rest takes, as a range: from the fastest to the slowest quarter of the recent
 * steps. Times in milliseconds. Starts anew when a run is resumed, because the machine may be another.
 */
export class Eta {
  readonly #total: number
  readonly #batch: number
  readonly #started = performance.now()
  readonly #recent: number[] = []
  /** Of each of these steps, how long it waited for its samples. */
  readonly #waits: number[] = []
  #waited = 0
  #last = performance.now()
  #step = 0

  constructor(total: number, batch: number) {
    this.#total = total
    this.#batch = batch
  }

  resumeAt(step: number): void {
    this.#step = step
    this.#last = performance.now()
  }

  /** Waits for the samples of a step, and counts how long. */
  async wait<T>(samples: Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      return await samples
    } finally {
      this.#waited += performance.now() - began
    }
  }

  tick(step: number): void {
    const now = performance.now()
    const steps = Math.max(1, step - this.#step)
    this.#recent.push((now - this.#last) / steps)
    this.#waits.push(this.#waited / steps)
    this.#waited = 0
    for (const list of [this.#recent, this.#waits]) if (list.length > 200) list.shift()
    this.#last = now
    this.#step = step
  }

  state(): { elapsed: number; throughput?: number; waiting?: number; left?: [number, number] } {
    const elapsed = performance.now() - this.#started
    if (this.#recent.length < ENOUGH) return { elapsed }
    const sorted = this.#recent.toSorted((a, b) => a - b)
    const quantile = (q: number) => sorted[Math.floor(q * (sorted.length - 1))] as number
    const meanOf = (list: readonly number[]) => list.reduce((sum, ms) => sum + ms, 0) / list.length
    const mean = meanOf(this.#recent)
    const waiting = Math.min(1, meanOf(this.#waits) / mean)
    const remaining = this.#total - this.#step
    // A mean over many steps varies less than single steps do: the range is around it.
    const low = (Math.min(quantile(0.25), mean) + mean) / 2
    const high = (Math.max(quantile(0.75), mean) + mean) / 2
    return { elapsed, throughput: (1000 * this.#batch) / mean, waiting, left: [remaining * low, remaining * high] }
  }
}
