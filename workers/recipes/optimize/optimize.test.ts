import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkRecipe } from '../recipe.ts'
import { orderWarnings } from '../order.ts'
import { candidatesFor, stepsOf } from './candidates.ts'
import { paretoFront } from './pareto.ts'
import { parseTarget, shareOf, targetKinds, type Costs } from './target.ts'

const costs: Costs = { latency: 2, bytes: 4000, packed: 3000, macs: 1e6, params: 1000 }

test('targets are read as shares or as amounts', () => {
  expect(parseTarget('macs=50%')).toEqual({ kind: 'macs', limit: 0.5, isShare: true })
  expect(shareOf(parseTarget('latency = 1.5'), costs)).toBe(0.75)
  expect(shareOf(parseTarget('params=2.5e2'), costs)).toBe(0.25)
})

test.each(['macs', 'macs=', 'macs=0', 'speed=50%', 'macs=half'])('"%s" is refused', (text) => {
  expect(() => parseTarget(text)).toThrow(expect.objectContaining({ code: 'usage.target', found: text }) as Error)
})

test.each(targetKinds)('the candidates for %s are recipes in a safe order, trained or not', (kind) => {
  for (const share of [0.1, 0.5, 0.9]) {
    const candidates = candidatesFor({ kind, limit: share, isShare: true }, share)
    expect(candidates.length).toBeGreaterThan(1)
    expect(new Set(candidates.map((c) => c.name)).size).toBe(candidates.length)
    for (const candidate of candidates) {
      for (const epochs of [0, 3]) {
        const recipe = checkRecipe({ alambic: 1, name: 'trial', steps: stepsOf(candidate, epochs) })
        expect(orderWarnings(recipe)).toEqual([])
      }
    }
  }
})

test('no point of the front is beaten, and every other point is', () => {
  const point = fc.record({ cost: fc.nat({ max: 20 }), accuracy: fc.nat({ max: 20 }) })
  fc.assert(
    fc.property(fc.array(point), (points) => {
      const front = paretoFront(points)
      const beats = (a: { cost: number; accuracy: number }, b: { cost: number; accuracy: number }) =>
        a.cost <= b.cost && a.accuracy >= b.accuracy && (a.cost < b.cost || a.accuracy > b.accuracy)
      for (const f of front) expect(points.some((p) => beats(p, f))).toBe(false)
      for (const p of points) {
        expect(front.some((f) => beats(f, p) || (f.cost === p.cost && f.accuracy === p.accuracy))).toBe(true)
      }
    }),
  )
})
