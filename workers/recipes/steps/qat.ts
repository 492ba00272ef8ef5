import { z } from 'zod'
import { preprocessingFor } from '../../datasets/index.ts'
import { checkOf } from '../quantize/accuracy.ts'
import { finish } from '../quantize/finish.ts'
import { CalibrationOptions, opsetFor, SchemeOptions } from '../quantize/options.ts'
import { trainQuantized } from '../quantize/qat.ts'
import { pairedComparison } from '../../measure/quantization/index.ts'
import { step, type StepContext, type StepResult } from '../step.ts'
import { fitOptions, TrainingOptions } from './options.ts'
import { alreadyQuantized } from './quantize.ts'
import { trainingProblems } from './train.ts'

const QatOptions = TrainingOptions.extend({
  ...CalibrationOptions.shape,
  ...SchemeOptions.shape,
  lr: TrainingOptions.shape.lr.default(1e-4),
  scales: z
    .enum(['follow', 'learn'])
    .default('follow')
    .describe('follow: weight scales follow the weights; learn: every scale is trained too (LSQ)'),
  teacher: z
    .enum(['labels', 'float', 'both'])
    .default('labels')
    .describe('What is learned from: labels, the float model (no labels needed), or both'),
  exclude: z.array(z.string()).default([]).describe('Layers that stay in float, by name'),
  floatOutputs: z.boolean().default(true).describe('Let a last Gemm or MatMul put out float, at no cost'),
  checkSamples: z.number().int().min(1).default(2000).describe('Most samples that accuracy is checked with'),
})
type QatOptions = z.output<typeof QatOptions>

async function run(context: StepContext, options: QatOptions): Promise<StepResult> {
  const preprocess = preprocessingFor(context.data, context.model, options.preprocessing)
  const result = await trainQuantized(context, {
    ...options,
    learned: options.scales === 'learn',
    fit: fitOptions(options),
    preprocess,
    opset: opsetFor(options),
  })
  const check = checkOf(context, result.before, options)
  const [float, quantized] = check ? [await check.evaluate(result.before), await check.evaluate(result.graph)] : []
  const accuracy =
    check && float && quantized
      ? {
          float: float.accuracy,
          quantized: quantized.accuracy,
          ...pairedComparison(float, quantized, check.labels),
        }
      : undefined
  const report = { scales: options.scales, teacher: options.teacher, ...(accuracy ? { accuracy } : {}), ...result.fit }
  const finished = await finish(
    context,
    { graph: result.graph, report, warnings: result.warnings },
    { mode: 'qat', before: result.before, fused: true, optimize: 'size', look: options },
  )
  return { ...finished, stopped: result.fit.stopped }
}

export const qat = step({
  id: 'qat',
  family: 'quantization',
  source: 'Jacob et al. 2018, arXiv:1712.05877; Esser et al. 2020, arXiv:1902.08153',
  options: QatOptions,
  preflight: (model, _options) => [...alreadyQuantized(model, false), ...trainingProblems(model)],
  run,
})
