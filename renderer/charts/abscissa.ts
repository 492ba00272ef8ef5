import { Column, lowerBound } from './column.ts'

/** What the x axis counts. */
export type XKind = 'step' | 'epoch' | 'time'

/** A column made from another, value by value; it goes on where it stopped. */
export class Derived {
  readonly column = new Column()

  /** @param certain values from this index on may still change and are made anew next time */
  follow(source: Column, map: (value: number) => number, certain = source.length): Column {
    this.column.truncate(Math.min(this.#certain, source.length))
    this.#certain = certain
    const fresh = source.values.subarray(this.column.length)
    if (fresh.length > 0) this.column.append(fresh.map(map))
    return this.column
  }

  #certain = 0
}

/** When a step was, from rows that say it for some steps: straight lines between them, and what is beyond is not known. */
export function timeOf(step: number, steps: Column, times: Column): number {
  const last = steps.length - 1
  if (last < 0) return NaN
  const after = lowerBound(steps.values, step)
  if (after > last) return times.at(last)
  const [s1, t1] = [steps.at(after), times.at(after)]
  // Before the first row there is the start.
  const [s0, t0] = after === 0 ? [0, 0] : [steps.at(after - 1), times.at(after - 1)]
  return s1 === s0 ? t1 : t0 + ((t1 - t0) * (step - s0)) / (s1 - s0)
}
