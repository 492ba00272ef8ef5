import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from '../../graph/parse.ts'
import { modelOf } from '../../graph/graph.ts'
import { f32 } from '../../graph/tensor.ts'
import { isDatasetPresent } from '../../datasets/index.ts'
import { byNode } from '../../measure/layer-times.ts'
import { inferTypes } from '../../ops/infer.ts'
import { answer } from '../calls.ts'
import type {
  Activations,
  LayerTimes,
  ModelReach,
  ModelSheet,
  NodeFacts,
  WeightHistogram,
  WeightNoise,
} from '../../protocol/studio/sheet.ts'
import { modelReach } from './reach.ts'
import { modelSheet } from './sheet.ts'
import { histogram, noiseOf, weightHistogram } from './weights.ts'

const models = join(import.meta.dirname, '../../testing/models')
const environment = {
  listener: { progress: () => undefined, event: () => undefined },
  stopping: () => false,
  leaving: () => undefined,
  executor: async () => (await import('../../executors/ort/executor.ts')).ortCpu,
}
const ask = async <T>(name: Parameters<typeof answer>[0], request: object): Promise<T> =>
  (await answer(name, request, environment)) as T

const opened = (text: string) => {
  const graph = inferTypes(parse(text))
  return { model: modelOf(graph), graph }
}
const textOf = (sheet: ModelSheet, row: number) => sheet.ops.values[sheet.ops.index[row] ?? 0]
const at = (sheet: ModelSheet, name: string) => sheet.names.indexOf(name)

test('the columns of LeNet-5 are those that its paper and a calculator give', async () => {
  const sheet = await ask<ModelSheet>('sheet', { model: 'lenet-5' })
  expect(sheet.count).toBe(8)
  expect(sheet.totals).toMatchObject({ params: 431_080, bytes: 4 * 431_080 })
  const conv2 = at(sheet, 'conv2')
  // 50 filters of 20 × 5 × 5 and 50 biases, at 8 × 8 places.
  expect(sheet.params[conv2]).toBe(50 * 20 * 25 + 50)
  expect(sheet.macs[conv2]).toBe(50 * 20 * 25 * 64)
  expect(sheet.bytes[conv2]).toBe(4 * (50 * 20 * 25 + 50))
  expect(sheet.bits[conv2]).toBe(32)
  expect(sheet.types.values[sheet.types.index[conv2] ?? 0]).toBe('f32[N,50,8,8]')
  expect(sheet.macs[at(sheet, 'relu1')]).toBe(0)
  expect(sheet.bits[at(sheet, 'relu1')]).toBeNaN()
  // A chain: every node reads the one before, the first the input, the output the last.
  expect([...sheet.edges.from]).toEqual([-1, 0, 1, 2, 3, 4, 5, 6, 7])
  expect([...sheet.edges.to]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, -1])
})

test('zeros are counted, and a weight that two layers share weighs once', () => {
  const sheet = modelSheet(
    opened(`
    graph (x: f32[2,4]) -> (y) {
      const w: f32[4,4] = [1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1]
      h = MatMul(x, w)
      y = MatMul(h, w)
    }`),
  )
  expect([...sheet.sparsity]).toEqual([0.75, 0.75])
  expect([...sheet.bytes]).toEqual([64, 0])
  expect([...sheet.params]).toEqual([16, 0])
})

test('a quantized model shows the bits of its weights', async () => {
  const sheet = await ask<ModelSheet>('sheet', { model: join(models, 'speech-keywords-qdq.onnx') })
  const convs = sheet.names.flatMap((_, i) => (sheet.ops.values[sheet.ops.index[i] ?? 0] === 'Conv' ? [i] : []))
  expect(convs.length).toBeGreaterThan(0)
  for (const conv of convs) expect(sheet.bits[conv]).toBe(8)
})

test('of a node there are its attributes, inputs by role, and what its weights are like', async () => {
  const sheet = await ask<ModelSheet>('sheet', { model: 'lenet-5' })
  const facts = await ask<NodeFacts>('node', { model: 'lenet-5', node: at(sheet, 'conv2') })
  expect(facts.inputs.map(({ role, kind }) => `${role} ${kind}`)).toEqual(['X value', 'W weight', 'B weight'])
  const [weight] = facts.weights
  expect(weight).toMatchObject({ dtype: 'f32', dims: [50, 20, 5, 5], bits: 32 })
  expect(weight?.numbers?.zeros).toBe(0)
  const [eight, four] = weight?.noise ?? []
  // Each bit less costs about 6 dB.
  expect((eight?.decibels ?? 0) - (four?.decibels ?? 0)).toBeGreaterThan(20)
  await expect(ask('node', { model: 'lenet-5', node: 99 })).rejects.toMatchObject({ code: 'model.no-node' })
})

test('a histogram counts every element once, overall and by channel', async () => {
  const one = weightHistogram(f32([-1, 0, 0, 1, 2, 3, 3, 3], [2, 4]), 'w', 0)
  expect(one.counts.reduce((a, b) => a + b)).toBe(8)
  expect([one.edges[0], one.edges.at(-1)]).toEqual([-1, 3])
  expect([...one.channels.min]).toEqual([-1, 2])
  expect([...one.channels.max]).toEqual([1, 3])
  const bins = one.counts.length
  expect(one.channels.counts.slice(bins).reduce((a, b) => a + b)).toBe(4)
  expect([...histogram([0, 1, 2, 4], 4, 0, 4).counts]).toEqual([1, 1, 1, 1])
  const real = await ask<WeightHistogram>('weights', { model: 'resnet-20', tensor: 'conv1.weight', axis: 0 })
  expect(real.channels.of).toBe(16)
  expect(real.counts.reduce((a, b) => a + b)).toBe(16 * 3 * 9)
})

test('rounding to 8 bits leaves the noise that theory gives for uniform weights', () => {
  const n = 4096
  const weights = Float32Array.from({ length: n }, (_, i) => (2 * (i + 0.5)) / n - 1)
  // Signal 1/3, noise Δ²/12 with Δ = 1/127: 10·log₁₀(4·127²) = 48.1 dB.
  expect(noiseOf(f32(weights, [n, 1]), undefined, 8)).toBeCloseTo(10 * Math.log10(4 * 127 ** 2), 0)
})

test('pre-flight tells for each method what it can touch, and why not the rest', async () => {
  const reach = await ask<ModelReach>('reach', { model: 'lenet-5' })
  const sheet = await ask<ModelSheet>('sheet', { model: 'lenet-5' })
  const of = (step: string) => reach.methods.find((m) => m.step === step)
  const named = (nodes: Uint32Array | undefined) => [...(nodes ?? [])].map((i) => sheet.names[i])
  expect(named(of('sparsify')?.touches)).toEqual(['conv1', 'conv2', 'ip1', 'ip2'])
  expect(named(of('prune')?.touches)).toContain('conv2')
  const whole = of('prune')?.refused.flatMap(({ nodes }) => named(nodes))
  expect(whole).toEqual(['ip2'])
  expect(
    reach.methods.every(
      ({ touches, problems, step }) => touches.length + problems.length > 0 || step === 'insert-batchnorm',
    ),
  ).toBe(true)
  // conv1's 20 filters go with conv2's input channels.
  const group = reach.groups.find(({ name }) => name === 'conv1')
  expect(group?.units).toBe(20)
  expect(named(group?.nodes)).toEqual(['conv1', 'conv2'])
})

test('normalizations are folded before quantization, and are trained', async () => {
  const reach = await ask<ModelReach>('reach', { model: 'resnet-20' })
  const sheet = await ask<ModelSheet>('sheet', { model: 'resnet-20' })
  const of = (step: string) => new Set(reach.methods.find((m) => m.step === step)?.touches)
  const norms = sheet.names.flatMap((_, i) => (textOf(sheet, i) === 'BatchNormalization' ? [i] : []))
  expect(norms).toHaveLength(19)
  for (const norm of norms)
    expect([of('quantize').has(norm), of('train').has(norm), of('sparsify').has(norm)]).toEqual([true, true, false])
  for (const conv of sheet.names.keys()) if (textOf(sheet, conv) === 'Conv') expect(of('quantize').has(conv)).toBe(true)
})

test('activations of a layer are counted on samples, each element once', async (ctx) => {
  if (!isDatasetPresent('mnist')) ctx.skip('MNIST is not on this machine')
  const sheet = await ask<ModelSheet>('sheet', { model: 'lenet-5' })
  const found = await ask<Activations>('activations', {
    model: 'lenet-5',
    data: 'mnist',
    node: at(sheet, 'relu1'),
    samples: 32,
  })
  const [value] = found.values
  expect(found).toMatchObject({ samples: 32, data: 'mnist' })
  // 500 hidden units of 32 samples; after a ReLU nothing is below zero.
  expect(value?.counts.reduce((a, b) => a + b)).toBe(32 * 500)
  expect(value?.min).toBe(0)
  expect(value?.max).toBeGreaterThan(0)
  await expect(
    ask('activations', { model: join(models, 'text-bert.onnx'), data: 'mnist', node: 0 }),
  ).rejects.toMatchObject({
    name: 'AlambicError',
  })
})

test('a product of two computed values has no weight to cut, and softmax stays in float', () => {
  const reach = modelReach(
    opened(`
    graph (q: f32[4,8], k: f32[8,4]) -> (y) {
      s = MatMul(q, k)
      y = Softmax(s)
    }`),
  )
  const of = (step: string) => reach.methods.find((m) => m.step === step)
  expect(of('sparsify')?.refused).toEqual([
    { reason: 'it multiplies two computed values: there is no constant float32 weight', nodes: Uint32Array.of(0) },
  ])
  expect(of('quantize')?.refused.map(({ nodes }) => [...nodes])).toEqual([[0], [1]])
})

test.each([
  'swin.onnx',
  'text-bert-classifier-int8.onnx',
  'detector-nms.onnx',
  'text-decoder-int4.onnx',
  'ocr-crnn.onnx',
])('every screen of %s has an answer', async (file) => {
  const model = join(models, file)
  const sheet = await ask<ModelSheet>('sheet', { model })
  const reach = await ask<ModelReach>('reach', { model })
  const noise = await ask<WeightNoise>('noise', { model })
  expect(noise.decibels[0]).toHaveLength(sheet.count)
  expect(reach.methods.length).toBeGreaterThan(10)
  for (const method of reach.methods) for (const node of method.touches) expect(node).toBeLessThan(sheet.count)
  for (let node = 0; node < sheet.count; node += 7) await ask<NodeFacts>('node', { model, node })
})

test('time is given to the node whose kernel it is, with those that were joined to it', async () => {
  const { graph } = opened(`
    graph (x: f32[1,1,4,4]) -> (y) {
      const w: f32[1,1,1,1] = [2]
      h = Conv(x, w)
      r = Relu(h)
      y = Flatten(r)
    }`)
  const event = (name: string, op: string, dur: number) => ({
    cat: 'Node',
    name: `${name}_kernel_time`,
    dur,
    args: { op_name: op },
  })
  const runs = Array.from({ length: 7 }, () => [
    event('r_nchwc', 'Conv', 3000),
    event('ReorderOutput', 'ReorderOutput', 500),
    event('y', 'Flatten', 100),
  ])
  const times = byNode(graph, runs.flat())
  expect([...times.ms]).toEqual([3, Number.NaN, 0.1])
  expect([...times.inside]).toEqual([-1, 0, -1])
  expect(times.otherMs).toBe(0.5)
  expect(times.totalMs).toBeCloseTo(3.6)
})

test('the layers of ResNet-20 take the time that the whole takes', async () => {
  const times = await ask<LayerTimes>('layerTimes', { model: 'resnet-20', runs: 5, threads: 1 })
  const sheet = await ask<ModelSheet>('sheet', { model: 'resnet-20' })
  const ops = sheet.names.map((_, i) => sheet.ops.values[sheet.ops.index[i] ?? 0])
  // Every convolution was found, whatever the runtime made of it.
  for (const [i, op] of ops.entries()) if (op === 'Conv' || op === 'Gemm') expect(times.ms[i]).toBeGreaterThan(0)
  const known = times.ms.reduce((sum, ms) => sum + (Number.isNaN(ms) ? 0 : ms), 0)
  expect(known + times.otherMs).toBeCloseTo(times.totalMs, 6)
  expect(times.otherMs).toBeLessThan(0.5 * times.totalMs)
})
