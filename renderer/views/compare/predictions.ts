import type { ModelPredictions, Predictions } from '../../../workers/protocol/studio.ts'

export const sampleFilters = ['lost', 'won', 'disagree', 'bothWrong'] as const
export type SampleFilter = (typeof sampleFilters)[number]

const tests: Readonly<Record<SampleFilter, (base: number, own: number, label: number) => boolean>> = {
  lost: (base, own, label) => base === label && own !== label,
  won: (base, own, label) => base !== label && own === label,
  disagree: (base, own) => base !== own,
  bothWrong: (base, own, label) => base !== label && own !== label,
}

export interface Found {
  readonly index: number
  readonly label: number
  readonly base: number
  readonly own: number
  readonly baseConfidence: number
  readonly ownConfidence: number
}

/** Samples of a kind, those that the second model is surest of first: the ones that tell most. */
export function samplesOf(
  { labels }: Pick<Predictions, 'labels'>,
  base: ModelPredictions,
  own: ModelPredictions,
  filter: SampleFilter,
): Found[] {
  const found: Found[] = []
  labels.forEach((label, index) => {
    const [b, o] = [base.predictions[index] ?? -1, own.predictions[index] ?? -1]
    if (!tests[filter](b, o, label)) return
    const confidences = { baseConfidence: base.confidences[index] ?? NaN, ownConfidence: own.confidences[index] ?? NaN }
    found.push({ index, label, base: b, own: o, ...confidences })
  })
  return found.toSorted((a, b) => b.ownConfidence - a.ownConfidence || a.index - b.index)
}

/** `[label][answer]` counts. */
export function confusionOf(labels: Int32Array, predictions: Int32Array, classes: number): number[][] {
  const table = Array.from({ length: classes }, () => Array<number>(classes).fill(0))
  labels.forEach((label, i) => {
    const row = table[label]
    const said = predictions[i] ?? -1
    if (row?.[said] !== undefined) row[said]++
  })
  return table
}

export const differenceOf = (
  after: readonly (readonly number[])[],
  before: readonly (readonly number[])[],
): number[][] => after.map((row, i) => row.map((value, j) => value - (before[i]?.[j] ?? 0)))

export interface ClassAccuracy {
  readonly label: number
  readonly n: number
  readonly base: number
  readonly own: number
}

/** Accuracy class by class, the largest drop first; classes without samples are left out. */
export function perClass(
  before: readonly (readonly number[])[],
  after: readonly (readonly number[])[],
): ClassAccuracy[] {
  const sum = (row: readonly number[]) => row.reduce((total, value) => total + value, 0)
  return before
    .map((row, label) => {
      const n = sum(row)
      return { label, n, base: (row[label] ?? 0) / n, own: (after[label]?.[label] ?? 0) / n }
    })
    .filter(({ n }) => n > 0)
    .toSorted((a, b) => a.own - a.base - (b.own - b.base) || a.label - b.label)
}

/** What is taken for what most often among samples: `label → answer`, at most `most`. */
export function topConfusions(
  found: readonly Found[],
  most: number,
): { readonly label: number; readonly own: number; readonly count: number }[] {
  const counts = new Map<string, { label: number; own: number; count: number }>()
  for (const { label, own } of found) {
    if (label === own) continue
    const known = counts.get(`${label} ${own}`) ?? { label, own, count: 0 }
    known.count++
    counts.set(`${label} ${own}`, known)
  }
  return [...counts.values()].toSorted((a, b) => b.count - a.count).slice(0, most)
}
