import { expect, test } from 'vitest'
import { takeRows, type Stream } from '../stores/rows.ts'
import { Column } from './column.ts'
import { chartGroups } from './groups.ts'

const stream = (name: string, columns: string[]): Stream => ({
  name,
  stage: Number.parseInt(name, 10),
  columns: new Map(columns.map((column) => [column, new Column()])),
  rows: 0,
})

test('metrics go to the chart of their kind; what is not known has one of its own', () => {
  const groups = chartGroups([
    stream('0-train', ['step', 'loss', 'kl', 'finite', 'gradNorm', 'top1', 'lr']),
    stream('0-evaluation', ['step', 'epoch', 'loss', 'accuracy']),
    stream('0-clock', ['step', 'time', 'elapsed']),
  ])
  expect(groups.map(({ id, lines }) => [id, lines.map(({ stream: s, column }) => `${s}/${column}`)])).toEqual([
    ['loss', ['0-train/loss', '0-train/kl', '0-evaluation/loss']],
    ['accuracy', ['0-evaluation/accuracy']],
    ['hits', ['0-train/top1']],
    ['learningRate', ['0-train/lr']],
    ['gradNorm', ['0-train/gradNorm']],
  ])
})

test('rows are put where they belong: appended, written again after a resume, refused with a gap', () => {
  const train = stream('0-train', ['step', 'loss'])
  const rows = (fromRow: number, values: number[]) => ({
    run: 'a.b',
    stream: '0-train',
    columns: ['step', 'loss'],
    fromRow,
    rows: values.length / 2,
    total: fromRow + values.length / 2,
    values: Float64Array.from(values),
  })
  expect(takeRows(train, rows(0, [1, 0.5, 2, 0.4, 3, 0.3]))).toBe(true)
  expect(takeRows(train, rows(2, [3, 0.31, 4, 0.2]))).toBe(true)
  expect([...(train.columns.get('loss')?.values ?? [])]).toEqual([0.5, 0.4, 0.31, 0.2])
  expect(takeRows(train, rows(9, [10, 0.1]))).toBe(false)
  expect(train.rows).toBe(4)
})
