import type { Graph } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { noiseFor } from '../../graph/noise.ts'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { sizeOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import type { Executor, Tensors } from '../../executors/executor.ts'
import { crossEntropy } from '../../train/losses.ts'
import { optimizer } from '../../train/optimizers.ts'
import { prepare } from '../../train/prepare.ts'
import { buildStep, METRICS, type StepGraph } from '../../train/step.ts'
import { buildZoo, zoo, type ZooId, type ZooOptions } from '../../zoo/index.ts'

/*
 * The graphs that every executor has to run as the reference does: two training steps of each net of the zoo, narrow
 * and on small images because the reference is slow on purpose, and of nets that are made for one composite each.
 */

/** Batch norm over very few values is ill-conditioned: a step would compare rounding errors. */
const BATCH = 4
const CLASSES = 10
/** Small, so that rounding in the first step does not turn a Relu of the second one on or off. */
const RATE = 1e-5

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

const head = 'p = GlobalAveragePool(h) f = Flatten(p) const fw: f32[10,8] = noise f2 = Gemm(f, fw) {transB = 1}'
const net = (body: string): string => `graph (x: f32[N,4,9,9]) -> (f2: f32[N,10]) opset 18 { ${body} ${head} }`

const byComposite: Readonly<Record<string, string>> = {
  '3x3': net('const w: f32[8,4,3,3] = noise h = Conv(x, w) {pads = [1,1,1,1]}'),
  'many channels': net(
    'const w: f32[48,4,3,3] = noise a = Conv(x, w) {pads = [1,0,2,1], dilations = [1,2]} r = Relu(a) const v: f32[8,48,2,3] = noise h = Conv(r, v)',
  ),
  'blocked channels': net(
    'const w: f32[32,4,3,3] = noise const b: f32[32] = noise a = Conv(x, w, b) {pads = [1,1,1,1]} r = Relu(a) const v: f32[16,32,3,3] = noise c = Conv(r, v) {pads = [0,1,1,0]} s = Relu(c) d = Add(c, s) const u: f32[8,16,1,1] = noise h = Conv(d, u)',
  ),
  '3x3 stride 2': net('const w: f32[8,4,3,3] = noise h = Conv(x, w) {strides = [2,2], pads = [1,1,1,1]}'),
  '1x1 stride 2': net('const w: f32[8,4,1,1] = noise h = Conv(x, w) {strides = [2,2]}'),
  grouped: net('const w: f32[8,2,3,3] = noise h = Conv(x, w) {group = 2, pads = [1,1,1,1]}'),
  // Six channels of output in each group: no vector of four fits.
  'odd groups': net('const w: f32[12,2,3,3] = noise h = Conv(x, w) {group = 2, pads = [1,1,1,1]} ').replace(
    'f32[10,8]',
    'f32[10,12]',
  ),
  depthwise: net(
    'const d: f32[4,1,3,3] = noise const w: f32[8,4,1,1] = noise a = Conv(x, d) {group = 4, strides = [2,2], pads = [1,1,1,1]} h = Conv(a, w)',
  ),
  'overlapping max pool': net(
    'const w: f32[8,4,3,3] = noise a = Conv(x, w) h = MaxPool(a) {kernel_shape = [3,3], strides = [2,2]}',
  ),
  'padded max pool of ties': net(
    'const w: f32[8,4,3,3] = noise a = Conv(x, w) r = Relu(a) h = MaxPool(r) {kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1], ceil_mode = 1}',
  ),
  'average pool': net(
    'const w: f32[8,4,3,3] = noise a = Conv(x, w) h = AveragePool(a) {kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]}',
  ),
}

/** The names of all cases. */
export const cases: readonly string[] = [...Object.keys(zoo), ...Object.keys(byComposite)]

/** Whether a case is a net of the zoo. */
export const isNet = (name: string): boolean => name in zoo

function graphOf(name: string): Graph {
  const text = byComposite[name]
  if (text !== undefined) return withNoise(text)
  return buildZoo(name as ZooId, { seed: 1, classes: CLASSES, ...small[name as ZooId] }).graph
}

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

/** The training step of a case. */
export const stepOf = (name: string): StepGraph =>
  buildStep(prepare(graphOf(name), { batch: BATCH }), {
    losses: [crossEntropy()],
    optimizer: optimizer('sgd', { momentum: 0.9 }),
    decay: (_name, dims) => (dims.length > 1 ? 1e-3 : 0),
    clipNorm: 5,
  })

/** A batch of noise for every input of a step graph. */
function feedsOf(step: StepGraph, seed: number): Record<string, Tensor> {
  const random = mulberry32(seed)
  const batch = noiseFor(step.batch, { random: () => random, label: (i) => (3 * i + 1) % CLASSES })
  const masks = step.masks.map(({ input, dims }): [string, Tensor] => {
    const mask = Uint8Array.from({ length: sizeOf(dims) }, () => (random() < 0.9 ? 1 : 0))
    return [input, tensorOf('u8', dims, mask)]
  })
  return { ...batch, ...Object.fromEntries(masks) }
}

/** Two steps: the second one starts from what the first wrote. State and the metrics of the second one. */
export async function twoSteps(executor: Executor, step: StepGraph, seed: number): Promise<Tensors> {
  const program = await executor.compile(step.graph, { state: step.state, threads: 1 })
  try {
    await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
    const feeds = feedsOf(step, seed)
    const both = [1, 2].map((i) => ({ ...feeds, ...step.hyper(i, RATE) }))
    const results = program.runAll
      ? await program.runAll(both)
      : [await program.run(both[0] as Tensors), await program.run(both[1] as Tensors)]
    return { ...(await program.readState()), [METRICS]: results[1]?.[METRICS] as Tensor }
  } finally {
    await program.dispose()
  }
}
