import { fitText, textWidth, type Mark, type Scene, type Spot } from './scene.ts'

export interface HeatInput {
  /** `values[row][column]`. */
  readonly values: readonly (readonly number[])[]
  readonly rows: readonly string[]
  readonly columns: readonly string[]
  readonly rowName: string
  readonly columnName: string
  readonly show: (value: number) => string
  readonly describe: (row: number, column: number, value: number) => string
  /** Values have a sign: above zero in one colour, below it in another. */
  readonly signed?: boolean
  /** Sign that is good news; the other one is bad. Off the diagonal of a confusion matrix fewer is better. */
  readonly goodSign?: ((row: number, column: number) => 1 | -1) | undefined
  /** Rows and columns are not the same things: nothing is special where their numbers agree. */
  readonly uneven?: boolean
  /** Cells wide enough for the names of their columns. */
  readonly oblong?: boolean
}

/** Sizes of the cells of a map whose columns are wider than its rows are high. */
const OBLONG = { width: 92, height: 24 }

/** Strongest tint under text: darker would take its contrast. */
const STRONGEST = 0.6

/**
 * A table of tints. They follow the square root of the value, so that small counts are still told from none; on the
 * diagonal of a confusion matrix and off it each has its own maximum, since what is right outweighs what is wrong.
 */
export function heatScene(input: HeatInput, width: number): Scene {
  const { values, rows, columns, rowName, columnName, signed, oblong = false } = input
  const left = Math.min(oblong ? 190 : 170, Math.max(30, ...rows.map((text) => textWidth(text))) + 30)
  const wide = Math.max(6, Math.min(oblong ? OBLONG.width : 44, (width - left - 8) / Math.max(1, columns.length)))
  const cell = oblong ? Math.min(wide, OBLONG.height) : wide
  const top = 36
  const height = Math.ceil(top + cell * rows.length + 8)
  const marks: Mark[] = [
    { kind: 'text', x: left, y: 11, text: columnName, colour: 'muted' },
    {
      kind: 'text',
      x: 10,
      y: top + (cell * rows.length) / 2,
      text: rowName,
      colour: 'muted',
      anchor: 'middle',
      turn: -90,
    },
  ]
  const every = Math.max(1, Math.ceil(14 / cell))
  columns.forEach((text, j) => {
    if (!oblong && j % every > 0) return
    const x = left + (j + 0.5) * wide
    marks.push({
      kind: 'text',
      x,
      y: 29,
      text: fitText(text, oblong ? wide - 2 : cell * every - 2),
      colour: 'faint',
      anchor: 'middle',
    })
  })
  const strongest = maxima(values, input.uneven)
  const isDiagonal = (i: number, j: number) => i === j && !input.uneven
  const spots: Spot[] = []
  rows.forEach((text, i) => {
    const y = top + i * cell
    if (i % every === 0) {
      const label = fitText(text, left - 26)
      marks.push({ kind: 'text', x: left - 6, y: y + cell / 2 + 4, text: label, colour: 'faint', anchor: 'end' })
    }
    columns.forEach((_, j) => {
      const value = values[i]?.[j] ?? 0
      if (Number.isNaN(value)) return
      const x = left + j * wide
      const limit = isDiagonal(i, j) ? strongest.diagonal : strongest.rest
      const opacity = value === 0 ? 0 : STRONGEST * Math.sqrt(Math.abs(value) / (limit || 1))
      const good = (input.goodSign?.(i, j) ?? 1) === Math.sign(value)
      const fill = signed ? (good ? 'good' : 'bad') : isDiagonal(i, j) ? 's3' : 's1'
      marks.push({ kind: 'rect', x, y, w: wide - 1, h: cell - 1, fill: 'sunken' })
      if (opacity > 0) marks.push({ kind: 'rect', x, y, w: wide - 1, h: cell - 1, fill, opacity: Math.min(1, opacity) })
      const said = input.show(value)
      if ((value !== 0 || oblong) && textWidth(said) < wide - 2) {
        const at = { x: x + wide / 2 - 0.5, y: y + cell / 2 + 3.5 }
        marks.push({ kind: 'text', ...at, text: said, colour: 'text', anchor: 'middle' })
      }
      spots.push({ id: `${i}:${j}`, x: x + wide / 2, y: y + cell / 2, label: input.describe(i, j, value) })
    })
  })
  return { width, height, marks, spots }
}

function maxima(values: readonly (readonly number[])[], uneven = false): { diagonal: number; rest: number } {
  let [diagonal, rest] = [0, 0]
  values.forEach((row, i) =>
    row.forEach((value, j) => {
      if (Number.isNaN(value)) return
      if (i === j && !uneven) diagonal = Math.max(diagonal, Math.abs(value))
      else rest = Math.max(rest, Math.abs(value))
    }),
  )
  return { diagonal, rest }
}
