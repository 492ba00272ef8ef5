import { axisMarks, roomFor, type Box } from './frame.ts'
import { extentOf, scaleOf } from './scale.ts'
import { seriesToken, type Mark, type Scene, type Spot } from './scene.ts'

/** Counts of values between edges: `edges.length === counts.length + 1`, ascending. */
export interface Histogram {
  readonly edges: readonly number[]
  readonly counts: readonly number[]
}

/** Counts finite values in bins of one width; the last bin has both its ends. */
export function histogramOf(values: ArrayLike<number>, bins: number): Histogram {
  const finite = Array.from(values).filter((value) => Number.isFinite(value))
  const [low, high] = extentOf(finite) ?? [0, 1]
  const width = (high - low || 1) / bins
  const counts = Array<number>(bins).fill(0)
  for (const value of finite) {
    const bin = Math.min(bins - 1, Math.floor((value - low) / width))
    counts[bin] = (counts[bin] ?? 0) + 1
  }
  return { edges: Array.from({ length: bins + 1 }, (_, i) => low + i * width), counts }
}

export interface HistogramSeries extends Histogram {
  readonly id: string
  readonly name: string
  readonly colour: number
}

/** A place of the x axis, with a word for it: the end of a range, a threshold. */
export interface Threshold {
  readonly x: number
  readonly name: string
  /** The one that counts; others are drawn with points. */
  readonly main: boolean
}

export interface HistogramInput {
  readonly series: readonly HistogramSeries[]
  readonly thresholds?: readonly Threshold[] | undefined
  readonly logY: boolean
  readonly showX: (value: number) => string
  readonly showY: (value: number) => string
  readonly xName: string
  readonly yName: string
  /** The words for a bin. */
  readonly describe: (bin: { readonly from: number; readonly to: number; readonly counts: readonly number[] }) => string
}

/** Under a logarithmic axis a count of one still has a bar. */
const LEAST = 0.5

/** Steps over the bins of one or several histograms; several are drawn over each other, half transparent. */
export function histogramScene(input: HistogramInput, width: number, height: number): Scene {
  const { series, logY, showX, showY, xName, yName } = input
  const most = Math.max(1, ...series.flatMap(({ counts }) => counts))
  const labels = scaleOf(logY ? [LEAST, most] : [0, most], [0, 1], logY)
    .ticks(5)
    .map(showY)
  const box: Box = { left: roomFor(labels), top: 18, right: width - 12, bottom: height - 34 }
  const domain = domainOf(input)
  const x = scaleOf(domain, [box.left, box.right])
  const y = scaleOf(logY ? [LEAST, most * 1.3] : [0, most * 1.05], [box.bottom, box.top], logY)
  const marks: Mark[] = axisMarks({ box, x, y, showX, showY, xName, yName })
  const opacity = series.length > 1 ? 0.55 : 0.9
  for (const { edges, counts, colour } of series) {
    counts.forEach((count, i) => {
      if (count === 0) return
      const [from, to] = [x.at(edges[i] ?? 0), x.at(edges[i + 1] ?? 0)]
      const top = y.at(count)
      const w = Math.max(0.75, to - from - 0.5)
      marks.push({ kind: 'rect', x: from, y: top, w, h: box.bottom - top, fill: seriesToken(colour), opacity })
    })
  }
  for (const { x: at, main } of input.thresholds ?? []) {
    const place = x.at(at)
    const dash = main ? '6 3' : '1 3'
    marks.push({ kind: 'line', x1: place, x2: place, y1: box.top - 8, y2: box.bottom, colour: 'bad', dash, width: 1.5 })
  }
  return {
    width,
    height,
    marks,
    spots: binSpots(
      input,
      (value) => x.at(value),
      (count) => y.at(Math.max(LEAST, count)),
    ),
  }
}

/** All bins, and thresholds that are not far from them: one that is would leave the bins no room. */
function domainOf({ series, thresholds = [] }: HistogramInput): [number, number] {
  const [low, high] = extentOf(series.flatMap(({ edges }) => edges)) ?? [0, 1]
  const room = 0.6 * (high - low || 1)
  const near = thresholds.map(({ x }) => x).filter((x) => x > low - room && x < high + room)
  const [from, to] = extentOf([low, high, ...near]) ?? [low, high]
  return [from, to]
}

function binSpots(
  { series, describe }: HistogramInput,
  atX: (value: number) => number,
  atY: (count: number) => number,
): Spot[] {
  const [first] = series
  if (!first) return []
  return first.counts.map((_, i) => {
    const [from, to] = [first.edges[i] ?? 0, first.edges[i + 1] ?? 0]
    const counts = series.map(({ counts }) => counts[i] ?? 0)
    return {
      id: String(i),
      x: (atX(from) + atX(to)) / 2,
      y: atY(Math.max(...counts)),
      label: describe({ from, to, counts }),
    }
  })
}
