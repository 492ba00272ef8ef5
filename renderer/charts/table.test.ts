import { expect, test } from 'vitest'
import { Column } from './column.ts'
import type { ChartLine } from './model.ts'
import { chartTable, nearest } from './table.ts'

const line = (id: string, xs: number[], ys: number[]): ChartLine => {
  const made = { id, name: id, colour: 0, x: new Column(), raw: new Column() }
  made.x.append(xs)
  made.raw.append(ys)
  return made
}

test('a table has the first and the last row, and of many only some', () => {
  const xs = Array.from({ length: 1000 }, (_, i) => i)
  const table = chartTable([
    line(
      'loss',
      xs,
      xs.map((x) => -x),
    ),
    line('evaluation', [500, 999], [7, 8]),
  ])
  expect(table.every).toBe(17)
  expect(table.total).toBe(1000)
  expect(table.rows.length).toBeLessThan(70)
  expect(table.rows[0]).toEqual({ x: 0, values: [-0, undefined] })
  expect(table.rows.at(-1)).toEqual({ x: 999, values: [-999, 8] })
  expect(table.rows.find(({ x }) => x === 500)).toEqual({ x: 500, values: [-500, 7] })
  expect(chartTable([]).rows).toEqual([])
})

test('the crosshair reads the nearest point', () => {
  const one = line('loss', [0, 10, 20], [1, 2, 3])
  expect([-5, 4, 6, 14, 99].map((x) => nearest(one, x))).toEqual([1, 1, 2, 2, 3])
  expect(nearest(line('none', [], []), 1)).toBeUndefined()
})
