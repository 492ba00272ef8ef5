import { beforeAll, describe, expect, test } from 'vitest'
import { evaluate } from '../../measure/accuracy.ts'
import { preprocessorFor } from '../../datasets/index.ts'
import { ortCpu } from '../../executors/ort/executor.ts'
import { modelOf, type Model } from '../../graph/graph.ts'
import { f32 } from '../../graph/tensor.ts'
import { parse } from '../../graph/parse.ts'
import { QuantizeReport } from '../../protocol/files/methods.ts'
import { withNoise } from '../../testing/noise.ts'
import { blobs, stepContext } from '../../testing/step-context.ts'
import { adaround } from './adaround.ts'
import { equalize } from './equalize.ts'
import { qat } from './qat.ts'
import { quantize } from './quantize.ts'
import { train } from './train.ts'

const data = blobs()

const untrained = modelOf(
  parse(
    withNoise(`graph (x: f32[N,1,8,8]) -> (y: f32[N,4]) opset 18 {
      const w: f32[8,1,3,3] = noise
      const b: f32[8] = noise
      const d: f32[8,1,3,3] = noise
      const v: f32[4,128] = noise
      const u: f32[4] = noise
      c = Conv(x, w, b) {pads = [1,1,1,1]} "c"
      r = Relu(c)
      e = Conv(r, d) {pads = [1,1,1,1], group = 8} "e"
      s = Relu(e)
      p = MaxPool(s) {kernel_shape = [2,2], strides = [2,2]}
      f = Flatten(p)
      y = Gemm(f, v, u) {transB = 1} "fc"
    }`),
  ),
)

let model: Model
beforeAll(async () => {
  const options = train.options.parse({ epochs: 6, batch: 32, lr: 0.01 })
  model = (await train.run(stepContext(untrained, data), options)).model
}, 30_000)

const run = async (options: object, of: Model = model) => {
  const context = stepContext(of, data)
  const { model: result, report } = await quantize.run(context, quantize.options.parse(options))
  return { result, report: report as Record<string, unknown>, events: context.events }
}

const accuracyOf = async ({ graph }: Model) => {
  const split = data.splits.test
  if (!split) throw new Error('no test split')
  return (await evaluate(graph, split, preprocessorFor(data, graph), { executor: ortCpu, threads: 1 })).accuracy
}

describe('the quantize step', () => {
  test('static: nothing is left in float, accuracy stays, noise is told per layer', async () => {
    const { result, report } = await run({})
    expect(report['fused']).toMatchObject({ float: 0 })
    for (const { range, bits } of QuantizeReport.parse(report).layers ?? []) {
      expect(bits).toBe(8)
      expect((range?.[1] ?? 1) - (range?.[0] ?? 0)).toBeGreaterThan(0)
    }
    expect((report['layers'] as { layer: string; sqnr?: number }[]).map((l) => l.layer)).toEqual(['c', 'e', 'fc'])
    for (const { sqnr } of (report['layers'] as { sqnr?: number }[]).slice(0, 2)) expect(sqnr).toBeGreaterThan(25)
    expect(report['sqnr']).toBeGreaterThan(25)
    expect(report['absorbed']).toEqual(['r', 's'])
    expect((await accuracyOf(model)) - (await accuracyOf(result))).toBeLessThanOrEqual(0.01)
    expect(await accuracyOf(model)).toBeGreaterThan(0.9)
  })

  test.each([
    ['percentile', { calibration: 'percentile' }],
    ['entropy', { calibration: 'entropy' }],
    ['mse', { calibration: 'mse' }],
    ['moving-average', { calibration: 'moving-average' }],
    ['int8 activations', { activations: 'i8' }],
    ['16-bit activations', { activations: 'u16' }],
    ['one scale per weight, 7 bits', { perChannel: false, reduceRange: true }],
    ['uint8 weights, float bias', { weights: 'u8', perChannel: false, bias: 'float' }],
    ['least-squares weights', { weightRange: 'mse' }],
    ['layers equalized and biases corrected', { equalize: true, biasCorrection: 'empirical', perChannel: false }],
  ])('static with %s', async (_name, options) => {
    const { result, report } = await run({ ...options, diagnose: false })
    expect((await accuracyOf(model)) - (await accuracyOf(result))).toBeLessThanOrEqual(0.02)
    expect(report['mode']).toBe('static')
  })

  test.each([
    ['dynamic', { mode: 'dynamic', convolutions: true }],
    ['weights', { mode: 'weights', bits: 8, convolutions: true }],
    ['weights by GPTQ', { mode: 'weights', method: 'gptq' }],
    ['weights of convolutions too, by GPTQ', { mode: 'weights', method: 'gptq', convolutions: true }],
    ['fp16', { mode: 'fp16' }],
  ])('%s', async (_name, options) => {
    const { result, report } = await run(options)
    expect(report['sqnr']).toBeGreaterThan(15)
    expect((await accuracyOf(model)) - (await accuracyOf(result))).toBeLessThanOrEqual(0.02)
  })

  test.each([
    ['static', 'bytes=70%', {}],
    ['weights', 'bytes=52%', { mode: 'weights', convolutions: true }],
  ])(
    '%s within a budget of %s: a precision for each layer, and the file is that small',
    async (_mode, budget, options) => {
      const { result, report } = await run({ budget, diagnose: false, ...options })
      const mixed = report['mixed'] as { float: number; limit: number; met: boolean; layers: { bits: number }[] }
      const { bytes, warnings } = report as { bytes: { quantized: number }; warnings: string[] }
      expect(mixed.met).toBe(true)
      expect(new Set(mixed.layers.map(({ bits }) => bits)).size).toBeGreaterThan(1)
      expect(bytes.quantized).toBeLessThan(1.05 * mixed.limit)
      expect(warnings.filter((text) => text.includes('budget'))).toEqual([])
      expect((await accuracyOf(model)) - (await accuracyOf(result))).toBeLessThanOrEqual(0.02)
    },
  )

  test('a budget that nothing meets is said, with what the smallest form takes', async () => {
    const { report } = await run({ budget: 'bytes=1%', diagnose: false })
    expect(report).toMatchObject({ mixed: { met: false } })
    expect((report['warnings'] as string[]).join()).toContain('the budget bytes=1% (')
  })

  test('a budget of latency weighs what layers gain here against their noise', async () => {
    const { report } = await run({ budget: 'latency=1000%', diagnose: false })
    const mixed = report['mixed'] as { layers: { bits: number }[] }
    // There is room for every layer in float.
    expect(new Set(mixed.layers.map(({ bits }) => bits))).toEqual(new Set([32]))
    await expect(run({ mode: 'weights', budget: 'latency=50%' })).rejects.toThrow('weights in blocks')
  })

  test('GPTQ in few bits on int8 kernels brings less noise than rounding to nearest', async () => {
    const of = async (rounding: string) => (await run({ weightBits: 3, rounding })).report['sqnr'] as number
    expect(await of('gptq')).toBeGreaterThan((await of('nearest')) + 1)
  })

  test('operator form: integers from end to end, and the same answers', async () => {
    const { result } = await run({ format: 'qoperator', diagnose: false })
    const ops = result.graph.nodes.map((node) => node.op)
    expect(ops.filter((op) => op === 'QLinearConv')).toHaveLength(2)
    expect(ops.filter((op) => ['Conv', 'Gemm', 'MatMul'].includes(op))).toEqual([])
    expect(ops.filter((op) => op === 'QuantizeLinear')).toHaveLength(1)
    expect([...result.graph.opsets.keys()].filter((domain) => domain !== '')).toEqual(['com.microsoft'])
    const pairs = await run({ diagnose: false })
    expect(await accuracyOf(result)).toBeCloseTo(await accuracyOf(pairs.result), 2)
  })

  test('returns layers to float until the drop is met', async () => {
    // The same function with its first channel a thousand times as large: one scale for all leaves the rest no codes.
    const initializers = new Map(model.graph.initializers)
    const scaled = (name: string, dims: readonly number[], factor: (i: number) => number) => {
      const values = new Float32Array(initializers.get(name)?.bytes.slice().buffer ?? new ArrayBuffer())
      initializers.set(
        name,
        f32(
          values.map((v, i) => v * factor(i)),
          dims,
        ),
      )
    }
    scaled('d', [8, 1, 3, 3], (i) => (i < 9 ? 1000 : 1))
    scaled('v', [4, 128], (i) => (i % 128 < 16 ? 0.001 : 1))
    const broken = { ...model, graph: model.graph.with({ initializers }) }
    const { report, events } = await run({ perChannel: false, maxDrop: 0.01, diagnose: false }, broken)
    const accuracy = report['accuracy'] as { drop: number; interval: number[]; n: number }
    expect((report['float'] as string[]).length).toBeGreaterThan(0)
    expect(report['float']).not.toContain('c')
    expect(accuracy.drop).toBeLessThanOrEqual(0.01)
    expect(accuracy.interval[0]).toBeLessThanOrEqual(accuracy.drop)
    expect(events.filter((e) => e.kind === 'fallback').length).toBeGreaterThan(1)
  })

  test('keeps what a chart of it is drawn from: noise, times, distributions with the reach of their codes', async () => {
    const { report } = await run({})
    const { layers = [], distributions = [] } = QuantizeReport.parse(JSON.parse(JSON.stringify(report)))
    expect(layers.map(({ layer }) => layer)).toEqual(['c', 'e', 'fc'])
    for (const { isolated, bits } of layers) {
      expect(isolated).toBeGreaterThan(15)
      expect(bits).toBe(8)
    }
    expect(layers[0]?.floatMs).toBeGreaterThan(0)
    expect(layers[0]?.int8Ms).toBeGreaterThan(0)
    const weight = distributions.find(({ kind, name }) => kind === 'weight' && name === 'v')
    expect(weight?.counts.reduce((sum, n) => sum + n, 0)).toBe(4 * 128)
    expect(weight?.channels).toBe(4)
    // Extremes, symmetric: the channel that reaches furthest reaches as far as the largest weight.
    const most = Math.max(-(weight?.low ?? NaN), weight?.high ?? NaN)
    expect(weight?.clip[1]).toBeCloseTo(most, 4)
    expect(weight?.clip[0]).toBeCloseTo(-most, 4)
    const activation = distributions.find(({ kind, layer }) => kind === 'activation' && layer === 'c')
    expect(activation?.clip[0]).toBeLessThanOrEqual(0)
    expect(activation?.clip[1]).toBeGreaterThan(0)
    expect(distributions.every(({ counts }) => counts.length === 64)).toBe(true)
  })

  test('asked for speed, it times every layer and never ends slower', async () => {
    const { report, result } = await run({ optimize: 'latency', diagnose: false })
    const { speedup } = report['latency'] as { speedup: number }
    expect(report['kept']).toBe(speedup < 1)
    if (speedup < 1) expect(result).toBe(model)
  })

  test('says what is quantized already, and takes the rest when told', async () => {
    const { result } = await run({ exclude: ['e'], diagnose: false })
    const options = quantize.options.parse({})
    expect(quantize.preflight?.(result, options)[0]).toContain('1 layers are left in float')
    await expect(run({}, result)).rejects.toMatchObject({ code: 'quantize.already' })
    const more = await run({ rest: true, diagnose: false }, result)
    expect((await accuracyOf(model)) - (await accuracyOf(more.result))).toBeLessThanOrEqual(0.02)
  })

  test('a model that knows nothing of the data is worth a warning, few samples too', async () => {
    const { report } = await run({ samples: 8, diagnose: false }, untrained)
    expect(report['warnings']).toEqual(
      expect.arrayContaining([
        expect.stringContaining('no better than guessing'),
        expect.stringContaining('only 8 samples'),
      ]),
    )
  })

  test('data of another shape is refused, both sides named', async () => {
    const other = stepContext(model, blobs({ side: 6 }))
    await expect(quantize.run(other, quantize.options.parse({}))).rejects.toMatchObject({ code: 'data.shape' })
    const flat = modelOf(
      parse('graph (x: f32[N,3]) -> (y) opset 18 { const w: f32[3,2] = [1,2,3,4,5,6] y = MatMul(x, w) }'),
    )
    await expect(run({}, flat)).rejects.toMatchObject({ code: 'data.shape' })
  })
})

test('the equalize step leaves what a model says as it was', async () => {
  const { model: equal, report } = await equalize.run(stepContext(model, data), equalize.options.parse({}))
  expect(report['pairs']).toEqual([['c', 'e']])
  expect(await accuracyOf(equal)).toBe(await accuracyOf(model))
})

describe('training for few bits', () => {
  const bits = { weightBits: 2, samples: 300 }

  test('QAT and LSQ beat rounding at 2 bits, with labels or with the float model as teacher', async () => {
    const rounded = await accuracyOf((await run({ ...bits, diagnose: false })).result)
    for (const options of [{ scales: 'follow' }, { scales: 'learn' }, { scales: 'learn', teacher: 'float' }]) {
      const context = stepContext(model, data)
      const parsed = qat.options.parse({ ...bits, ...options, epochs: 8, batch: 32, lr: 0.003 })
      const { model: trained, report } = await qat.run(context, parsed)
      expect(report['fused']).toMatchObject({ float: 0 })
      expect(await accuracyOf(trained), JSON.stringify(options)).toBeGreaterThan(rounded + 0.03)
    }
  }, 60_000)

  test('AdaRound has a smaller error than rounding to nearest in every layer', async () => {
    const context = stepContext(model, data)
    const options = adaround.options.parse({ weightBits: 3, iterations: 500, exclude: ['fc'], diagnose: false })
    const { report } = await adaround.run(context, options)
    const layers = report['rounding'] as { nearest: number; learned: number; flipped: number }[]
    expect(layers).toHaveLength(2)
    for (const { nearest, learned, flipped } of layers) {
      expect(learned).toBeLessThan(nearest)
      expect(flipped).toBeGreaterThan(0)
    }
  }, 60_000)
})
