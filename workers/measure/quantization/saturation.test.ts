import { describe, expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import { parse } from '../../graph/parse.ts'
import { f32 } from '../../graph/tensor.ts'
import { defaultScheme, planQuantization, prepareForQuantization, quantizeStatic } from '../../passes/index.ts'
import { saturationOf, saturationWarning } from './saturation.ts'
import { pairedSums } from './saturation.ts'

test('two products of 255 and 127 do not fit 16 bits, of 64 they do', () => {
  expect(pairedSums([255, 255, 255], [127, 127, 127])).toEqual({ exact: 3 * 255 * 127, saturated: 32767 + 255 * 127 })
  expect(pairedSums([255, 255], [-127, -127])).toEqual({ exact: -64770, saturated: -32768 })
  expect(pairedSums([255, 255], [64, 64])).toEqual({ exact: 32640, saturated: 32640 })
  expect(pairedSums([255, 255], [127, -127])).toEqual({ exact: 0, saturated: 0 })
})

describe('saturation of a net', () => {
  const ones = (count: number) => Array<number>(count).fill(1).join(', ')
  const net = prepareForQuantization(
    parse(`graph (x: f32[1,4,3,3]) -> (y) opset 17 {
      const w: f32[2,4,3,3] = [${ones(72)}]
      const d: f32[2,1,3,3] = [${ones(18)}]
      c = Conv(x, w) {pads = [1,1,1,1]} "c"
      y = Conv(c, d) {pads = [1,1,1,1], group = 2} "d"
    }`),
  )
  const plan = planQuantization(net)
  const ranges = new Map([
    ['x', { min: 0, max: 1 }],
    ['c', { min: 0, max: 36 }],
    ['y', { min: 0, max: 324 }],
  ])
  const data = async function* () {
    yield { feeds: { x: f32(Array<number>(36).fill(1), [1, 4, 3, 3]) }, first: 0 }
  }
  const where = { executor: ortCpu, threads: 1 }
  const layers = plan.weights.map((site) => site.node)

  test('is found where all products are as large as they can be; depthwise layers do not saturate', async () => {
    const found = await saturationOf(where, quantizeStatic(plan, { ranges }).graph, layers, data)
    expect(found.map(({ layer }) => layer)).toEqual(['c'])
    expect(found[0]?.share).toBe(1)
    // Half of what is added up is cut off.
    expect(found[0]?.sqnr).toBeCloseTo(20 * Math.log10(64770 / (64770 - 32767)), 1)
    expect(saturationWarning(found)).toContain('in 1 of 1 layers (worst: "c", 100.0 %')
  })

  test('is gone with weights of 7 bits', async () => {
    const { graph } = quantizeStatic(plan, { ranges, scheme: { ...defaultScheme, reduceRange: true } })
    const found = await saturationOf(where, graph, layers, data)
    expect(found[0]).toMatchObject({ share: 0, sqnr: Infinity })
    expect(saturationWarning(found)).toBeUndefined()
  })
})
