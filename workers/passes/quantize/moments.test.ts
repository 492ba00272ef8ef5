import { expect, test } from 'vitest'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { parse } from '../../graph/parse.ts'
import { numbersOf, type Tensor } from '../../graph/tensor.ts'
import { withNoise } from '../../testing/noise.ts'
import { analyticShifts, clippedMean, normalizedMoments } from './moments.ts'
import { planQuantization } from './plan.ts'
import { prepareForQuantization } from './prepare.ts'
import { defaultScheme, weightOptionsOf } from './static.ts'
import { decodeWeight, floatsOf, quantizeWeight } from './weights.ts'

test.each([
  [0.3, 1.2, 0, Infinity],
  [-1, 0.5, 0, Infinity],
  [4, 3, 0, 6],
])('the mean of a normal (%d, %d) between %d and %d is that of samples', (mean, deviation, low, high) => {
  const random = mulberry32(2)
  let sum = 0
  const n = 200_000
  for (let i = 0; i < n; i++) sum += Math.min(high, Math.max(low, mean + deviation * gaussian(random)))
  expect(Math.abs(clippedMean(mean, deviation, low, high) - sum / n)).toBeLessThan(0.02)
})

test('Relu of a standard normal has the mean 1/√(2π)', () =>
  expect(clippedMean(0, 1, 0, Infinity)).toBeCloseTo(1 / Math.sqrt(2 * Math.PI), 6))

test('the shift of a layer is what rounding takes from the mean of its outputs', () => {
  const model = parse(
    withNoise(`graph (x: f32[1,2,4,4]) -> (y) opset 17 {
      const w: f32[3,2,1,1] = noise
      const g: f32[3] = [1, 0.5, 2]
      const b: f32[3] = [0.5, -0.2, 1]
      const m: f32[3] = [0, 0, 0]
      const v: f32[3] = [1, 1, 1]
      const u: f32[4,3,1,1] = noise
      c = Conv(x, w) "c"
      n = BatchNormalization(c, g, b, m, v)
      r = Relu(n)
      y = Conv(r, u) "d"
    }`),
  )
  const moments = normalizedMoments(model)
  const plan = planQuantization(prepareForQuantization(model))
  const scheme = { ...defaultScheme, perChannel: false, weightBits: 3 }
  const shifts = analyticShifts(plan, scheme, moments)
  expect([...shifts.keys()]).toEqual(['d'])
  const u = plan.graph.initializers.get('u') as Tensor
  const rounded = decodeWeight(quantizeWeight(floatsOf(u), u.dims, weightOptionsOf(scheme, 0)))
  const means = [0, 1, 2].map((c) => clippedMean([0.5, -0.2, 1][c] ?? 0, [1, 0.5, 2][c] ?? 0, 0, Infinity))
  const expected = [0, 1, 2, 3].map((o) =>
    means.reduce((sum, mean, c) => sum + ((numbersOf(u)[o * 3 + c] ?? 0) - (rounded[o * 3 + c] ?? 0)) * mean, 0),
  )
  shifts.get('d')?.forEach((shift, o) => expect(shift).toBeCloseTo(expected[o] ?? NaN, 6))
})
