import { modelOf, type Model } from '../../graph/graph.ts'
import { existingQuantization, prepareForQuantization } from '../../passes/index.ts'
import { AlambicError } from '../../protocol/errors.ts'
import { fusedBy, gainOf, speedWarning } from '../quantize/checks.ts'
import { modes } from '../quantize/modes.ts'
import { QuantizeOptions } from '../quantize/options.ts'
import { step, type StepContext, type StepResult } from '../step.ts'

/** A model that is quantized already is not quantized again unawares. */
function existing(model: Model, options: QuantizeOptions): string | undefined {
  const { operators, float } = existingQuantization(model.graph)
  const found = Object.entries(operators).map(([op, n]) => `${n} ${op}`)
  if (found.length === 0 || (options.rest && float.length > 0)) return undefined
  const left = float.length === 0 ? 'nothing is left in float' : `${float.length} layers are left in float`
  const fix = float.length === 0 ? '' : ' Set rest: true to quantize those.'
  return `the model is quantized already (${found.join(', ')}); ${left}.${fix}`
}

async function run(context: StepContext, options: QuantizeOptions): Promise<StepResult> {
  const problem = existing(context.model, options)
  if (problem) throw new AlambicError('quantize.already', problem, { subject: context.model.graph.name })
  const { graph, report, warnings } = await modes[options.mode](context, options)
  const before = prepareForQuantization(context.model.graph)
  const gain = await gainOf(context, before, graph)
  const warning = speedWarning(gain)
  const all = [...warnings, ...(warning ? [warning] : [])]
  all.forEach((text) => context.journal.event('warning', { text }))
  // Asked for speed, a person never gets a model that is slower than the one they had.
  const isKept = options.optimize === 'latency' && gain.latency.speedup < 1
  if (isKept) all.push('no quantized form is faster here: the model was left in float')
  const fused = options.mode === 'static' && !isKept ? await fusedBy(context, graph) : undefined
  return {
    model: isKept ? context.model : withGraph(context.model, graph),
    report: { mode: options.mode, ...report, ...gain, ...(fused ? { fused } : {}), kept: isKept, warnings: all },
    stopped: context.stopping(),
  }
}

/** The model around another graph, in the format version that the graph's operators need. */
const withGraph = (model: Model, graph: Model['graph']): Model => ({
  ...model,
  graph,
  irVersion: Math.max(model.irVersion, modelOf(graph).irVersion),
})

export const quantize = step({
  id: 'quantize',
  family: 'quantization',
  title: 'Quantize',
  help: 'Stores weights, and computes activations, in 8 bits or less; returns layers to float until accuracy is kept.',
  source: 'Jacob et al. 2018, arXiv:1712.05877; Nagel et al. 2021, arXiv:2106.08295',
  options: QuantizeOptions,
  preflight: (model, options) => {
    const problem = existing(model, options)
    return problem === undefined ? [] : [problem]
  },
  run,
})
