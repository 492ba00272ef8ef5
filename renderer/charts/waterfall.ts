import { axisMarks, roomFor, type Box } from './frame.ts'
import { scaleOf } from './scale.ts'
import { fitText, type Mark, type Scene, type Spot } from './scene.ts'

/** What is left after a step; the first is what there was. */
export interface WaterfallStep {
  readonly id: string
  readonly name: string
  readonly value: number
}

export interface WaterfallInput {
  readonly steps: readonly WaterfallStep[]
  readonly show: (value: number) => string
  /** `÷ 3.2` beside a step. */
  readonly factor: (before: number, after: number) => string
  readonly yName: string
  readonly describe: (step: WaterfallStep, before: number | undefined) => string
}

/** What each step takes away, hanging from what the step before left; the first and the last stand on the ground. */
export function waterfallScene(
  { steps, show, factor, yName, describe }: WaterfallInput,
  width: number,
  height: number,
): Scene {
  const most = Math.max(1, ...steps.map(({ value }) => value))
  const labels = scaleOf([0, most], [0, 1]).ticks(4).map(show)
  const box: Box = { left: roomFor(labels), top: 26, right: width - 8, bottom: height - 26 }
  const y = scaleOf([0, most * 1.05], [box.bottom, box.top])
  const slot = (box.right - box.left) / Math.max(1, steps.length)
  const x = scaleOf([0, 1], [box.left, box.right])
  const marks: Mark[] = axisMarks({ box, x: { ...x, ticks: () => [] }, y, showX: () => '', showY: show, yName })
  const spots: Spot[] = []
  steps.forEach((step, i) => {
    const before = steps[i - 1]?.value
    const left = box.left + i * slot + slot * 0.16
    const w = slot * 0.68
    const [top, bottom] = [y.at(Math.max(step.value, before ?? 0)), y.at(Math.min(step.value, before ?? step.value))]
    marks.push({
      kind: 'rect',
      x: left,
      y: y.at(step.value),
      w,
      h: box.bottom - y.at(step.value),
      fill: 's1',
      radius: 2,
    })
    if (before !== undefined && before !== step.value) {
      const fill = step.value < before ? 'good' : 'bad'
      marks.push({ kind: 'rect', x: left, y: top, w, h: Math.max(1, bottom - top), fill, opacity: 0.28, radius: 2 })
      marks.push({
        kind: 'line',
        x1: left - slot * 0.32,
        x2: left + w,
        y1: y.at(before),
        y2: y.at(before),
        colour: 'line-strong',
      })
    }
    const middle = left + w / 2
    const said = before === undefined ? show(step.value) : `${show(step.value)} · ${factor(before, step.value)}`
    marks.push({ kind: 'text', x: middle, y: top - 6, text: fitText(said, slot - 2), colour: 'text', anchor: 'middle' })
    const name = fitText(step.name, slot - 4)
    marks.push({ kind: 'text', x: middle, y: box.bottom + 16, text: name, colour: 'muted', anchor: 'middle' })
    spots.push({ id: step.id, x: middle, y: y.at(step.value), label: describe(step, before) })
  })
  return { width, height, marks, spots }
}
