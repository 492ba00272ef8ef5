import { concatenate } from '../../graph/concatenate.ts'
import type { Graph } from '../../graph/graph.ts'
import { extract } from '../../graph/rewrite.ts'
import { arrayOf, sizeOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { mulberry32 } from '../../graph/random.ts'
import type { CalibrationData } from '../../measure/calibrate/index.ts'
import {
  codesOf,
  decodeWeight,
  floatsOf,
  quantizeStatic,
  quantizeWeight,
  weightOptionsOf,
  type QuantizedWeight,
  type QuantPlan,
  type Range,
  type StaticScheme,
  type WeightSite,
} from '../../passes/index.ts'
import {
  buildRounding,
  LAYER_ERROR,
  LAYER_INPUT,
  LAYER_TARGET,
  LAYER_WEIGHT,
  penaltyWeight,
  type RoundingStep,
} from '../../train/adaround.ts'
import type { StepContext } from '../step.ts'

export interface RoundingOptions {
  readonly scheme: StaticScheme
  readonly ranges: ReadonlyMap<string, Range>
  readonly data: CalibrationData
  readonly iterations: number
  readonly batch: number
  readonly lr: number
  /** Bytes of a layer's inputs and outputs that are kept in memory. */
  readonly memory: number
}

export interface RoundedLayer {
  readonly layer: string
  /** Mean squared error of the layer's output, rounded to nearest and as learned. */
  readonly nearest: number
  readonly learned: number
  /** Weights that are rounded another way than to nearest, and all. */
  readonly flipped: number
  readonly weights: number
}

export interface Rounded {
  readonly weights: ReadonlyMap<string, QuantizedWeight>
  readonly layers: readonly RoundedLayer[]
}

/**
 * Learns the rounding of every weight, layer by layer in the order of the graph, each with the layers before it
 * quantized as they will be. A layer whose learned rounding is no better than nearest keeps that.
 */
export async function learnRounding(context: StepContext, plan: QuantPlan, options: RoundingOptions): Promise<Rounded> {
  const weights = new Map<string, QuantizedWeight>()
  const layers: RoundedLayer[] = []
  for (const [i, site] of plan.weights.entries()) {
    if (context.stopping()) break
    if (weights.has(site.name)) continue
    const found = await roundLayer(context, plan, site, weights, options)
    if (found) {
      weights.set(site.name, found.weight)
      layers.push(found.row)
      context.journal.event('rounded', { ...found.row })
    }
    context.journal.progress({
      activity: 'learn rounding',
      done: i + 1,
      total: plan.weights.length,
      elapsed: 0,
      values: found ? { nearest: found.row.nearest, learned: found.row.learned } : {},
    })
  }
  return { weights, layers }
}

async function roundLayer(
  context: StepContext,
  plan: QuantPlan,
  site: WeightSite,
  before: ReadonlyMap<string, QuantizedWeight>,
  options: RoundingOptions,
): Promise<{ weight: QuantizedWeight; row: RoundedLayer } | undefined> {
  const { scheme, ranges } = options
  const tensor = plan.graph.initializers.get(site.name) as Tensor
  const choice = weightOptionsOf(scheme, site.axis)
  const nearest = quantizeWeight(floatsOf(tensor), tensor.dims, choice)
  const quantized = quantizeStatic(plan, { ranges, scheme, weights: before }).graph
  const samples = await layerSamples(context, plan, quantized, site, options)
  if (!samples) return undefined
  const bias = plan.biases.find((b) => b.node === site.node)
  const real = plan.source.nodes.find((n) => n.name === site.node.name) ?? site.node
  const follows = plan.source.uses(real.outputs[0] ?? '')
  const relu = follows.length === 1 && follows[0]?.kind === 'node' && follows[0].node.op === 'Relu'
  const layer = {
    node: site.node,
    weight: tensor,
    bias: bias && plan.graph.initializers.get(bias.name),
    affines: nearest.affines,
    axis: choice.axis,
    codes: codesOf(choice.type, choice),
    relu,
  }
  const batch = Math.min(options.batch, samples.count)
  const rounding = buildRounding(layer, [batch, ...samples.input], [batch, ...samples.output])
  const { errors, codes } = await optimize(context, rounding, nearest, samples, batch, options)
  const weight = errors.learned < errors.nearest ? { ...nearest, codes } : nearest
  const flipped = weight.codes.reduce((n, code, i) => n + (code === nearest.codes[i] ? 0 : 1), 0)
  const row = { layer: site.node.name, ...errors, flipped, weights: nearest.codes.length }
  return { weight, row }
}

interface LayerSamples {
  readonly count: number
  readonly input: readonly number[]
  readonly output: readonly number[]
  readonly x: Float32Array
  readonly y: Float32Array
}

/** Inputs of a layer as the quantized graph has them, and its outputs as the float graph has them. */
async function layerSamples(
  { executor, threads }: StepContext,
  plan: QuantPlan,
  quantized: Graph,
  site: WeightSite,
  options: RoundingOptions,
): Promise<LayerSamples | undefined> {
  const read = quantized.nodes.find((n) => n.name === site.node.name && n.op === site.node.op)?.inputs[0]
  const written = plan.source.nodes.find((n) => n.name === site.node.name && n.op === site.node.op)?.outputs[0]
  if (read === undefined || written === undefined) return undefined
  const own = threads === undefined ? {} : { threads }
  const open = (graph: Graph, value: string) =>
    executor.compile(
      extract(
        graph,
        graph.requiredInputs.map((v) => v.name),
        [value],
      ),
      own,
    )
  const [left, right] = [await open(quantized, read), await open(plan.source, written)]
  const [xs, ys]: [Float32Array[], Float32Array[]] = [[], []]
  let [input, output, bytes]: [readonly number[], readonly number[], number] = [[], [], 0]
  try {
    for await (const { feeds } of options.data()) {
      const x = (await left.run(feeds))[read] as Tensor
      const y = (await right.run(feeds))[written] as Tensor
      ;[input, output] = [x.dims.slice(1), y.dims.slice(1)]
      xs.push((arrayOf(x) as Float32Array).slice())
      ys.push((arrayOf(y) as Float32Array).slice())
      bytes += x.bytes.byteLength + y.bytes.byteLength
      if (bytes > options.memory) break
    }
  } finally {
    await left.dispose()
    await right.dispose()
  }
  const [x, y] = [concatenate(Float32Array, xs), concatenate(Float32Array, ys)]
  return { count: x.length / sizeOf(input), input, output, x, y }
}

async function optimize(
  { executor, threads, seed }: Pick<StepContext, 'executor' | 'threads' | 'seed'>,
  rounding: RoundingStep,
  nearest: QuantizedWeight,
  samples: LayerSamples,
  batch: number,
  { iterations, lr }: RoundingOptions,
): Promise<{ errors: { nearest: number; learned: number }; codes: Int32Array }> {
  const { step, schedule } = rounding
  const own = threads === undefined ? {} : { threads }
  const program = await executor.compile(step.graph, { state: step.state, reuseOutputs: true, ...own })
  const random = mulberry32(seed)
  try {
    await program.writeState(Object.fromEntries(step.state.map((slot) => [slot.input, slot.initial])))
    const errorOf = (of: Int32Array) => layerError(executor, rounding, { ...nearest, codes: of }, samples, batch)
    const nearestError = await errorOf(nearest.codes)
    const weight = penaltyWeight(nearestError, nearest.codes.length)
    for (let i = 0; i < iterations; i++) {
      const drawn = Int32Array.from({ length: batch }, () => Math.floor(random() * samples.count))
      await program.run({ ...feedsOf(samples, drawn), ...schedule(i, iterations, weight), ...step.hyper(i + 1, lr) })
    }
    const codes = rounding.codes(await program.readState())
    return { codes, errors: { nearest: nearestError, learned: await errorOf(codes) } }
  } finally {
    await program.dispose()
  }
}

/** The layer's mean squared error over all kept samples. */
async function layerError(
  executor: StepContext['executor'],
  rounding: RoundingStep,
  weight: QuantizedWeight,
  samples: LayerSamples,
  batch: number,
): Promise<number> {
  const program = await executor.compile(rounding.error)
  const tensor = tensorOf('f32', weight.dims, decodeWeight(weight))
  const batches = Math.max(1, Math.floor(samples.count / batch))
  let sum = 0
  try {
    for (let i = 0; i < batches; i++) {
      const indices = Int32Array.from({ length: batch }, (_, k) => i * batch + k)
      const results = await program.run({ ...feedsOf(samples, indices), [LAYER_WEIGHT]: tensor })
      sum += (arrayOf(results[LAYER_ERROR] as Tensor) as Float32Array)[0] ?? NaN
    }
  } finally {
    await program.dispose()
  }
  return sum / batches
}

function feedsOf({ input, output, x, y }: LayerSamples, indices: Int32Array): Record<string, Tensor> {
  const pick = (all: Float32Array, dims: readonly number[]) => {
    const size = sizeOf(dims)
    const out = new Float32Array(indices.length * size)
    indices.forEach((index, i) => out.set(all.subarray(index * size, (index + 1) * size), i * size))
    return tensorOf('f32', [indices.length, ...dims], out)
  }
  return { [LAYER_INPUT]: pick(x, input), [LAYER_TARGET]: pick(y, output) }
}
