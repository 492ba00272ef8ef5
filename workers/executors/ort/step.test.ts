import { describe, expect, test } from 'vitest'
import type { Graph } from '../../graph/graph.ts'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { parse } from '../../graph/parse.ts'
import { arrayOf, sizeOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { asTensor, staticShape } from '../../graph/types.ts'
import { crossEntropy } from '../../train/losses.ts'
import { optimizer } from '../../train/optimizers.ts'
import { prepare } from '../../train/prepare.ts'
import { buildStep, METRICS, type StepGraph } from '../../train/step.ts'
import { buildZoo, zoo, type ZooId, type ZooOptions } from '../../zoo/index.ts'
import type { Executor, Tensors } from '../executor.ts'
import { referenceExecutor } from '../reference/index.ts'
import { ortCpu } from './executor.ts'

/** Batch norm over very few values is ill-conditioned: a step would compare rounding errors. */
const BATCH = 4
const CLASSES = 10
/** Small, so that rounding in the first step does not turn a Relu of the second one on or off. */
const RATE = 1e-5

/** Every architecture, narrow and on small images: the reference executor is slow on purpose. */
const small: Readonly<Partial<Record<ZooId, ZooOptions>>> = {
  deepnn: { width: 0.125, inputDims: [3, 8, 8] },
  'resnet-20': { width: 0.5, inputDims: [3, 8, 8] },
  'resnet-56': { width: 0.25, inputDims: [3, 8, 8] },
  'vgg-16-cifar': { width: 0.05, inputDims: [3, 32, 32] },
  'vgg-19-cifar': { width: 0.05, inputDims: [3, 32, 32] },
  alexnet: { width: 0.05, inputDims: [3, 64, 64] },
  'vgg-16': { width: 0.05, inputDims: [3, 32, 32] },
  'resnet-18': { width: 0.1, inputDims: [3, 64, 64] },
  'resnet-50': { width: 0.06, inputDims: [3, 64, 64] },
  ...Object.fromEntries(
    (Object.keys(zoo) as ZooId[])
      .filter((id) => /^(squeeze|mobile|shuffle)net/.test(id))
      .map((id) => [id, { width: 0.25, inputDims: id.endsWith('-cifar') ? [3, 16, 16] : [3, 64, 64] }]),
  ),
}

/** A batch of noise for every input of a step graph. */
function feedsOf(step: StepGraph, seed: number): Record<string, Tensor> {
  const random = mulberry32(seed)
  const batch = step.batch.map(({ name, type }): [string, Tensor] => {
    const dims = staticShape(type) ?? []
    if (asTensor(type)?.dtype === 'i64')
      return [
        name,
        tensorOf(
          'i64',
          dims,
          BigInt64Array.from({ length: sizeOf(dims) }, (_, i) => BigInt((3 * i + 1) % CLASSES)),
        ),
      ]
    return [
      name,
      tensorOf(
        'f32',
        dims,
        Float32Array.from({ length: sizeOf(dims) }, () => gaussian(random)),
      ),
    ]
  })
  const masks = step.masks.map(({ input, dims }): [string, Tensor] => [
    input,
    tensorOf(
      'u8',
      dims,
      Uint8Array.from({ length: sizeOf(dims) }, () => (random() < 0.9 ? 1 : 0)),
    ),
  ])
  return Object.fromEntries([...batch, ...masks])
}

/** Two steps: the second one starts from what the first wrote. */
async function twoSteps(executor: Executor, step: StepGraph, seed: number): Promise<Tensors> {
  const program = await executor.compile(step.graph, { state: step.state, threads: 1 })
  try {
    await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
    const feeds = feedsOf(step, seed)
    await program.run({ ...feeds, ...step.hyper(1, RATE) })
    const metrics = await program.run({ ...feeds, ...step.hyper(2, RATE) })
    return { ...(await program.readState()), [METRICS]: metrics[METRICS] as Tensor }
  } finally {
    await program.dispose()
  }
}

function relative(a: Tensor, b: Tensor): number {
  const [x, y] = [arrayOf(a) as Float32Array, arrayOf(b) as Float32Array]
  const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0))
  return norm(x.map((v, i) => v - (y[i] as number))) / Math.max(1e-8, norm(y))
}

async function expectEqualSteps(graph: Graph): Promise<void> {
  const step = buildStep(prepare(graph, { batch: BATCH }), {
    losses: [crossEntropy()],
    optimizer: optimizer('sgd', { momentum: 0.9 }),
    decay: (_name, dims) => (dims.length > 1 ? 1e-3 : 0),
    clipNorm: 5,
  })
  // A wrong lowering is wrong for every batch; a Relu or a maximum on the edge is so for a few.
  const errors: Record<string, number>[] = []
  for (const seed of [16, 11, 14, 13, 12]) {
    const [ours, truth] = [await twoSteps(ortCpu, step, seed), await twoSteps(referenceExecutor, step, seed)]
    errors.push(Object.fromEntries(Object.entries(truth).map(([name, t]) => [name, relative(ours[name] as Tensor, t)])))
    if (Object.values(errors.at(-1) ?? {}).every((error) => error < 1e-4)) return
  }
  expect.fail(`in every batch some state differs by more than 1e-4: ${JSON.stringify(errors)}`)
}

describe('a training step on onnxruntime equals the reference', () => {
  test.each(Object.keys(zoo) as ZooId[])('%s', async (id) =>
    expectEqualSteps(buildZoo(id, { seed: 1, classes: CLASSES, ...small[id] }).graph),
  )

  const head = 'p = GlobalAveragePool(h) f = Flatten(p) const fw: f32[10,8] = noise f2 = Gemm(f, fw) {transB = 1}'
  const net = (body: string) => `graph (x: f32[N,4,9,9]) -> (f2: f32[N,10]) opset 18 { ${body} ${head} }`
  test.each([
    ['3x3', net('const w: f32[8,4,3,3] = noise h = Conv(x, w) {pads = [1,1,1,1]}')],
    [
      'many channels',
      net(
        'const w: f32[48,4,3,3] = noise a = Conv(x, w) {pads = [1,0,2,1], dilations = [1,2]} r = Relu(a) const v: f32[8,48,2,3] = noise h = Conv(r, v)',
      ),
    ],
    [
      'blocked channels',
      net(
        'const w: f32[32,4,3,3] = noise const b: f32[32] = noise a = Conv(x, w, b) {pads = [1,1,1,1]} r = Relu(a) const v: f32[16,32,3,3] = noise c = Conv(r, v) {pads = [0,1,1,0]} s = Relu(c) d = Add(c, s) const u: f32[8,16,1,1] = noise h = Conv(d, u)',
      ),
    ],
    ['3x3 stride 2', net('const w: f32[8,4,3,3] = noise h = Conv(x, w) {strides = [2,2], pads = [1,1,1,1]}')],
    ['1x1 stride 2', net('const w: f32[8,4,1,1] = noise h = Conv(x, w) {strides = [2,2]}')],
    ['grouped', net('const w: f32[8,2,3,3] = noise h = Conv(x, w) {group = 2, pads = [1,1,1,1]}')],
    [
      'depthwise',
      net(
        'const d: f32[4,1,3,3] = noise const w: f32[8,4,1,1] = noise a = Conv(x, d) {group = 4, strides = [2,2], pads = [1,1,1,1]} h = Conv(a, w)',
      ),
    ],
    [
      'overlapping max pool',
      net('const w: f32[8,4,3,3] = noise a = Conv(x, w) h = MaxPool(a) {kernel_shape = [3,3], strides = [2,2]}'),
    ],
    [
      'average pool',
      net(
        'const w: f32[8,4,3,3] = noise a = Conv(x, w) h = AveragePool(a) {kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]}',
      ),
    ],
  ])('%s', async (_name, text) => expectEqualSteps(withNoise(text)))
})

/** A graph from text in which `= noise` stands for normal values. */
function withNoise(text: string): Graph {
  const random = mulberry32(5)
  const filled = text.replace(/f32\[([\d,]+)\] = noise/g, (_all, dims: string) => {
    const size = dims.split(',').reduce((n, d) => n * Number(d), 1)
    const values = Array.from({ length: size }, () => (0.3 * gaussian(random)).toFixed(4))
    return `f32[${dims}] = [${values.join(', ')}]`
  })
  return parse(filled)
}
