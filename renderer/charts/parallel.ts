import { extentOf, scaleOf } from './scale.ts'
import { fitText, seriesToken, type Mark, type Scene, type Spot } from './scene.ts'

export type Coordinate = number | string | undefined

export interface ParallelAxis {
  readonly id: string
  readonly name: string
  readonly show: (value: number) => string
  readonly logarithmic?: boolean
}

export interface ParallelLine {
  readonly id: string
  readonly name: string
  readonly colour: number
  /** One for each axis; what is missing interrupts the line. */
  readonly values: readonly Coordinate[]
}

export interface ParallelInput {
  readonly axes: readonly ParallelAxis[]
  readonly lines: readonly ParallelLine[]
  readonly chosen?: string | undefined
  readonly describe: (line: ParallelLine) => string
}

interface Placed {
  at(value: Coordinate): number | undefined
  readonly labels: readonly { readonly y: number; readonly text: string }[]
}

/** Numbers along a scale; where an axis has words, each of them at a place of its own, in order of their names. */
function place(axis: ParallelAxis, values: readonly Coordinate[], top: number, bottom: number): Placed {
  const words = [...new Set(values.filter((value) => value !== undefined).map(String))].toSorted()
  if (values.some((value) => typeof value === 'string')) {
    const step = (bottom - top) / Math.max(1, words.length - 1)
    const yOf = (word: string) => (words.length === 1 ? (top + bottom) / 2 : bottom - words.indexOf(word) * step)
    const every = Math.max(1, Math.ceil(words.length / 12))
    return {
      at: (value) => (value === undefined ? undefined : yOf(String(value))),
      labels: words.filter((_, i) => i % every === 0).map((word) => ({ y: yOf(word), text: word })),
    }
  }
  const numbers = values.filter((value) => typeof value === 'number')
  const [low, high] = extentOf(numbers) ?? [0, 1]
  const logarithmic = axis.logarithmic === true && low > 0
  const domain: [number, number] =
    low === high ? (logarithmic ? [low / 1.5, high * 1.5] : [low - 1, high + 1]) : [low, high]
  const scale = scaleOf(domain, [bottom, top], logarithmic)
  const ends = low === high ? [low] : [low, high]
  return {
    at: (value) => (typeof value === 'number' && Number.isFinite(value) ? scale.at(value) : undefined),
    labels: ends.map((value) => ({ y: scale.at(value), text: axis.show(value) })),
  }
}

/** One vertical axis for each measure or setting, and a line across them for each item. */
export function parallelScene({ axes, lines, chosen, describe }: ParallelInput, width: number, height: number): Scene {
  const [top, bottom] = [44, height - 22]
  const gap = axes.length > 1 ? (width - 130) / (axes.length - 1) : 0
  const xOf = (i: number) => 54 + i * gap
  const placed = axes.map((axis, i) =>
    place(
      axis,
      lines.map(({ values }) => values[i]),
      top,
      bottom,
    ),
  )
  const marks: Mark[] = []
  axes.forEach((axis, i) => {
    const x = xOf(i)
    const name = fitText(axis.name, Math.max(50, gap - 8))
    marks.push({ kind: 'text', x, y: i % 2 && gap < 90 ? 26 : 12, text: name, colour: 'muted', anchor: 'middle' })
    marks.push({ kind: 'line', x1: x, x2: x, y1: top, y2: bottom, colour: 'line-strong' })
  })
  const spots: Spot[] = []
  // What is chosen comes last, over all others.
  for (const line of lines.toSorted((a, b) => Number(a.id === chosen) - Number(b.id === chosen))) {
    const path = pathOf(line.values.map((value, i) => placed[i]?.at(value)).map((y, i) => ({ x: xOf(i), y })))
    const strong = line.id === chosen
    const opacity = strong ? 1 : lines.length > 40 ? 0.25 : chosen === undefined ? 0.85 : 0.5
    marks.push({ kind: 'path', d: path, colour: seriesToken(line.colour), width: strong ? 2.6 : 1.5, opacity })
  }
  for (const line of lines) {
    const last = line.values.findLastIndex((value, i) => placed[i]?.at(value) !== undefined)
    if (last >= 0)
      spots.push({ id: line.id, x: xOf(last), y: placed[last]?.at(line.values[last]) ?? 0, label: describe(line) })
  }
  placed.forEach(({ labels }, i) => {
    for (const { y, text } of labels) {
      const said = fitText(text, Math.max(46, gap - 12))
      marks.push({
        kind: 'text',
        x: xOf(i) + 5,
        y: y === top ? y + 9 : y + (y === bottom ? 13 : 4),
        text: said,
        colour: 'text',
      })
    }
  })
  return { width, height, marks, spots }
}

function pathOf(places: readonly { readonly x: number; readonly y: number | undefined }[]): string {
  let joined = false
  return places
    .map(({ x, y }) => {
      if (y === undefined) {
        joined = false
        return ''
      }
      const step = `${joined ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`
      joined = true
      return step
    })
    .join('')
}
