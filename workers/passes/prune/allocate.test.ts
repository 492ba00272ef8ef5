import { expect, test } from 'vitest'
import { randomGraph } from '../../testing/pruning.ts'
import { allocate, monotone, removalOf, type Sensitivity } from './allocate.ts'
import { analyse } from './analysis.ts'
import { cut } from './cut.ts'
import { groupsOf } from './groups.ts'
import { amountOf } from './plan.ts'

const graph = randomGraph(`graph (x: f32[1,3,8,8]) -> (y: f32) opset 17 {
  const w1: f32[8,3,1,1] = 1 a = Conv(x, w1) const w2: f32[8,8,1,1] = 1 b = Conv(a, w2) p = GlobalAveragePool(b) f = Flatten(p) const w3: f32[8,2] = 1 y = MatMul(f, w3) }`)
const groups = groupsOf(analyse(graph))
const scores = new Map(groups.groups.map(({ id, size }) => [id, Float64Array.from({ length: size }, (_, i) => i)]))
const row = (group: number, ratio: number, accuracy: number): Sensitivity => ({
  group,
  name: `g${group}`,
  ratio,
  accuracy,
})

test('accuracies never rise with the ratio', () => {
  const rows = monotone([row(0, 0.5, 0.9), row(0, 0.25, 0.8), row(0, 0.75, 0.3)])
  expect(rows.map((r) => [r.ratio, r.accuracy])).toEqual([
    [0.25, 0.8],
    [0.5, 0.8],
    [0.75, 0.3],
  ])
})

test('the group that loses the least goes first, until the target is met', () => {
  const scan = [row(0, 0.25, 0.5), row(0, 0.5, 0.2), row(1, 0.25, 0.9), row(1, 0.5, 0.89)]
  const whole = amountOf(graph, 'params')
  const ratios = (limit: number) => allocate(groups, scores, scan, 0.9, { kind: 'params', limit }).map((r) => r.ratio)
  expect(ratios(whole)).toEqual([0, 0])
  expect(ratios(whole - 1)).toEqual([0, 0.25])
  expect(ratios(whole - 30)).toEqual([0, 0.5])
  expect(ratios(0)).toEqual([0.5, 0.5])
})

test('ratios cut the least important units and leave one', () => {
  const removal = removalOf(
    groups,
    scores,
    new Map([
      [0, 0.5],
      [1, 1],
    ]),
  )
  expect([...removal]).toEqual([
    [0, [0, 1, 2, 3]],
    [1, [0, 1, 2, 3, 4, 5, 6]],
  ])
  expect(amountOf(cut(groups, removal), 'params')).toBe(4 * 3 + 4 + 2)
})
