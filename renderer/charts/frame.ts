import { textWidth, type Mark } from './scene.ts'
import type { Scale } from './scale.ts'

/** The part of a scene that data is drawn in. */
export interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

interface Axes {
  readonly box: Box
  readonly x: Scale
  readonly y: Scale
  readonly showX: (value: number) => string
  readonly showY: (value: number) => string
  readonly xName?: string | undefined
  readonly yName?: string | undefined
}

/** Room for the labels of a y axis. */
export const roomFor = (labels: readonly string[]): number =>
  Math.max(28, ...labels.map((text) => textWidth(text) + 10))

/** Grid lines, labels and names of two axes. */
export function axisMarks({ box, x, y, showX, showY, xName, yName }: Axes): Mark[] {
  const marks: Mark[] = []
  for (const value of y.ticks(Math.max(2, Math.floor((box.bottom - box.top) / 44)))) {
    const at = y.at(value)
    marks.push({ kind: 'line', x1: box.left, x2: box.right, y1: at, y2: at, colour: 'line' })
    marks.push({ kind: 'text', x: box.left - 6, y: at + 4, text: showY(value), colour: 'faint', anchor: 'end' })
  }
  let free = -Infinity
  for (const value of x.ticks(Math.max(2, Math.floor((box.right - box.left) / 72)))) {
    const text = showX(value)
    const half = textWidth(text) / 2
    const at = Math.min(x.at(value), box.right - half + 6)
    if (at - half < free) continue
    free = at + half + 8
    marks.push({ kind: 'text', x: at, y: box.bottom + 15, text, colour: 'faint', anchor: 'middle' })
  }
  if (xName) marks.push({ kind: 'text', x: box.right, y: box.bottom + 29, text: xName, colour: 'muted', anchor: 'end' })
  if (yName) marks.push({ kind: 'text', x: 4, y: 10, text: yName, colour: 'muted' })
  return marks
}
