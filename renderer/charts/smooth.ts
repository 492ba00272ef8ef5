import { Column } from './column.ts'

/** More than this would flatten a curve altogether. */
export const MAX_SMOOTHING = 0.999

/**
 * Exponential moving average without the start's bias towards zero (Kingma & Ba 2015, arXiv:1412.6980, section 3):
 * s ← βs + (1−β)y, shown as s / (1−βⁿ). It goes on where it stopped, so a live curve costs only its new points. A NaN
 * stays a NaN and is not averaged in.
 */
export class Smoother {
  readonly #beta: number
  #sum = 0
  /** 1 − βⁿ, kept as the same average of ones. */
  #weight = 0
  readonly column = new Column()

  constructor(beta: number) {
    this.#beta = Math.min(Math.max(beta, 0), MAX_SMOOTHING)
  }

  /** Smooths what `source` has beyond what was smoothed before; starts again when the source was cut. */
  follow(source: Column): Column {
    if (source.length < this.column.length) {
      this.column.truncate(0)
      this.#sum = 0
      this.#weight = 0
    }
    const fresh = source.values.subarray(this.column.length)
    if (fresh.length > 0) this.column.append(fresh.map((y) => this.#next(y)))
    return this.column
  }

  #next(y: number): number {
    if (!Number.isFinite(y)) return NaN
    this.#sum = this.#beta * this.#sum + (1 - this.#beta) * y
    this.#weight = this.#beta * this.#weight + (1 - this.#beta)
    return this.#sum / this.#weight
  }
}
