import { expect, test } from 'vitest'
import { Column } from './column.ts'
import { lineScene, lineTable, type LinesInput } from './lines.ts'
import type { ChartLine } from './model.ts'

function line(id: string, values: readonly (readonly [number, number])[], colour = 0): ChartLine {
  const [x, raw] = [new Column(), new Column()]
  x.append(values.map(([at]) => at))
  raw.append(values.map(([, value]) => value))
  return { id, name: id, colour, x, raw }
}
const show = (value: number) => String(Number(value.toPrecision(3)))
const input = (lines: readonly ChartLine[], more: Partial<LinesInput> = {}): LinesInput => ({
  lines,
  frame: { view: { min: 0, max: 10 }, logX: false, logY: false },
  references: [],
  markers: [],
  xName: 'step',
  showX: show,
  showY: show,
  ...more,
})
const corners = (d: string) => [...d.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)])

test('lines are drawn from end to end, over each other by value', () => {
  const scene = lineScene(
    input(
      [
        line('low', [
          [0, 0],
          [10, 0.5],
        ]),
        line(
          'high',
          [
            [0, 1],
            [10, 1],
          ],
          1,
        ),
      ],
      {
        references: [{ name: 'teacher', value: 0.75, colour: 2 }],
      },
    ),
    480,
    240,
  )
  const paths = scene.marks.flatMap((mark) => (mark.kind === 'path' ? [corners(mark.d)] : []))
  expect(paths).toHaveLength(2)
  const [low = [], high = []] = paths
  expect(high[0]?.[1]).toBe(high[1]?.[1])
  expect(low[0]?.[1]).toBeGreaterThan(low[1]?.[1] ?? NaN)
  expect(low.map(([x]) => x)).toEqual(high.map(([x]) => x))
  const dashed = scene.marks.flatMap((mark) => (mark.kind === 'line' && mark.dash ? [mark.y1] : []))
  expect(dashed[0]).toBeGreaterThan(high[0]?.[1] ?? NaN)
  expect(dashed[0]).toBeLessThan(low[1]?.[1] ?? NaN)
  const texts = scene.marks.flatMap((mark) => (mark.kind === 'text' ? [mark.text] : []))
  expect(texts).toEqual(expect.arrayContaining(['low', 'high', 'step', 'teacher 0.75']))
})

test('no spike is lost among more values than pixels, and a gap stays one', () => {
  const spike = Array.from({ length: 20_000 }, (_, i) => [i / 2000, i === 7777 ? 9 : 1] as const)
  const tall = lineScene(input([line('a', spike)]), 480, 240)
  const path = tall.marks.find((mark) => mark.kind === 'path')
  const drawn = path?.kind === 'path' ? corners(path.d) : []
  expect(drawn.length).toBeLessThan(1000)
  expect(Math.min(...drawn.map(([, y]) => y ?? 0))).toBeLessThan(60)
  const gap = lineScene(
    input([
      line('a', [
        [0, 1],
        [5, NaN],
        [10, 2],
      ]),
    ]),
    480,
    240,
  )
  const broken = gap.marks.find((mark) => mark.kind === 'path')
  expect(broken?.kind === 'path' && broken.d.match(/M/g)).toHaveLength(2)
})

test('logarithms leave out what has none', () => {
  const frame = { view: { min: 1, max: 100 }, logX: true, logY: true }
  const scene = lineScene(
    input(
      [
        line('a', [
          [1, 1],
          [10, 0],
          [100, 100],
        ]),
      ],
      { frame },
    ),
    480,
    240,
  )
  const path = scene.marks.find((mark) => mark.kind === 'path')
  expect(path?.kind === 'path' && corners(path.d).every(([x, y]) => Number.isFinite(x) && Number.isFinite(y))).toBe(
    true,
  )
})

test('the file of values has all of them', () => {
  const table = lineTable(
    [
      line('a', [
        [1, 0.5],
        [2, 0.25],
      ]),
      line('b', [[2, 7]]),
    ],
    'step',
  )
  expect(table).toEqual({
    columns: ['step', 'a', 'b'],
    rows: [
      [1, 0.5, undefined],
      [2, 0.25, 7],
    ],
  })
})
