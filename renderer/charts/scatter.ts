import { axisMarks, roomFor, type Box } from './frame.ts'
import { isWithinLimits, paretoFront, sweetSpot, type Limits, type Tradeoff } from './pareto.ts'
import { extentOf, scaleOf, type Scale } from './scale.ts'
import { seriesToken, textWidth, type Mark, type Scene, type Spot } from './scene.ts'
import { paddedRange } from './ticks.ts'

export interface ScatterPoint {
  readonly id: string
  readonly name: string
  readonly x: number
  readonly y: number
  /** Ends of an interval around the value. */
  readonly xRange?: readonly [number, number] | undefined
  readonly yRange?: readonly [number, number] | undefined
  readonly colour: number
}

export interface ScatterInput {
  readonly points: readonly ScatterPoint[]
  readonly better: Tradeoff
  readonly limits: Limits
  readonly logX: boolean
  /** Drawn larger, its name bold. */
  readonly chosen?: string | undefined
  /** Whether there may be a best one: not where points cannot be compared fairly. */
  readonly judged: boolean
  readonly showX: (value: number) => string
  readonly showY: (value: number) => string
  readonly xName: string
  readonly yName: string
  /** The words for a point: its name and both values. */
  readonly describe: (point: ScatterPoint) => string
  readonly limitLabel?: string | undefined
}

/** A domain that shows all values with their intervals, not touching the frame. */
function domainOf(points: readonly ScatterPoint[], axis: 'x' | 'y', logarithmic: boolean): [number, number] {
  const values = points.flatMap((point) => [point[axis], ...((axis === 'x' ? point.xRange : point.yRange) ?? [])])
  const [low, high] = extentOf(values.filter((value) => !logarithmic || value > 0)) ?? [1, 2]
  return paddedRange(low, high, logarithmic)
}

/** Two measures against each other, what no other beats joined by a line, and what limits leave. */
export function scatterScene(input: ScatterInput, width: number, height: number): Scene {
  const { points, better, limits, logX, judged } = input
  const yDomain = domainOf(points, 'y', false)
  const labels = scaleOf(yDomain, [0, 1]).ticks(5).map(input.showY)
  const box: Box = { left: roomFor(labels), top: 18, right: width - 14, bottom: height - 34 }
  const x = scaleOf(domainOf(points, 'x', logX), [box.left, box.right], logX)
  const y = scaleOf(yDomain, [box.bottom, box.top])
  const { showX, showY, xName, yName } = input
  const marks = [...areaMarks(input, x, y, box), ...axisMarks({ box, x, y, showX, showY, xName, yName })]
  if (judged) marks.push(...frontMarks(paretoFront(points, better), x, y))
  const best = judged ? sweetSpot(points, { limits, better, logX }) : undefined
  const placed = new Labels(box)
  for (const { x: px, y: py, xRange = [px, px] } of points) {
    placed.taken(x.at(xRange[0]), x.at(xRange[1]), y.at(py))
  }
  for (const point of points) {
    const inside = isWithinLimits(point, limits, better)
    marks.push(...pointMarks(point, { x, y, strong: point === best || point.id === input.chosen, faint: !inside }))
    const label = placed.place(point.name, x.at(point.x), y.at(point.y))
    if (label) marks.push({ ...label, bold: point === best, colour: point === best ? 'text' : 'muted' })
  }
  const spots = points
    .map((point): Spot => ({ id: point.id, x: x.at(point.x), y: y.at(point.y), label: input.describe(point) }))
    .toSorted((a, b) => a.x - b.x)
  return { width, height, marks, spots }
}

/** What the limits leave, tinted. */
function areaMarks({ limits, better, limitLabel }: ScatterInput, x: Scale, y: Scale, box: Box): Mark[] {
  if (limits.x === undefined && limits.y === undefined) return []
  const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value))
  const atX = limits.x === undefined ? undefined : clamp(x.at(limits.x), box.left, box.right)
  const atY = limits.y === undefined ? undefined : clamp(y.at(limits.y), box.top, box.bottom)
  const left = atX !== undefined && better.x === 'more' ? atX : box.left
  const right = atX !== undefined && better.x === 'less' ? atX : box.right
  const top = atY !== undefined && better.y === 'less' ? atY : box.top
  const bottom = atY !== undefined && better.y === 'more' ? atY : box.bottom
  const area: Mark = { kind: 'rect', x: left, y: top, w: right - left, h: bottom - top, fill: 'accent-soft' }
  if (!limitLabel || textWidth(limitLabel) > box.right - left) return [area]
  return [area, { kind: 'text', x: left + 6, y: top + 13, text: limitLabel, colour: 'accent' }]
}

function frontMarks(front: readonly ScatterPoint[], x: Scale, y: Scale): Mark[] {
  if (front.length < 2) return []
  const d = front.map((point, i) => `${i === 0 ? 'M' : 'L'}${x.at(point.x).toFixed(1)} ${y.at(point.y).toFixed(1)}`)
  return [{ kind: 'path', d: d.join(''), colour: 'field-line', width: 1.5 }]
}

function pointMarks(
  point: ScatterPoint,
  { x, y, strong, faint }: { x: Scale; y: Scale; strong: boolean; faint: boolean },
): Mark[] {
  const colour = seriesToken(point.colour)
  const [px, py] = [x.at(point.x), y.at(point.y)]
  const opacity = faint ? 0.45 : 1
  const marks: Mark[] = []
  if (point.yRange) {
    const [low, high] = point.yRange
    marks.push({ kind: 'line', x1: px, x2: px, y1: y.at(low), y2: y.at(high), colour, width: 1.3, opacity })
  }
  if (point.xRange) {
    const [low, high] = point.xRange
    marks.push({ kind: 'line', x1: x.at(low), x2: x.at(high), y1: py, y2: py, colour, width: 1.3, opacity })
  }
  marks.push({ kind: 'circle', x: px, y: py, r: strong ? 7 : 5, fill: colour, stroke: 'surface', opacity })
  return marks
}

/** Puts names beside their points where none covers another; a name without room is left to pointing and the table. */
class Labels {
  readonly #box: Box
  readonly #rects: { x: number; y: number; w: number; h: number }[] = []

  constructor(box: Box) {
    this.#box = box
  }

  /** A dot with the ends of its horizontal interval. */
  taken(from: number, to: number, y: number): void {
    this.#rects.push({ x: from - 6, y: y - 6, w: to - from + 12, h: 12 })
  }

  place(text: string, x: number, y: number): Extract<Mark, { kind: 'text' }> | undefined {
    const w = textWidth(text)
    const tries = [
      { x: x + 10, y: y + 4, anchor: 'start' as const, left: x + 9 },
      { x: x - 10, y: y + 4, anchor: 'end' as const, left: x - 11 - w },
      { x, y: y - 11, anchor: 'middle' as const, left: x - w / 2 },
      { x, y: y + 19, anchor: 'middle' as const, left: x - w / 2 },
    ]
    for (const { left, ...at } of tries) {
      const rect = { x: left, y: at.y - 10, w: w + 2, h: 12 }
      if (rect.x < this.#box.left || rect.x + rect.w > this.#box.right + 8 || rect.y < 0) continue
      if (this.#rects.some((other) => overlap(rect, other))) continue
      this.#rects.push(rect)
      return { kind: 'text', text, colour: 'muted', ...at }
    }
    return undefined
  }
}

interface Rect {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}

const overlap = (a: Rect, b: Rect): boolean => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
