import type { Report } from '../../../workers/protocol/worker.ts'
import type { Item } from './items.ts'

/** A value at the end of a path of a report: `latency.medianMs`. */
function numberAt(report: Report | undefined, path: string): number | undefined {
  let value: unknown = report
  for (const key of path.split('.'))
    value = typeof value === 'object' && value !== null ? (value as Report)[key] : undefined
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

export type MeasureId =
  'accuracy' | 'best' | 'last' | 'latency' | 'p95' | 'bytes' | 'packed' | 'params' | 'macs' | 'memory'

export interface Measure {
  readonly id: MeasureId
  readonly better: 'less' | 'more'
  /** How a value is shown, and a difference: shares in percentage points, everything else as a factor. */
  readonly kind: 'share' | 'time' | 'bytes' | 'count'
  readonly of: (item: Item) => number | undefined
}

const at = (path: string) => (item: Item) => numberAt(item.measured, path)

/** What models are held against each other by. */
export const measures: readonly Measure[] = [
  { id: 'accuracy', better: 'more', kind: 'share', of: at('accuracy') },
  { id: 'latency', better: 'less', kind: 'time', of: at('latency.medianMs') },
  { id: 'bytes', better: 'less', kind: 'bytes', of: at('bytes') },
  { id: 'params', better: 'less', kind: 'count', of: at('params') },
  { id: 'macs', better: 'less', kind: 'count', of: at('macs') },
  { id: 'packed', better: 'less', kind: 'bytes', of: at('packedBytes') },
  { id: 'p95', better: 'less', kind: 'time', of: at('latency.p95Ms') },
  { id: 'memory', better: 'less', kind: 'bytes', of: at('peakMemoryBytes') },
  { id: 'best', better: 'more', kind: 'share', of: ({ best }) => best },
  { id: 'last', better: 'more', kind: 'share', of: ({ last }) => last },
]

export const measureById = new Map(measures.map((measure) => [measure.id, measure]))

/** Standard error of an accuracy. */
export const errorOf = (item: Item): number | undefined => numberAt(item.measured, 'accuracyError')

/** 95 % interval of a measure, where one was measured. */
export function rangeOf(id: MeasureId, item: Item): readonly [number, number] | undefined {
  if (id === 'latency') {
    const latency = item.measured?.['latency'] as Report | undefined
    const interval = latency?.['medianInterval'] as readonly [number, number] | undefined
    return interval
  }
  const [value, error] = [numberAt(item.measured, 'accuracy'), errorOf(item)]
  if (id !== 'accuracy' || value === undefined || error === undefined) return undefined
  return [Math.max(0, value - 1.96 * error), Math.min(1, value + 1.96 * error)]
}

export interface Delta {
  /** Points of a share; else how many times as good. */
  readonly kind: 'points' | 'factor'
  readonly value: number
  /** `unclear`: the intervals of both overlap, so that chance alone may make the difference. */
  readonly verdict: 'better' | 'worse' | 'unclear' | 'same'
}

/** How an item differs from the baseline; nothing where either was not measured. */
export function deltaOf(measure: Measure, item: Item, baseline: Item): Delta | undefined {
  const [own, base] = [measure.of(item), measure.of(baseline)]
  if (own === undefined || base === undefined) return undefined
  const gain = measure.better === 'more' ? own - base : base - own
  const verdict = gain === 0 ? 'same' : overlaps(measure.id, item, baseline) ? 'unclear' : gain > 0 ? 'better' : 'worse'
  if (measure.kind === 'share') return { kind: 'points', value: own - base, verdict }
  if (own <= 0 || base <= 0) return undefined
  return { kind: 'factor', value: measure.better === 'less' ? base / own : own / base, verdict }
}

/** Whether the intervals of two measured values touch; a value without an interval is exact. */
function overlaps(id: MeasureId, a: Item, b: Item): boolean {
  const [own, base] = [rangeOf(id, a), rangeOf(id, b)]
  return own !== undefined && base !== undefined && own[0] <= base[1] && base[0] <= own[1]
}

/** Smaller on disk, but not faster: what a person should hear before they find out. */
export function isSmallerNotFaster(item: Item, baseline: Item): boolean {
  const bytes = measureById.get('bytes')
  const latency = measureById.get('latency')
  if (!bytes || !latency) return false
  const [size, time] = [deltaOf(bytes, item, baseline), deltaOf(latency, item, baseline)]
  return size !== undefined && time !== undefined && size.value > 1.1 && time.verdict !== 'better'
}
