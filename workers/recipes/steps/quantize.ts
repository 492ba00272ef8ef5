import type { Model } from '../../graph/graph.ts'
import { existingQuantization, prepareForQuantization } from '../../passes/index.ts'
import { AlambicError } from '../../protocol/errors.ts'
import { finish } from '../quantize/finish.ts'
import { modes } from '../quantize/modes.ts'
import { QuantizeOptions } from '../quantize/options.ts'
import { step, type StepContext, type StepResult } from '../step.ts'

/** A model that is quantized already is not quantized again unawares: what of it is, in a sentence, or nothing. */
export function alreadyQuantized(model: Model, rest: boolean): readonly string[] {
  const { operators, float } = existingQuantization(model.graph)
  const found = Object.entries(operators).map(([op, n]) => `${n} ${op}`)
  if (found.length === 0 || (rest && float.length > 0)) return []
  const left = float.length === 0 ? 'nothing is left in float' : `${float.length} layers are left in float`
  const fix = float.length === 0 ? '' : ' Set rest: true to quantize those.'
  return [`the model is quantized already (${found.join(', ')}); ${left}.${fix}`]
}

async function run(context: StepContext, options: QuantizeOptions): Promise<StepResult> {
  const [problem] = alreadyQuantized(context.model, options.rest)
  if (problem !== undefined) throw new AlambicError('quantize.already', problem, { subject: context.model.graph.name })
  const result = await modes[options.mode](context, options)
  return finish(context, result, {
    mode: options.mode,
    before: prepareForQuantization(context.model.graph),
    fused: options.mode === 'static',
    optimize: options.optimize,
    look: options.diagnose ? options : undefined,
  })
}

export const quantize = step({
  id: 'quantize',
  family: 'quantization',
  source: 'Jacob et al. 2018, arXiv:1712.05877; Nagel et al. 2021, arXiv:2106.08295',
  options: QuantizeOptions,
  preflight: (model, options) => alreadyQuantized(model, options.rest),
  run,
})
