import { z } from 'zod'
import { preprocessingFor } from '../../datasets/index.ts'
import { samplesOf } from '../../measure/quantization/index.ts'
import { planQuantization, prepareForQuantization, rangesNeeded } from '../../passes/index.ts'
import { learnRounding } from '../quantize/adaround.ts'
import { finish } from '../quantize/finish.ts'
import { opsetFor, QuantizeOptions, schemeOf } from '../quantize/options.ts'
import { calibrationSplit, rangesOf } from '../quantize/ranges.ts'
import { quantizeStatically } from '../quantize/static.ts'
import { step, type StepContext, type StepResult } from '../step.ts'
import { alreadyQuantized } from './quantize.ts'

const AdaroundOptions = QuantizeOptions.omit({ mode: true, bits: true, format: true, rounding: true }).extend({
  iterations: z
    .number()
    .int()
    .min(1)
    .default(3000)
    .describe('Steps of each layer; the reference implementation takes 10000'),
  roundingSamples: z.number().int().min(1).default(1024).describe('Samples whose activations are kept for a layer'),
  roundingBatch: z.number().int().min(1).default(32).describe('Samples of a step'),
  roundingRate: z.number().positive().default(0.01).describe('Learning rate of Adam'),
  roundingMemory: z.number().positive().default(256).describe('Megabytes of activations that are kept for a layer'),
})
type AdaroundOptions = z.output<typeof AdaroundOptions>

async function run(context: StepContext, options: AdaroundOptions): Promise<StepResult> {
  const { data, model, seed } = context
  const scheme = schemeOf(options)
  const graph = prepareForQuantization(model.graph, Math.max(18, opsetFor(options)))
  const plan = planQuantization(graph, {
    symmetric: scheme.symmetricActivations,
    exclude: new Set(options.exclude),
    excludeOps: new Set(options.excludeOps),
    floatOutputs: options.floatOutputs,
  })
  const affine = { symmetric: scheme.symmetricActivations }
  const { ranges } = await rangesOf(context, graph, rangesNeeded(plan), options, { type: scheme.activations, affine })
  const rounded = await learnRounding(context, plan, {
    scheme,
    ranges,
    data: samplesOf(graph, calibrationSplit(data), {
      samples: options.roundingSamples,
      batch: options.calibrationBatch,
      seed,
      preprocessing: preprocessingFor(data, model, options.preprocessing),
    }),
    iterations: options.iterations,
    batch: options.roundingBatch,
    lr: options.roundingRate,
    memory: options.roundingMemory * 2 ** 20,
  })
  const all = QuantizeOptions.parse(pick(options))
  const result = await quantizeStatically(context, graph, all, { weights: rounded.weights })
  const quantized = { ...result, report: { ...result.report, rounding: rounded.layers } }
  const look = options.diagnose ? options : undefined
  return finish(context, quantized, { mode: 'adaround', before: graph, fused: true, optimize: options.optimize, look })
}

/** The options that quantization itself knows. */
const pick = (options: AdaroundOptions): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).filter(([name]) => name in QuantizeOptions.shape))

export const adaround = step({
  id: 'adaround',
  family: 'quantization',
  source: 'Nagel et al. 2020, arXiv:2004.10568',
  options: AdaroundOptions,
  preflight: (model, options) => alreadyQuantized(model, options.rest),
  run,
})
