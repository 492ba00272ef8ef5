import { lowerBound, type Column } from './column.ts'

/** A line: its x values never decrease. */
export interface Line {
  readonly x: Column
  readonly y: Column
  /** Has no spikes to show: where there are many points, one per pixel is enough of it. */
  readonly smooth?: boolean
}

/** What uPlot draws: x values, then one list per line. `null` breaks a line, `undefined` only has no value there. */
export type Aligned = [number[], ...(number | null | undefined)[][]]

export interface View {
  readonly min: number
  readonly max: number
}

/**
 * Brings lines onto one grid for a chart that is `pixels` wide. Where there are more points than two per pixel, each
 * pixel column gets the least and the greatest value of its points, so no spike is ever hidden; else every point is
 * kept. One point outside the view on either side keeps the lines going to its edges.
 *
 * @param edges the x at which each pixel column begins, and the end of the last; may be spaced by logarithms
 */
export function decimate(lines: readonly Line[], edges: Float64Array): Aligned {
  const pixels = edges.length - 1
  const view: View = { min: edges[0] ?? 0, max: edges[pixels] ?? 0 }
  const ranges = lines.map(({ x }) => inView(x, view))
  const most = Math.max(0, ...ranges.map(([from, to]) => to - from))
  return most > 2 * pixels ? bucketed(lines, ranges, edges) : everyPoint(lines, ranges)
}

/** Pixel columns of a view: equal parts of it, or of its logarithm. */
export function pixelEdges(view: View, pixels: number, logarithmic: boolean): Float64Array {
  const edges = new Float64Array(pixels + 1)
  const low = logarithmic ? Math.log(view.min) : view.min
  const high = logarithmic ? Math.log(view.max) : view.max
  for (let p = 0; p <= pixels; p++) {
    const at = low + ((high - low) * p) / pixels
    edges[p] = logarithmic ? Math.exp(at) : at
  }
  return edges
}

type Range = readonly [from: number, to: number]

function inView(x: Column, view: View): Range {
  const values = x.values
  const from = lowerBound(values, view.min)
  // The first value beyond the view, not the first at its end: that one is still in it.
  let to = lowerBound(values, view.max, from)
  while (to < values.length && values[to] === view.max) to++
  return [from, to]
}

const orGap = (value: number): number | null => (Number.isFinite(value) ? value : null)

function everyPoint(lines: readonly Line[], ranges: readonly Range[]): Aligned {
  const places = new Set<number>()
  const wide = ranges.map(([from, to], i): Range => [Math.max(0, from - 1), Math.min(lines[i]?.x.length ?? 0, to + 1)])
  for (const [i, { x }] of lines.entries()) {
    const [from, to] = wide[i] ?? [0, 0]
    for (let k = from; k < to; k++) places.add(x.at(k))
  }
  const xs = Float64Array.from(places).sort()
  const slots = new Map<number, number>()
  xs.forEach((x, slot) => slots.set(x, slot))
  const ys = lines.map(({ x, y }, i) => {
    const [from, to] = wide[i] ?? [0, 0]
    const row = new Array<number | null | undefined>(xs.length).fill(undefined)
    for (let k = from; k < to; k++) row[slots.get(x.at(k)) ?? 0] = orGap(y.at(k))
    return row
  })
  return [[...xs], ...ys]
}

function bucketed(lines: readonly Line[], ranges: readonly Range[], edges: Float64Array): Aligned {
  const pixels = edges.length - 1
  const first = Math.min(...lines.map(({ x }, i) => x.at((ranges[i]?.[0] ?? 0) - 1)).filter(Number.isFinite), Infinity)
  const last = Math.max(...lines.map(({ x }, i) => x.at(ranges[i]?.[1] ?? 0)).filter(Number.isFinite), -Infinity)
  const xs: number[] = []
  if (first !== Infinity) xs.push(first)
  for (let p = 0; p < pixels; p++) {
    const [a, b] = [edges[p] ?? 0, edges[p + 1] ?? 0]
    xs.push(a + (b - a) / 4, a + (3 * (b - a)) / 4)
  }
  if (last !== -Infinity) xs.push(last)
  // Lines of one stream share their x, and so where each pixel column begins.
  const starts = new Map<Column, Int32Array>()
  const ys = lines.map((line, i) => {
    const [from, to] = ranges[i] ?? [0, 0]
    const row: (number | null | undefined)[] = []
    if (first !== Infinity) row.push(from > 0 ? orGap(line.y.at(from - 1)) : undefined)
    let bounds = starts.get(line.x)
    if (!bounds) starts.set(line.x, (bounds = pixelStarts(line.x, [from, to], edges)))
    if (line.smooth) pushNewest(row, line.y, bounds)
    else pushPixels(row, line.y, bounds)
    if (last !== -Infinity) row.push(to < line.x.length ? orGap(line.y.at(to)) : undefined)
    return row
  })
  return [xs, ...ys]
}

/** The index at which each pixel column begins, and where the last one ends. */
function pixelStarts(x: Column, [from, to]: Range, edges: Float64Array): Int32Array {
  const xs = x.values
  const starts = new Int32Array(edges.length).fill(to)
  starts[0] = from
  for (let p = 1; p < edges.length - 1; p++) starts[p] = lowerBound(xs, edges[p] ?? 0, starts[p - 1], to)
  return starts
}

/** The newest value of each pixel column. */
function pushNewest(row: (number | null | undefined)[], y: Column, starts: Int32Array): void {
  for (let p = 0; p < starts.length - 1; p++) {
    const to = starts[p + 1] ?? 0
    row.push(undefined, starts[p] === to ? undefined : orGap(y.at(to - 1)))
  }
}

/** Two values per pixel column: least and greatest, in the order in which the line meets them at its ends. */
function pushPixels(row: (number | null | undefined)[], y: Column, starts: Int32Array): void {
  for (let p = 0; p < starts.length - 1; p++) {
    const from = starts[p] ?? 0
    const to = starts[p + 1] ?? 0
    const extent = from === to ? undefined : y.extent(from, to)
    if (from === to) row.push(undefined, undefined)
    else if (!extent) row.push(null, null)
    else if (to - from === 1) row.push(extent[0], undefined)
    else if (y.at(from) > y.at(to - 1)) row.push(extent[1], extent[0])
    else row.push(extent[0], extent[1])
  }
}
