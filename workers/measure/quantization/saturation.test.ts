import { describe, expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import { pairedSums, referenceExecutor, saturatingExecutor } from '../../executors/reference/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { f32, type Tensor } from '../../graph/tensor.ts'
import {
  defaultScheme,
  planQuantization,
  prepareForQuantization,
  quantizeStatic,
  rangesNeeded,
  withIntegerProducts,
} from '../../passes/index.ts'
import { withNoise } from '../../testing/noise.ts'
import { calibrate } from '../calibrate/index.ts'
import { sqnr } from '../sqnr.ts'
import { portabilityOf, portabilityWarning } from './portability.ts'
import { saturationOf, saturationWarning } from './saturation.ts'

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

describe('a whole model on another processor', () => {
  const graph = prepareForQuantization(
    parse(
      withNoise(`graph (x: f32[1,4,6,6]) -> (y) opset 17 {
        const w: f32[6,4,3,3] = noise
        const b: f32[6] = noise
        const v: f32[5,96] = noise
        const c: f32[5] = noise
        h = Conv(x, w, b) {pads = [1,1,1,1], strides = [2,1], dilations = [1,2]} "conv"
        r = Relu(h)
        f = Flatten(r)
        const m: f32[72,96] = noise
        g = MatMul(f, m) "mat"
        y = Gemm(g, v, c) {transB = 1} "gemm"
      }`),
    ),
  )
  const plan = planQuantization(graph, { floatOutputs: true })
  const feeds = {
    x: f32(
      Array.from({ length: 144 }, (_, i) => 1 + Math.sin(i)),
      [1, 4, 6, 6],
    ),
  }
  const data = async function* () {
    yield { feeds, first: 0 }
  }
  const layers = plan.weights.map((site) => site.node)
  const quantized = async (reduceRange: boolean) => {
    const { ranges } = await calibrate(ortCpu, plan.source, rangesNeeded(plan), data, { method: 'min-max' })
    return quantizeStatic(plan, { ranges, scheme: { ...defaultScheme, reduceRange } }).graph
  }
  const output = async (executor: typeof ortCpu, of: Graph) => {
    const program = await executor.compile(of)
    const result = (await program.run(feeds))[of.outputs[0]?.name ?? ''] as Tensor
    await program.dispose()
    return result
  }

  test('integer products are the function of the quantized graph', async () => {
    const of = await quantized(true)
    const integers = withIntegerProducts(of, layers)
    expect(integers.nodes.filter(({ op }) => op.endsWith('Integer')).map(({ op }) => op)).toEqual([
      'ConvInteger',
      'MatMulInteger',
      'MatMulInteger',
    ])
    expect(integers.nodes.some(({ op }) => ['Conv', 'Gemm', 'MatMul'].includes(op))).toBe(false)
    expect(sqnr(await output(referenceExecutor, of), await output(referenceExecutor, integers))).toBeGreaterThan(35)
    expect(sqnr(await output(ortCpu, integers), await output(referenceExecutor, integers))).toBeGreaterThan(60)
    // Nothing saturates with seven bits: the same sums, whatever the order of the terms.
    expect(await output(saturatingExecutor, integers)).toEqual(await output(referenceExecutor, integers))
  })

  test('saturates as the sums of single places say, and warns; seven bits cure it', async () => {
    const found = await portabilityOf(await quantized(false), layers, data, 1000)
    expect(found).toMatchObject({ samples: 1 })
    expect(found?.sqnr).toBeLessThan(60)
    expect(portabilityWarning({ samples: 50, changed: 3, sqnr: 20 })).toContain('3 of 50 answers change')
    expect(portabilityWarning({ samples: 50, changed: 0, sqnr: 45 })).toBeUndefined()
    const cured = await portabilityOf(await quantized(true), layers, data, 1000)
    expect(cured).toEqual({ samples: 1, changed: 0, sqnr: Infinity })
  })
})
