/** A stretch of a sequence that is the same part over and over. */
export interface Repeat {
  readonly start: number
  /** Length of the part. */
  readonly period: number
  readonly times: number
}

export interface RepeatOptions {
  /** Longest part that is looked for. */
  readonly longest: number
  /** How often a part of a length must come to count; undefined when such a part is nothing to fold. */
  readonly least: (start: number, period: number) => number | undefined
}

/**
 * Tandem repeats of a sequence that do not overlap, in their order: those that cover the most first, of equal ones
 * the shorter part. Time O(length × longest).
 */
export function repeatsOf(sequence: ArrayLike<number>, { longest, least }: RepeatOptions): readonly Repeat[] {
  const found: Repeat[] = []
  const n = sequence.length
  for (let period = 1; period <= Math.min(longest, n >> 1); period++) {
    let same = 0
    for (let i = n - period - 1; i >= -1; i--) {
      const isSame = i >= 0 && sequence[i] === sequence[i + period]
      if (isSame) {
        same++
        continue
      }
      if (same >= period) {
        const start = i + 1
        const times = Math.floor(same / period) + 1
        if (times >= (least(start, period) ?? Infinity)) found.push({ start, period, times })
      }
      same = 0
    }
  }
  return chosen(found)
}

function chosen(found: readonly Repeat[]): readonly Repeat[] {
  const covers = ({ period, times }: Repeat) => period * times
  const taken: Repeat[] = []
  const isFree = (a: Repeat) => taken.every((b) => a.start + covers(a) <= b.start || b.start + covers(b) <= a.start)
  for (const repeat of found.toSorted((a, b) => covers(b) - covers(a) || a.period - b.period || a.start - b.start)) {
    if (isFree(repeat)) taken.push(repeat)
  }
  return taken.toSorted((a, b) => a.start - b.start)
}
