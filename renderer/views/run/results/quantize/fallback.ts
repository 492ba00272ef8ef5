import { axisMarks, roomFor, type Box } from '../../../../charts/frame.ts'
import { extentOf, scaleOf } from '../../../../charts/scale.ts'
import { textWidth, type Mark, type Scene, type Spot } from '../../../../charts/scene.ts'
import { paddedRange } from '../../../../charts/ticks.ts'

export interface FallbackPoint {
  /** Layers in float. */
  readonly float: number
  readonly accuracy: number
  readonly interval: readonly [number, number]
  readonly met: boolean
  readonly last: boolean
}

export interface FallbackInput {
  readonly points: readonly FallbackPoint[]
  readonly target?: { readonly value: number; readonly label: string } | undefined
  readonly baseline?: { readonly value: number; readonly label: string } | undefined
  readonly xName: string
  readonly yName: string
  readonly showX: (value: number) => string
  readonly showY: (value: number) => string
  readonly describe: (point: FallbackPoint, i: number) => string
}

/** Accuracy by how many layers stay in float, each set that was tried with its interval, and the line to be met. */
export function fallbackScene(input: FallbackInput, width: number, height: number): Scene {
  const { points, target, baseline, showX, showY, xName, yName } = input
  const lines = [target, baseline].flatMap((line) => line ?? [])
  const values = points.flatMap(({ accuracy, interval }) => [accuracy, ...interval])
  const [low, high] = extentOf([...values, ...lines.map(({ value }) => value)]) ?? [0, 1]
  const yDomain = paddedRange(low, high, false)
  const labels = scaleOf(yDomain, [0, 1]).ticks(5).map(showY)
  const box: Box = { left: roomFor(labels), top: 18, right: width - 14, bottom: height - 34 }
  const most = Math.max(1, ...points.map(({ float }) => float))
  const x = scaleOf([-0.5, most + 0.5], [box.left, box.right])
  const y = scaleOf(yDomain, [box.bottom, box.top])
  // Layers are counted: between whole numbers there is nothing to label.
  const whole = { ...x, ticks: (n: number) => x.ticks(n).filter((value) => Number.isInteger(value) && value >= 0) }
  const marks: Mark[] = axisMarks({ box, x: whole, y, showX, showY, xName, yName })
  lines.forEach(({ value, label }, i) => {
    const at = y.at(value)
    const colour = i === 0 && target ? 'bad' : 'info'
    marks.push({ kind: 'line', x1: box.left, x2: box.right, y1: at, y2: at, colour, dash: '6 4', width: 1.5 })
    marks.push({ kind: 'text', x: box.right - textWidth(label), y: at - 5, text: label, colour })
  })
  const spots: Spot[] = points.map((point, i) => {
    const [px, py] = [x.at(point.float), y.at(point.accuracy)]
    const fill = point.met ? 'good' : 'bad'
    const [a, b] = point.interval
    marks.push({ kind: 'line', x1: px, x2: px, y1: y.at(a), y2: y.at(b), colour: fill, width: 1.3 })
    // Met is a disc, missed a ring: not told by colour alone.
    marks.push({
      kind: 'circle',
      x: px,
      y: py,
      r: point.last ? 7 : 5,
      fill: point.met ? fill : 'surface',
      stroke: fill,
    })
    return { id: String(i), x: px, y: py, label: input.describe(point, i) }
  })
  return { width, height, marks, spots: spots.toSorted((a, b) => a.x - b.x) }
}
