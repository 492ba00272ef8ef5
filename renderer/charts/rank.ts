import { axisMarks, roomFor, type Box } from './frame.ts'
import { extentOf, scaleOf, type Scale } from './scale.ts'
import { seriesToken, type Mark, type Scene, type Spot } from './scene.ts'

/** How much of a layer is lost at each rank of one of its modes. */
export interface RankLine {
  readonly name: string
  readonly colour: number
  readonly ranks: readonly number[]
  readonly errors: readonly number[]
}

/** What was measured at a share of the ranks. */
export interface RankTime {
  readonly share: number
  readonly milliseconds: number
}

export interface RankInput {
  readonly lines: readonly RankLine[]
  readonly times: readonly RankTime[]
  /** Milliseconds of the model with the layer as it was. */
  readonly before?: number | undefined
  /** Where it is cut, as a share of the full rank. */
  readonly cut: number
  readonly showShare: (value: number) => string
  readonly showError: (value: number) => string
  readonly showTime: (value: number) => string
  readonly names: { readonly share: string; readonly error: string; readonly time: string; readonly before: string }
  /** The words for a cut. */
  readonly describe: (share: number) => string
}

const GAP = 40
/** Places that the arrow keys go through. */
const STOPS = 50

export const fullRank = ({ ranks }: RankLine): number => ranks.at(-1) ?? 1

/** The rank of a line at a share, at least 1. */
export const rankAt = (line: RankLine, share: number): number => Math.max(1, Math.round(share * fullRank(line)))

/** The error at a rank; between two that were looked at, on a straight line. */
export function errorAt({ ranks, errors }: RankLine, rank: number): number {
  const at = ranks.findIndex((r) => r >= rank)
  if (at < 0) return errors.at(-1) ?? 0
  const [high, right] = [ranks[at] ?? rank, errors[at] ?? 0]
  if (high === rank) return right
  // Rank 0 keeps nothing.
  const [low, left] = at === 0 ? [0, 1] : [ranks[at - 1] ?? 0, errors[at - 1] ?? 1]
  return left + ((rank - low) / (high - low)) * (right - left)
}

/** No more than this is lost when every mode is cut (De Lathauwer et al. 2000, eq. 24, for Tucker's truncation). */
export const boundAt = (lines: readonly RankLine[], share: number): number =>
  Math.min(1, Math.hypot(...lines.map((line) => errorAt(line, rankAt(line, share)))))

/** The left edge and the width of what is drawn: what a pointer's place means. */
export function rankScale(input: RankInput, width: number): Scale {
  const labels = [
    ...[0, 0.5, 1].map(input.showError),
    ...input.times.map(({ milliseconds }) => input.showTime(milliseconds)),
  ]
  return scaleOf([0, 1], [roomFor(labels) + 4, width - 14])
}

/** Error over rank, what was measured below it on the same axis, and the cut through both. */
export function rankScene(input: RankInput, width: number, height: number): Scene {
  const { lines, times, cut, showShare, showError, showTime, names } = input
  const x = rankScale(input, width)
  const [left, right] = [x.at(0), x.at(1)]
  const split = times.length > 0 ? Math.round((height - 18) * 0.56) : height - 34
  const upper: Box = { left, right, top: 18, bottom: split }
  const error = scaleOf([0, 1], [upper.bottom, upper.top])
  const lowest = times.length > 0 ? height - 34 : split
  const marks: Mark[] = axisMarks({
    box: upper,
    x,
    y: error,
    showX: times.length > 0 ? () => '' : showShare,
    showY: showError,
    xName: times.length > 0 ? undefined : names.share,
    yName: names.error,
  })
  for (const line of lines) marks.push(curve(line, x, error))
  if (times.length > 0) marks.push(...timeMarks(input, x, { left, right, top: split + GAP, bottom: lowest }, showTime))
  const at = x.at(cut)
  marks.push({ kind: 'line', x1: at, x2: at, y1: upper.top - 6, y2: lowest, colour: 'accent', width: 2 })
  marks.push({ kind: 'circle', x: at, y: upper.top - 6, r: 5, fill: 'accent', stroke: 'surface' })
  for (const line of lines) {
    const y = error.at(errorAt(line, rankAt(line, cut)))
    marks.push({ kind: 'circle', x: at, y, r: 4.5, fill: seriesToken(line.colour), stroke: 'surface' })
  }
  const spots = Array.from({ length: STOPS }, (_, i): Spot => {
    const share = (i + 1) / STOPS
    return { id: String(share), x: x.at(share), y: error.at(boundAt(lines, share)), label: input.describe(share) }
  })
  return { width, height, marks, spots }
}

function curve(line: RankLine, x: Scale, y: Scale): Mark {
  const full = fullRank(line)
  const points = [[0, 1] as const, ...line.ranks.map((rank, i) => [rank / full, line.errors[i] ?? 0] as const)]
  const d = points.map(([a, b], i) => `${i === 0 ? 'M' : 'L'}${x.at(a).toFixed(1)} ${y.at(b).toFixed(1)}`).join('')
  return { kind: 'path', d, colour: seriesToken(line.colour), width: 2 }
}

function timeMarks({ times, before, names }: RankInput, x: Scale, box: Box, showY: (value: number) => string): Mark[] {
  const [low, high] = extentOf([...times.map(({ milliseconds }) => milliseconds), before]) ?? [0, 1]
  const pad = (high - low || high || 1) * 0.12
  const y = scaleOf([Math.max(0, low - pad), high + pad], [box.bottom, box.top])
  const showX = (value: number) => `${Math.round(100 * value)} %`
  const marks = axisMarks({ box, x, y, showX, showY, xName: names.share })
  marks.push({ kind: 'text', x: 4, y: box.top - 8, text: names.time, colour: 'muted' })
  const sorted = times.toSorted((a, b) => a.share - b.share)
  const d = sorted.map(
    ({ share, milliseconds }, i) => `${i === 0 ? 'M' : 'L'}${x.at(share).toFixed(1)} ${y.at(milliseconds).toFixed(1)}`,
  )
  marks.push({ kind: 'path', d: d.join(''), colour: 's5', width: 1.5 })
  for (const { share, milliseconds } of sorted) {
    marks.push({ kind: 'circle', x: x.at(share), y: y.at(milliseconds), r: 4, fill: 's5', stroke: 'surface' })
  }
  if (before !== undefined) {
    const at = y.at(before)
    marks.push({ kind: 'line', x1: box.left, x2: box.right, y1: at, y2: at, colour: 'muted', dash: '4 3' })
    marks.push({ kind: 'text', x: box.right, y: at - 4, text: names.before, colour: 'muted', anchor: 'end' })
  }
  return marks
}
