import { extentOf, scaleOf } from './scale.ts'
import { fitText, seriesToken, textWidth, type Mark, type Scene, type Spot } from './scene.ts'

/** One row of bars, a bar for each series. */
export interface BarRow {
  readonly id: string
  readonly label: string
  readonly values: readonly (number | undefined)[]
  /** Ends of an interval around each value. */
  readonly ranges?: readonly (readonly [number, number] | undefined)[]
  /** Said after the bars: `64 → 40`. */
  readonly note: string
}

export interface BarInput {
  readonly rows: readonly BarRow[]
  /** Colour of each series. */
  readonly colours: readonly number[]
  readonly chosen?: string | undefined
  /** The words for a row. */
  readonly describe: (row: BarRow) => string
}

const BAR = 8
const PAD = 14

/** Pixels that so many rows of so many series take. */
export const barsHeight = (rows: number, series: number): number => rows * (series * BAR + PAD) + 8

/** Horizontal bars from zero in rows, one below the other; values below zero go to the left. */
export function barScene({ rows, colours, chosen, describe }: BarInput, width: number): Scene {
  const height = barsHeight(rows.length, colours.length)
  const left = Math.min(width * 0.4, Math.max(40, ...rows.map(({ label }) => textWidth(label) * 1.1)) + 16)
  const right = Math.max(40, ...rows.map(({ note }) => textWidth(note))) + 16
  const all = rows.flatMap(({ values, ranges }) => [...values, ...(ranges ?? []).flatMap((range) => range ?? [])])
  const [low, high] = extentOf(all) ?? [0, 1]
  const x = scaleOf([Math.min(0, low), Math.max(0, high) || 1], [left, Math.max(left + 20, width - right)])
  const marks: Mark[] = []
  const spots: Spot[] = []
  rows.forEach((row, i) => {
    const top = 4 + i * (colours.length * BAR + PAD) + PAD / 2
    const middle = top + (colours.length * BAR) / 2
    const bold = row.id === chosen
    marks.push({
      kind: 'text',
      x: left - 8,
      y: middle + 4,
      text: fitText(row.label, left - 12),
      colour: bold ? 'accent' : 'muted',
      anchor: 'end',
      mono: true,
    })
    let end = x.at(0)
    row.values.forEach((value, s) => {
      if (value === undefined) return
      const [from, to] = [x.at(Math.min(0, value)), x.at(Math.max(0, value))]
      const fill = seriesToken(colours[s] ?? s)
      marks.push({ kind: 'rect', x: from, y: top + s * BAR, w: Math.max(1, to - from), h: BAR - 1, fill, radius: 2 })
      const range = row.ranges?.[s]
      if (range) {
        const at = top + s * BAR + (BAR - 1) / 2
        marks.push({ kind: 'line', x1: x.at(range[0]), x2: x.at(range[1]), y1: at, y2: at, colour: 'text', width: 1.5 })
      }
      end = Math.max(end, to, range ? x.at(range[1]) : 0)
    })
    marks.push({ kind: 'text', x: end + 8, y: middle + 4, text: row.note, colour: 'faint' })
    spots.push({ id: row.id, x: Math.min(end, width - 20), y: middle, label: describe(row) })
  })
  marks.push({ kind: 'line', x1: x.at(0), x2: x.at(0), y1: 0, y2: height, colour: 'line-strong' })
  return { width, height, marks, spots }
}
