import { describe, expect, test } from 'vitest'
import { parse } from '../../graph/parse.ts'
import { f32, type Tensor } from '../../graph/tensor.ts'
import { analyse } from './analysis.ts'
import { criteria, lamp, normalizers, reductions, scoreGroup, type CriterionId, type ScoreOptions } from './criteria.ts'
import { groupsOf } from './groups.ts'
import { smallest } from './plan.ts'

/** Four units that a MatMul makes from one input, a scale for each, and what reads them. */
const graph = parse(`graph (x: f32[1,1,1,1]) -> (y: f32) opset 17 {
  const w: f32[4,1,1,1] = [0, 1, 2, 10] c = Conv(x, w)
  const g: f32[4] = [-3, 1, 2, -0.5] const b: f32[4] = 0 const m: f32[4] = 0 const v: f32[4] = 1 n = BatchNormalization(c, g, b, m, v)
  const u: f32[2,4,1,1] = [1, 0, 2, 0, -1, 3, 0, 0] y = Conv(n, u) }`)
const { groups } = groupsOf(analyse(graph))
const [group] = groups
if (!group) throw new Error('the graph has no group')

const base = { seed: 1, p: 3, members: 'all', reduction: 'sum', normalizer: 'none' } as const
const score = (criterion: CriterionId, more: Partial<ScoreOptions> = {}): number[] | undefined => {
  const found = scoreGroup(group, { ...base, criterion, ...more })
  return found && [...found]
}

test('FPGM cuts what the others stand in for, L1 what is small', () => {
  expect(score('fpgm', { members: 'out' })).toEqual([13, 11, 11, 27])
  expect(smallest(score('fpgm', { members: 'out' }) ?? [], 1)).toEqual([1])
  expect(smallest(score('l1', { members: 'out' }) ?? [], 1)).toEqual([0])
})

test('norms add up filters, readers and scales; squares have no root', () => {
  expect(score('l1', { members: 'out' })).toEqual([0, 1, 2, 10])
  expect(score('l1')).toEqual([0 + 2 + 3, 1 + 3 + 1, 2 + 2 + 2, 10 + 0 + 0.5])
  expect(score('l2')).toEqual([0 + 2 + 9, 1 + 9 + 1, 4 + 4 + 4, 100 + 0 + 0.25])
  expect(score('lp', { members: 'out' })).toEqual([0, 1, 8, 1000])
  expect(score('l2', { reduction: 'mean' })).toEqual([11 / 3, 11 / 3, 4, 100.25 / 3])
})

test('batch-norm scales count by size', () => {
  expect(score('bn-scale')).toEqual([3, 1, 2, 0.5])
})

test('a group without a scale or evidence has no scores', () => {
  expect(score('taylor')).toBeUndefined()
  expect(score('activation')).toBeUndefined()
})

describe('saliencies of L = ½(w·x − y)² at w = [1, 2], x = [1, −1], y = 0', () => {
  const linear = parse(`graph (x: f32[1,1]) -> (y: f32) opset 17 {
    const w: f32[1,2] = [1, 2] h = MatMul(x, w) const u: f32[2,1] = 1 y = MatMul(h, u) }`)
  const [units] = groupsOf(analyse(linear)).groups
  const only = (values: Tensor) => (constant: { readonly name: string }) => (constant.name === 'w' ? values : undefined)
  const gradient = only(f32([-1, 1], [1, 2]))
  const squaredGradient = only(f32([1, 1], [1, 2]))
  const of = (criterion: CriterionId): number[] =>
    units
      ? [
          ...(scoreGroup(units, {
            ...base,
            members: 'out',
            criterion,
            gradient,
            squaredGradient,
            curvature: squaredGradient,
          }) ?? []),
        ]
      : []

  test('Taylor is |g·w|, whose squares are [1, 4]', () => {
    expect(of('taylor')).toEqual([1, 2])
    expect(of('taylor-channel').map((v) => v * v)).toEqual([1, 4])
  })

  test('OBD is ½hw², and with the gradient term the exact change of the loss', () => {
    // The second derivatives of ½(w·x − y)² are x², and so are its squared gradients here.
    for (const id of ['obd', 'obd-diagonal'] as const) expect(of(id)).toEqual([0.5, 2])
    const change = [1, 2].map((w, i) => -([-1, 1][i] as number) * w + (of('obd')[i] as number))
    expect(change).toEqual([1.5, 0])
  })
})

test('LAMP gives the largest weight 1', () => {
  expect([...lamp(Float64Array.of(1, 4, 9))]).toEqual([1 / 14, 4 / 13, 1])
  expect([...lamp(Float64Array.of(0, 0))]).toEqual([0, 0])
})

test('normalizers and reductions', () => {
  const v = Float64Array.of(1, 2, 3)
  expect([...normalizers.mean(v)]).toEqual([0.5, 1, 1.5])
  expect([...normalizers.sum(v)]).toEqual([1 / 6, 1 / 3, 1 / 2])
  expect([...normalizers.max(v)]).toEqual([1 / 3, 2 / 3, 1])
  expect(normalizers.range(v)[1]).toBeCloseTo(0.5, 7)
  expect(normalizers.gaussian(v)[2]).toBeCloseTo(1, 7)
  const rows = [Float64Array.of(1, 4), Float64Array.of(3, 2)]
  expect([...reductions.mean(rows)]).toEqual([2, 3])
  expect([...reductions.max(rows)]).toEqual([3, 4])
  expect([...reductions.prod(rows)]).toEqual([3, 8])
  expect([...reductions.first(rows)]).toEqual([1, 4])
})

test('every criterion says what it needs and where it is from', () => {
  for (const { title, source, needs } of Object.values(criteria)) {
    expect([title, source, needs].every((text) => text.length > 0)).toBe(true)
  }
})
