import { preprocessingFor } from '../../datasets/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { outputSqnr, samplesOf } from '../../measure/quantization/index.ts'
import {
  BLOCK_OPSET,
  equalizeLayers,
  prepareForQuantization,
  quantizeDynamic,
  quantizeWeights,
  toFloat16,
  withBiases,
  type Precision,
  type WeightOnlyOptions,
} from '../../passes/index.ts'
import { AlambicError } from '../../protocol/errors.ts'
import type { StepContext } from '../step.ts'
import { asIntegerOperators } from './checks.ts'
import { budgetWarning, bytesOf, mixWithin, noiseOf, parseQuantizeBudget, type MixedInput } from './mixed.ts'
import { curvatures, roundedByCurvature } from './curvature.ts'
import type { QuantizeOptions } from './options.ts'
import { calibrationSplit } from './ranges.ts'
import { quantizeStatically, type Quantized } from './static.ts'
import { opsetFor, schemeOf } from './options.ts'

type Mode = (context: StepContext, options: QuantizeOptions) => Promise<Quantized>

/** What each mode does with the model at hand. */
export const modes: Readonly<Record<QuantizeOptions['mode'], Mode>> = {
  static: async (context, options) => {
    const graph = preparedFor(context, options)
    const weights =
      options.rounding === 'gptq' ? await roundedByCurvature(context, graph, schemeOf(options), options) : undefined
    const result = await quantizeStatically(context, graph, options, weights ? { weights } : {})
    return options.format === 'qdq' ? result : { ...result, graph: await asIntegerOperators(context, result.graph) }
  },
  dynamic: async (context, options) => {
    const graph = prepareForQuantization(context.model.graph)
    const { perChannel, reduceRange, weightRange } = options
    const ops = new Set(['MatMul', 'Gemm', 'LSTM', 'Gather', ...(options.convolutions ? ['Conv'] : [])])
    options.excludeOps.forEach((op) => ops.delete(op))
    const { graph: quantized, report } = quantizeDynamic(graph, {
      perChannel,
      reduceRange,
      weightRange,
      ops,
      exclude: new Set(options.exclude),
    })
    return finished(context, graph, quantized, report, options)
  },
  weights: async (context, options) => {
    const isNew = options.blockFormat === 'dequantize' || (options.convolutions && options.bits === 4)
    const opset = isNew ? BLOCK_OPSET : 13
    const graph = prepareForQuantization(context.model.graph, opset)
    const hessians = options.method === 'gptq' ? await curvatures(context, graph, options) : undefined
    const own = { ...weightOnly(options), ...(hessians && { hessians }) }
    const mixed = options.budget === undefined ? undefined : await mixWeights(context, graph, own, options)
    const { graph: quantized, report } = quantizeWeights(graph, { ...own, ...mixed?.options })
    if (!mixed) return finished(context, graph, quantized, report, options)
    const warning = budgetWarning(mixed.mixed, bytesOf(quantized))
    return finished(context, graph, quantized, { ...report, mixed: mixed.mixed }, options, warning ? [warning] : [])
  },
  fp16: async (context, options) => {
    const graph = prepareForQuantization(context.model.graph)
    const { graph: quantized, report } = toFloat16(graph, new Set(options.exclude))
    return finished(context, graph, quantized, report, options, report.warnings)
  },
}

/** The float graph as the options want it before it is quantized. */
function preparedFor(context: StepContext, options: QuantizeOptions): Graph {
  const plain = prepareForQuantization(context.model.graph, opsetFor(options))
  const based = options.biasCorrection === 'none' ? plain : withBiases(plain)
  if (!options.equalize) return based
  const { graph, report } = equalizeLayers(based, { replaceRelu6: options.replaceRelu6 })
  const { pairs, rounds, replaced } = report
  context.journal.event('equalized', { pairs: pairs.length, rounds, replaced })
  return graph
}

const weightOnly = (options: QuantizeOptions): WeightOnlyOptions => ({
  bits: options.bits,
  blockSize: options.blockSize,
  symmetric: options.symmetricBlocks,
  method: options.method,
  format: options.blockFormat,
  convolutions: options.convolutions,
  actOrder: options.actOrder,
  exclude: new Set(options.exclude),
})

/** Bits of each layer within a budget of bytes, by the noise that each alone brings to the outputs in 8 and in 4 bits. */
async function mixWeights(context: StepContext, graph: Graph, own: WeightOnlyOptions, options: QuantizeOptions) {
  const { budget = '' } = options
  if (parseQuantizeBudget(budget)?.kind === 'latency') throw onlyBytes(budget)
  const names = quantizeWeights(graph, own).report.layers.map(({ layer }) => layer)
  const float = bytesOf(graph)
  const samples = samplesOf(graph, calibrationSplit(context.data), {
    samples: options.diagnoseSamples,
    batch: Math.min(options.calibrationBatch, options.diagnoseSamples),
    seed: context.seed + 1,
    preprocessing: preprocessingFor(context.data, context.model, options.preprocessing),
  })
  const layers: MixedInput['layers'][number][] = []
  for (const [i, layer] of names.entries()) {
    const precisions: Precision[] = []
    for (const bits of [8, 4]) {
      const layerBits = new Map(names.map((name) => [name, name === layer ? bits : 32]))
      const { graph: alone } = quantizeWeights(graph, { ...own, layerBits })
      const sqnr = await outputSqnr(context, graph, alone, samples)
      precisions.push({ bits, cost: bytesOf(alone) - float, noise: noiseOf(sqnr) })
    }
    // Costs are what a layer adds to the float model: nothing, or less than nothing.
    layers.push({ layer, precisions: [{ bits: 32, cost: 0, noise: 0 }, ...precisions] })
    context.journal.progress({ activity: 'rank layers', done: i + 1, total: names.length, elapsed: 0, values: {} })
  }
  const mixed = mixWithin({ budget, float, layers })
  return { mixed, options: { layerBits: new Map(mixed.layers.map(({ layer, bits }) => [layer, bits])) } }
}

const onlyBytes = (found: string): AlambicError =>
  new AlambicError(
    'quantize.budget',
    'weights in blocks are there to be small: their kernels differ between machines',
    {
      expected: 'a budget of bytes, as in bytes=40%',
      found,
      fix: 'Use --mode static for a budget of latency.',
    },
  )

async function finished(
  context: StepContext,
  graph: Graph,
  quantized: Graph,
  report: object,
  options: QuantizeOptions,
  warnings: readonly string[] = [],
): Promise<Quantized> {
  const { modified: _, ...rest } = report as Record<string, unknown>
  const hasSamples = Object.keys(context.data.splits).length > 0
  if (!options.diagnose || !hasSamples) return { graph: quantized, report: rest, warnings }
  const samples = samplesOf(graph, calibrationSplit(context.data), {
    samples: options.diagnoseSamples,
    batch: options.diagnoseSamples,
    seed: context.seed,
    preprocessing: preprocessingFor(context.data, context.model, options.preprocessing),
  })
  const sqnr = await outputSqnr(context, graph, quantized, samples)
  return { graph: quantized, report: { ...rest, sqnr }, warnings }
}
