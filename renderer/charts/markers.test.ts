import { expect, test } from 'vitest'
import { Column } from './column.ts'
import { stageMarkers } from './markers.ts'

const columnOf = (values: number[]) => {
  const column = new Column()
  column.append(values)
  return column
}

test('saves, resumes, NaN and jumps of the learning rate are marked, of this stage only', () => {
  const event = (seq: number, kind: string, data: Record<string, unknown>) => ({ seq, time: '', kind, data })
  const marks = stageMarkers({
    stage: 1,
    events: [
      event(1, 'checkpoint', { stepIndex: 0, step: 5 }),
      event(2, 'step-started', { stepIndex: 1, step: 'distil' }),
      event(3, 'checkpoint', { stepIndex: 1, step: 20 }),
      event(6, 'checkpoint', { stepIndex: 1, step: 40 }),
      event(4, 'resumed', { stepIndex: 1, step: 40 }),
      event(5, 'not-finite', { stepIndex: 1, step: 50 }),
    ],
    steps: columnOf([10, 20, 30]),
    lr: columnOf([0.1, 0.0999, 0.01]),
  })
  expect(marks.map(({ step, mark }) => [step, mark])).toEqual([
    [30, 'lr'],
    [40, 'checkpoint'],
    [40, 'resume'],
    [50, 'nan'],
  ])
  expect(marks[0]?.factor).toBeCloseTo(0.1, 2)
})
