import { describe, expect, test } from 'vitest'
import { AlambicError } from '../../protocol/errors.ts'
import { costOf } from '../../ops/cost.ts'
import { randomGraph } from '../../testing/pruning.ts'
import { analyse } from './analysis.ts'
import { scoreGroup } from './criteria.ts'
import { cut } from './cut.ts'
import { groupsOf } from './groups.ts'
import { amountOf, plan, type PlanOptions } from './plan.ts'

const graph = randomGraph(`graph (x: f32[N,3,8,8]) -> (y: f32) opset 17 {
  const w1: f32[10,3,3,3] = 1 a = Conv(x, w1) "first" r = Relu(a)
  const w2: f32[20,10,3,3] = 1 b = Conv(r, w2) "second" s = Relu(b)
  const w3: f32[4,20,3,3] = 1 c = Conv(s, w3) "third" p = GlobalAveragePool(c) f = Flatten(p) const w4: f32[4,2] = 1 y = MatMul(f, w4) }`)
const groups = groupsOf(analyse(graph))
const scoreOptions = { seed: 1, p: 2, members: 'all', criterion: 'l2', reduction: 'mean', normalizer: 'mean' } as const
const scores = new Map(groups.groups.map((g) => [g.id, scoreGroup(g, scoreOptions) as Float64Array]))
const base: PlanOptions = { ratio: 0.5, scope: 'layer', roundTo: 1, maxRatio: 1, rules: [] }
const left = (options: Partial<PlanOptions>): number[] =>
  plan(groups, scores, { ...base, ...options }).groups.map((g) => g.after)

const codeOf = (f: () => unknown): string => {
  try {
    f()
  } catch (error) {
    if (error instanceof AlambicError) return error.code
  }
  return 'none'
}

describe('how many channels stay', () => {
  test('the same share of every layer, rounded down', () => {
    expect(left({})).toEqual([5, 10, 2])
    expect(left({ ratio: 0.3 })).toEqual([7, 14, 2])
    expect(left({ ratio: 0 })).toEqual([10, 20, 4])
  })

  test('multiples, a minimum, a largest share', () => {
    expect(left({ roundTo: 4 })).toEqual([8, 12, 4])
    expect(left({ roundTo: 8 })).toEqual([8, 16, 4])
    expect(left({ ratio: 0.9, minimum: 3 })).toEqual([3, 3, 3])
    expect(left({ ratio: 0.5, maxRatio: 0.2 })).toEqual([8, 16, 4])
  })

  test('rules by layer or weight, the last match counts', () => {
    expect(
      left({
        rules: [
          { layer: '*', ratio: 0.5 },
          { layer: 'sec?nd', ratio: 0 },
        ],
      }),
    ).toEqual([5, 20, 2])
    expect(left({ rules: [{ layer: 'w1', keep: 9 }] })).toEqual([9, 10, 2])
  })

  test('the least important of all layers, and of each the least important first', () => {
    const global = plan(groups, scores, { ...base, scope: 'global' })
    expect(global.groups.reduce((n, g) => n + g.before - g.after, 0)).toBe(17)
    const all = groups.groups.flatMap((g) => [...(scores.get(g.id) as Float64Array)])
    const gone = groups.groups.flatMap((g) =>
      (global.removal.get(g.id) ?? []).map((unit) => (scores.get(g.id) as Float64Array)[unit] as number),
    )
    expect(gone.toSorted((a, b) => a - b)).toEqual(all.toSorted((a, b) => a - b).slice(0, 17))
  })
})

describe('budgets', () => {
  test.each(['params', 'macs', 'bytes'] as const)('%s are met and not undershot by more than a channel', (kind) => {
    const whole = amountOf(graph, kind)
    const found = plan(groups, scores, { ...base, scope: 'global', budget: { kind, limit: 0.5, isShare: true } })
    const amount = amountOf(cut(groups, found.removal), kind)
    expect(amount).toBeLessThanOrEqual(0.5 * whole)
    expect(amount).toBeGreaterThan(0.4 * whole)
    // Shapes alone count the same.
    expect(amountOf(cut(groups, found.removal, { shapesOnly: true }), kind)).toBe(amount)
  })

  test('an absolute one', () => {
    const found = plan(groups, scores, { ...base, budget: { kind: 'params', limit: 1000, isShare: false } })
    expect(costOf(cut(groups, found.removal)).params).toBeLessThanOrEqual(1000)
  })
})

describe('what cannot be done is said', () => {
  test('a ratio that empties a layer', () => {
    expect(codeOf(() => left({ ratio: 0.9 }))).toBe('prune.empties')
  })
  test('a rule that matches nothing', () => {
    expect(codeOf(() => left({ rules: [{ layer: 'fourth', ratio: 0.1 }] }))).toBe('prune.rule')
  })
  test('a budget out of reach, with how close it comes', () => {
    const impossible = () => left({ minimum: 4, budget: { kind: 'params', limit: 10, isShare: false } })
    expect(codeOf(impossible)).toBe('prune.budget')
    expect(impossible).toThrow(/cannot bring this model down to 10 params/)
  })
})

test('cutting nothing gives the graph back', () => {
  expect(cut(groups, new Map())).toBe(groups.coupling.graph)
  expect(groups.coupling.graph.initializers.get('w1')?.bytes).toBe(graph.initializers.get('w1')?.bytes)
})
