import { decimate, pixelEdges } from './decimate.ts'
import { axisMarks, roomFor, type Box } from './frame.ts'
import type { ChartFrame, ChartLine, Marker, Reference } from './model.ts'
import { scaleOf, type Scale } from './scale.ts'
import { fitText, seriesToken, textWidth, type DataTable, type Mark, type Scene } from './scene.ts'
import { paddedRange } from './ticks.ts'

export interface LinesInput {
  readonly lines: readonly ChartLine[]
  readonly frame: ChartFrame
  readonly references: readonly Reference[]
  readonly markers: readonly Marker[]
  readonly xName: string
  readonly showX: (value: number) => string
  readonly showY: (value: number) => string
}

/** What is drawn of a line: its smooth values in front of its raw ones. */
interface Drawn {
  readonly colour: ReturnType<typeof seriesToken>
  readonly raw: readonly (number | null | undefined)[]
  readonly smooth?: readonly (number | null | undefined)[]
}

/** Lines over an x axis as a drawing for files: what the screen shows, with the names of the lines above. */
export function lineScene(
  { lines, frame, references, markers, xName, showX, showY }: LinesInput,
  width: number,
  height: number,
): Scene {
  const { view, logX, logY } = frame
  const { xs, drawn } = valuesOf(lines, frame, width)
  const yDomain = rangeOf(drawn, references, logY)
  const labels = scaleOf(yDomain, [0, 1], logY)
    .ticks(5)
    .map((value) => showY(value))
  const box: Box = { left: roomFor(labels), top: 30, right: width - 14, bottom: height - 34 }
  const x = scaleOf([view.min, view.max], [box.left, box.right], logX)
  const y = scaleOf(yDomain, [box.bottom, box.top], logY)
  const marks = [...axisMarks({ box, x, y, showX, showY, xName }), ...legendMarks(lines, box)]
  for (const { colour, raw, smooth } of drawn) {
    const path = (values: Drawn['raw'], opacity: number): Mark[] => {
      const d = pathOf(xs, values, { x, y }, box)
      return d === '' ? [] : [{ kind: 'path', d, colour, width: 1.5, opacity }]
    }
    marks.push(...path(raw, smooth ? 0.3 : 1), ...(smooth ? path(smooth, 1) : []))
  }
  for (const { name, value, colour } of references) {
    const [at, token] = [y.at(value), seriesToken(colour)]
    marks.push(
      { kind: 'line', x1: box.left, x2: box.right, y1: at, y2: at, colour: token, dash: '5 4', width: 1.4 },
      { kind: 'text', x: box.left + 6, y: at - 4, text: `${name} ${showY(value)}`, colour: token },
    )
  }
  for (const { x: place, label } of markers) {
    if (place < view.min || place > view.max) continue
    const at = x.at(place)
    marks.push(
      { kind: 'line', x1: at, x2: at, y1: box.top, y2: box.bottom, colour: 'muted', dash: '2 3' },
      { kind: 'text', x: at + 4, y: box.top + 10, text: label, colour: 'muted' },
    )
  }
  return { width, height, marks, spots: [] }
}

/** No more values than pixels can show, the least and the greatest of each kept. */
function valuesOf(lines: readonly ChartLine[], { view, logX }: ChartFrame, width: number) {
  const rows = lines.flatMap(({ x, raw, smooth }) => [{ x, y: raw }, ...(smooth ? [{ x, y: smooth }] : [])])
  const [xs, ...ys] = decimate(rows, pixelEdges(view, Math.max(1, Math.round(width)), logX))
  let at = 0
  const drawn = lines.map(({ colour, smooth }): Drawn => {
    const raw = ys[at++] ?? []
    return { colour: seriesToken(colour), raw, ...(smooth ? { smooth: ys[at++] ?? [] } : {}) }
  })
  return { xs, drawn }
}

function rangeOf(drawn: readonly Drawn[], references: readonly Reference[], logarithmic: boolean): [number, number] {
  let [low, high] = [Infinity, -Infinity]
  const take = (value: number | null | undefined) => {
    if (value === null || value === undefined || (logarithmic && value <= 0)) return
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  for (const { raw, smooth } of drawn) for (const value of smooth ?? raw) take(value)
  for (const { value } of references) take(value)
  return low > high ? [logarithmic ? 0.1 : 0, 1] : paddedRange(low, high, logarithmic)
}

function pathOf(
  xs: readonly number[],
  values: Drawn['raw'],
  { x, y }: { readonly x: Scale; readonly y: Scale },
  box: Box,
): string {
  const clamp = (at: number) => Math.min(box.bottom, Math.max(box.top, at))
  let d = ''
  let pen = false
  values.forEach((value, i) => {
    // `undefined` only has no value here; `null` breaks the line.
    if (value === undefined) return
    const at = x.at(xs[i] ?? 0)
    if (value === null || !Number.isFinite(y.at(value)) || at < box.left - 1 || at > box.right + 1) {
      pen = false
      return
    }
    d += `${pen ? 'L' : 'M'}${at.toFixed(1)} ${clamp(y.at(value)).toFixed(1)}`
    pen = true
  })
  return d
}

function legendMarks(lines: readonly ChartLine[], box: Box): Mark[] {
  const marks: Mark[] = []
  const room = Math.max(60, (box.right - box.left) / Math.max(1, lines.length) - 26)
  let at = box.left
  for (const { name, colour } of lines) {
    const text = fitText(name, room)
    marks.push(
      { kind: 'line', x1: at, x2: at + 12, y1: 12, y2: 12, colour: seriesToken(colour), width: 3 },
      { kind: 'text', x: at + 17, y: 16, text, colour: 'muted' },
    )
    at += 17 + textWidth(text) + 12
  }
  return marks
}

/** Every value of every line, not only what a screen can show. */
export function lineTable(lines: readonly ChartLine[], xName: string): DataTable {
  const xs = [...new Set(lines.flatMap(({ x }) => [...x.values]))].sort((a, b) => a - b)
  const byX = lines.map(({ x, raw }) => new Map([...x.values].map((place, i) => [place, raw.at(i)])))
  return {
    columns: [xName, ...lines.map(({ name }) => name)],
    rows: xs.map((x) => [x, ...byX.map((values) => values.get(x))]),
  }
}
