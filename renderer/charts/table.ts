import { lowerBound } from './column.ts'
import type { ChartLine } from './model.ts'

/** Rows that a person still reads. */
const MOST = 60

export interface ChartTable {
  readonly names: readonly string[]
  readonly rows: readonly { readonly x: number; readonly values: readonly (number | undefined)[] }[]
  /** Every so manieth row is shown; the last one always. */
  readonly every: number
  readonly total: number
}

/** The values of a chart as a table: of all x places of its lines, evenly spaced ones. */
export function chartTable(lines: readonly ChartLine[]): ChartTable {
  const xs = [...new Set(lines.flatMap(({ x }) => sampled(x.values)))].sort((a, b) => a - b)
  const total = Math.max(0, ...lines.map(({ x }) => x.length))
  const every = Math.max(1, Math.ceil(total / MOST))
  return {
    names: lines.map(({ name }) => name),
    rows: xs.map((x) => ({ x, values: lines.map((line) => valueAt(line, x)) })),
    every,
    total,
  }
}

function sampled(values: Float64Array): number[] {
  const every = Math.max(1, Math.ceil(values.length / MOST))
  const picked = Array.from({ length: Math.ceil(values.length / every) }, (_, i) => i * every)
  if (values.length > 0 && picked.at(-1) !== values.length - 1) picked.push(values.length - 1)
  return picked.map((i) => values[i] ?? NaN)
}

/** The value of a line at a place, or undefined where it has none. */
export function valueAt({ x, raw }: ChartLine, place: number): number | undefined {
  const i = lowerBound(x.values, place)
  return x.at(i) === place ? raw.at(i) : undefined
}

/** The value of a line nearest to a place. */
export function nearest({ x, raw, smooth }: ChartLine, place: number): number | undefined {
  if (x.length === 0) return undefined
  const after = Math.min(lowerBound(x.values, place), x.length - 1)
  const before = Math.max(0, after - 1)
  const i = Math.abs(x.at(before) - place) < Math.abs(x.at(after) - place) ? before : after
  return (smooth ?? raw).at(i)
}
