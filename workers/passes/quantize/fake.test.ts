import { describe, expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import { referenceExecutor } from '../../executors/reference/index.ts'
import type { Executor } from '../../executors/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { arrayOf, f32, type Tensor } from '../../graph/tensor.ts'
import { calibrate } from '../../measure/calibrate/index.ts'
import { sqnr } from '../../measure/sqnr.ts'
import { bindDims } from '../../ops/bind.ts'
import { inferTypes } from '../../ops/infer.ts'
import { withNoise } from '../../testing/noise.ts'
import { randomFeeds } from '../../testing/onnxruntime.ts'
import { differentiate } from '../../train/differentiate.ts'
import { fakeQuantize, trainedQuantization } from './fake.ts'
import { planQuantization, rangesNeeded } from './plan.ts'
import { prepareForQuantization } from './prepare.ts'
import { defaultScheme, quantizeStatic } from './static.ts'

async function run(executor: Executor, graph: Graph, feeds: Record<string, Tensor>) {
  const program = await executor.compile(graph, { threads: 1 })
  const results = await program.run(feeds)
  await program.dispose()
  return results
}

const values = (tensor: Tensor | undefined) => (tensor ? [...(arrayOf(tensor) as Float32Array)] : [])

describe('learned step size', () => {
  // Qn = 4, Qp = 3, s = .5.
  const graph = inferTypes(
    parse(`graph (v: f32[5], s: f32[1], w: f32[5]) -> (l) opset 18, ai.alambic 1 {
      q = ai.alambic.LearnedQuant(v, s) {quant_min = -4, quant_max = 3, gradient_scale = 1.0}
      p = Mul(q, w)
      const a: i64[1] = [0]
      l = ReduceSum(p, a) {keepdims = 0}
    }`),
  )
  const v = f32([-3, -1.2, 0.3, 0.9, 5])

  test.each([
    ['reference', referenceExecutor],
    ['onnxruntime', ortCpu],
  ])('v̂ and its slopes on %s', async (_name, executor) => {
    const slopes: number[] = []
    for (let i = 0; i < 5; i++) {
      const w = f32([0, 0, 0, 0, 0].map((_, k) => (k === i ? 1 : 0)))
      const feeds = { v, s: f32([0.5]), w }
      const result = await run(executor, differentiate(graph, { loss: 'l', wrt: ['v', 's'] }), feeds)
      expect(values(result['l'])[0]).toBeCloseTo([-2, -1, 0.5, 1, 1.5][i] ?? NaN, 6)
      slopes.push(values(result['d_s'])[0] ?? NaN)
      expect(values(result['d_v'])[i]).toBe([0, 1, 1, 1, 0][i])
    }
    slopes.forEach((slope, i) => expect(slope).toBeCloseTo([-4, 0.4, 0.4, 0.2, 3][i] ?? NaN, 5))
  })

  test('its gradient is scaled by 1/√(N·Qp)', () => expect(1 / Math.sqrt(5 * 3)).toBeCloseTo(0.2582, 4))

  test('a scale per channel gets a gradient per channel', async () => {
    const perChannel = inferTypes(
      parse(`graph (v: f32[2,3], s: f32[2]) -> (l) opset 18, ai.alambic 1 {
        q = ai.alambic.LearnedQuant(v, s) {axis = 0, quant_min = -4, quant_max = 3, gradient_scale = 0.5}
        l = ReduceSum(q) {keepdims = 0}
      }`),
    )
    const feeds = { v: f32([-3, -1.2, 0.3, 0.9, 5, 0.1], [2, 3]), s: f32([0.5, 1]) }
    const step = differentiate(perChannel, { loss: 'l', wrt: ['s'] })
    for (const executor of [referenceExecutor, ortCpu]) {
      const [first, second] = values((await run(executor, step, feeds))['d_s'])
      expect(first).toBeCloseTo(0.5 * (-4 + 0.4 + 0.4), 5)
      expect(second).toBeCloseTo(0.5 * (0.1 + 3 - 0.1), 5)
    }
  })
})

test('the straight-through gradient is zero outside the range', async () => {
  const graph = inferTypes(
    parse(`graph (x: f32[4]) -> (l) opset 18, ai.alambic 1 {
      const s: f32[1] = [0.1]
      q = ai.alambic.FakeQuant(x, s) {quant_min = -10, quant_max = 20}
      const w: f32[4] = [1, 2, 3, 4]
      p = Mul(q, w)
      const a: i64[1] = [0]
      l = ReduceSum(p, a) {keepdims = 0}
    }`),
  )
  const feeds = { x: f32([-1.2, -0.96, 0.52, 2.1]) }
  for (const executor of [referenceExecutor, ortCpu]) {
    const result = await run(executor, differentiate(graph, { loss: 'l', wrt: ['x'] }), feeds)
    expect(values(result['d_x'])).toEqual([0, 2, 3, 0])
  }
})

const net = bindDims(
  prepareForQuantization(
    parse(
      withNoise(`graph (x: f32[N,3,10,10]) -> (y: f32[N,8,5,5]) opset 18 {
        const w: f32[8,3,3,3] = noise
        const b: f32[8] = noise
        const d: f32[8,1,3,3] = noise
        const u: f32[8,8,1,1] = noise
        c = Conv(x, w, b) {pads = [1,1,1,1]}
        r = Relu(c)
        e = Conv(r, d) {pads = [1,1,1,1], group = 8}
        z = Conv(e, u)
        a = Add(z, r)
        s = Relu(a)
        y = MaxPool(s) {kernel_shape = [2,2], strides = [2,2]}
      }`),
    ),
  ),
  { N: 16 },
)

describe('fake quantization in float', () => {
  const feeds = randomFeeds(net)
  const data = async function* () {
    yield { feeds, first: 0 }
  }

  test.each([
    ['weights follow', false],
    ['learned', true],
  ])(
    'is what onnxruntime computes with integers, to a step on 99.9 per cent of outputs (%s)',
    async (_name, learned) => {
      const plan = planQuantization(net)
      const { ranges } = await calibrate(ortCpu, plan.source, rangesNeeded(plan), data, { method: 'min-max' })
      // 7-bit weights: without VNNI onnxruntime's products of 8 bits saturate, which is not what is tested here.
      const scheme = { ...defaultScheme, reduceRange: true }
      const options = { scheme, ranges, learned }
      const fake = fakeQuantize(plan, options)
      const trained = trainedQuantization(plan, fake, fake.graph, options)
      const { graph } = quantizeStatic(plan, { ranges, scheme, ...trained })
      const integers = values((await run(ortCpu, graph, feeds))['y'])
      const scale = trained.affines.get('s')?.scale ?? NaN
      for (const executor of [ortCpu, referenceExecutor]) {
        const float = values((await run(executor, fake.graph, feeds))['y'])
        const steps = float.map((value, i) => Math.abs(value - (integers[i] ?? NaN)) / scale)
        expect(steps.filter((n) => n < 1.001).length / steps.length).toBeGreaterThanOrEqual(0.999)
      }
      const real = (await run(ortCpu, net, feeds))['y'] as Tensor
      expect(sqnr(real, f32(integers, real.dims))).toBeGreaterThan(learned ? 12 : 30)
    },
  )
})
