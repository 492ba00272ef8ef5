import { axisMarks, roomFor, type Box } from './frame.ts'
import { extentOf, scaleOf } from './scale.ts'
import type { Mark, Scene, Spot } from './scene.ts'

export interface CodebookInput {
  /** Rising. */
  readonly values: readonly number[]
  readonly counts: readonly number[]
  readonly showX: (value: number) => string
  readonly showY: (value: number) => string
  readonly xName: string
  readonly yName: string
  readonly describe: (value: number, count: number) => string
}

/** Bits that a Huffman code of these counts needs for a weight at least (Shannon 1948). */
export function entropyOf(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  return counts.reduce((bits, count) => (count === 0 ? bits : bits - (count / total) * Math.log2(count / total)), 0)
}

/** A stem at each shared value, as high as there are weights that have it. */
export function codebookScene(input: CodebookInput, width: number, height: number): Scene {
  const { values, counts, showX, showY, xName, yName, describe } = input
  const most = Math.max(1, ...counts)
  const labels = scaleOf([0, most], [0, 1]).ticks(5).map(showY)
  const box: Box = { left: roomFor(labels), top: 18, right: width - 12, bottom: height - 34 }
  const [low, high] = extentOf([0, ...values]) ?? [0, 1]
  const pad = (high - low || 1) * 0.03
  const x = scaleOf([low - pad, high + pad], [box.left, box.right])
  const y = scaleOf([0, most * 1.05], [box.bottom, box.top])
  const marks: Mark[] = axisMarks({ box, x, y, showX, showY, xName, yName })
  const zero = x.at(0)
  marks.push({ kind: 'line', x1: zero, x2: zero, y1: box.top, y2: box.bottom, colour: 'line-strong', dash: '3 3' })
  const stem = values.length > 80 ? 1.5 : 3
  const spots = values.map((value, i): Spot => {
    const count = counts[i] ?? 0
    const [px, py] = [x.at(value), y.at(count)]
    marks.push({ kind: 'line', x1: px, x2: px, y1: box.bottom, y2: py, colour: 's1', width: stem })
    if (values.length <= 80) marks.push({ kind: 'circle', x: px, y: py, r: 3, fill: 's1', stroke: 'surface' })
    return { id: String(i), x: px, y: py, label: describe(value, count) }
  })
  return { width, height, marks, spots }
}
