import { expect, test } from 'vitest'
import { codebookScene, entropyOf } from './codebook.ts'
import { heatScene } from './heatmap.ts'
import { alignedRows, pairingScene } from './pairing.ts'
import { boundAt, errorAt, rankAt, rankScale, rankScene, type RankLine } from './rank.ts'
import type { Mark } from './scene.ts'
import { trendScene } from './trend.ts'
import { waterfallScene } from './waterfall.ts'

const kinds = <Kind extends Mark['kind']>(marks: readonly Mark[], kind: Kind) =>
  marks.filter((mark): mark is Extract<Mark, { kind: Kind }> => mark.kind === kind)

test('paired layers stand beside each other; those between them go on by themselves', () => {
  // Teacher a b c d e, student x y z: b with x, e with z.
  const rows = alignedRows([5, 3], [{ left: 1, right: 0 }, { left: 4, right: 2 }]) // prettier-ignore
  expect(rows).toEqual({ left: [0, 1, 2, 3, 4], right: [1, 2, 4], rows: 5 })
  // Links that cross can't both be level: the longest chain that does not cross is.
  const crossed = alignedRows([3, 3], [{ left: 0, right: 2 }, { left: 1, right: 0 }, { left: 2, right: 1 }]) // prettier-ignore
  expect([crossed.left[1], crossed.left[2]]).toEqual([crossed.right[0], crossed.right[1]])
  expect(alignedRows([0, 2], [])).toEqual({ left: [], right: [0, 1], rows: 2 })
})

test('every layer and every pair can be pointed at, in reading order', () => {
  const point = (id: string) => ({ id, name: id, note: '8×4×4' })
  const scene = pairingScene(
    {
      left: [point('a'), point('b')],
      right: [point('x')],
      links: [{ id: '0', left: 1, right: 0, label: 'at', note: 'as maps', colour: 0 }],
      leftName: 'Teacher',
      rightName: 'Student',
      describePoint: ({ name }, side) => `${side} ${name}`,
      describeLink: ({ label }) => label,
    },
    600,
  )
  expect(scene.spots.map(({ label }) => label)).toEqual(['left a', 'left b', 'at', 'right x'])
  expect(kinds(scene.marks, 'path')).toHaveLength(1)
})

const line = (ranks: number[], errors: number[]): RankLine => ({ name: 'rank', colour: 0, ranks, errors })

test('the error of a cut is that of its ranks, and what two modes lose adds up as squares', () => {
  const one = line([2, 4, 8], [0.6, 0.4, 0])
  expect([rankAt(one, 0.5), rankAt(one, 0.001), rankAt(one, 1)]).toEqual([4, 1, 8])
  expect([errorAt(one, 4), errorAt(one, 6), errorAt(one, 1), errorAt(one, 9)]).toEqual([0.4, 0.2, 0.8, 0])
  expect(boundAt([line([1, 2], [0.3, 0]), line([1, 2], [0.4, 0])], 0.5)).toBeCloseTo(0.5)
  expect(boundAt([one], 1)).toBe(0)
})

test('the cut is where the pointer was, and times are drawn below the error', () => {
  const input = {
    lines: [line([1, 2, 4], [0.5, 0.2, 0])],
    times: [
      { share: 0.5, milliseconds: 2 },
      { share: 1, milliseconds: 4 },
    ],
    before: 3,
    cut: 0.5,
    showShare: String,
    showError: String,
    showTime: String,
    names: { share: 'share', error: 'error', time: 'time', before: 'before' },
    describe: (share: number) => `cut ${share}`,
  }
  const scale = rankScale(input, 500)
  expect(scale.invert(scale.at(0.5))).toBeCloseTo(0.5)
  const { marks, spots } = rankScene(input, 500, 380)
  const cut = kinds(marks, 'line').filter(({ colour }) => colour === 'accent')
  expect(cut.map(({ x1, x2 }) => [x1, x2])).toEqual([[scale.at(0.5), scale.at(0.5)]])
  const times = kinds(marks, 'circle').filter(({ fill }) => fill === 's5')
  expect(times.map(({ x }) => x)).toEqual([scale.at(0.5), scale.at(1)])
  const dots = kinds(marks, 'circle').filter(({ fill }) => fill === 's1')
  expect(Math.min(...times.map(({ y }) => y))).toBeGreaterThan(dots[0]?.y ?? Infinity)
  expect(spots.at(-1)?.label).toBe('cut 1')
})

test('a waterfall hangs what a step took off from what was there before it', () => {
  const steps = [1000, 250, 250, 100].map((value, i) => ({ id: String(i), name: `step ${i}`, value }))
  const factor = (before: number, after: number) => String(before / after)
  const { marks, spots } = waterfallScene(
    { steps, show: String, factor, yName: '', describe: ({ value }, before) => `${before} → ${value}` },
    600,
    240,
  )
  const bars = kinds(marks, 'rect').filter(({ fill }) => fill === 's1')
  const taken = kinds(marks, 'rect').filter(({ fill }) => fill === 'good')
  expect(bars).toHaveLength(4)
  expect(taken).toHaveLength(2)
  expect((taken[0]?.h ?? 0) / (taken[1]?.h ?? 1)).toBeCloseTo(750 / 150)
  expect(taken[0]?.y).toBeCloseTo(bars[0]?.y ?? 0)
  expect(spots.map(({ label }) => label)).toEqual(['undefined → 1000', '1000 → 250', '250 → 250', '250 → 100'])
})

test('a codebook has a stem for every value, and its bits are its entropy', () => {
  expect(entropyOf([8, 8, 8, 8])).toBe(2)
  expect(entropyOf([2, 1, 1, 0])).toBe(1.5)
  const text = { showX: String, showY: String, xName: '', yName: '', describe: (v: number, n: number) => `${v} ${n}` }
  const scene = codebookScene({ values: [-1, 0.5], counts: [3, 6], ...text }, 400, 200)
  const stems = kinds(scene.marks, 'line').filter(({ colour }) => colour === 's1')
  expect(stems.map(({ y1, y2 }) => Math.round(y1 - y2)).map((h, _, all) => h / (all[0] ?? 1))[1]).toBeCloseTo(2, 1)
  expect(scene.spots.map(({ label }) => label)).toEqual(['-1 3', '0.5 6'])
})

test('a map of other rows than columns has no diagonal, and no cell where nothing was measured', () => {
  const scene = heatScene(
    {
      rows: ['conv1', 'conv2'],
      columns: ['rank ÷2', '8 bits'],
      rowName: 'layer',
      columnName: 'technique',
      values: [[0.1, 0], [NaN, -0.05]], // prettier-ignore
      show: String,
      describe: (i, j, value) => `${i} ${j} ${value}`,
      signed: true,
      uneven: true,
      oblong: true,
      goodSign: () => -1,
    },
    500,
  )
  expect(scene.spots.map(({ id }) => id)).toEqual(['0:0', '0:1', '1:1'])
  const tints = kinds(scene.marks, 'rect').filter(({ opacity }) => opacity !== undefined)
  expect(tints.map(({ fill }) => fill)).toEqual(['bad', 'good'])
})

test('a trend has a dot for every value', () => {
  const lines = [{ name: 'a', colour: 0, points: [{ x: 1, y: 0.5 }, { x: 2, y: 0.9 }] }] // prettier-ignore
  const text = { showX: String, showY: String, xName: '', yName: '' }
  const scene = trendScene({ lines, ...text, describe: ({ name }, x, y) => `${name} ${x} ${y}` }, 400, 200)
  expect(kinds(scene.marks, 'circle')).toHaveLength(2)
  expect(scene.spots.map(({ label }) => label)).toEqual(['a 1 0.5', 'a 2 0.9'])
})
