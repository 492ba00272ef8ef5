import { modelOf, type Graph, type Model } from '../../graph/graph.ts'
import type { StepContext, StepResult } from '../step.ts'
import type { CalibrationOptions } from './options.ts'
import { distributionsOf } from './distributions.ts'
import { fusedBy, gainOf, speedWarning } from './checks.ts'
import type { Quantized } from './static.ts'

/** The model around another graph, in the format version that the graph's operators need. */
const withGraph = (model: Model, graph: Graph): Model => ({
  ...model,
  graph,
  irVersion: Math.max(model.irVersion, modelOf(graph).irVersion),
})

export interface FinishOptions {
  readonly mode: string
  /** The float graph that the result is compared with. */
  readonly before: Graph
  /** Look at what onnxruntime fuses. */
  readonly fused: boolean
  readonly optimize: 'size' | 'latency'
  /** Look at how weights and activations are distributed, with the calibration's samples. */
  readonly look?: CalibrationOptions | undefined
}

/** Measures what a quantization has brought, says what a person should know of it, and wraps up the step. */
export async function finish(
  context: StepContext,
  { graph, report, warnings, float }: Quantized,
  { mode, before, fused, optimize, look }: FinishOptions,
): Promise<StepResult> {
  const gain = await gainOf(context, before, graph)
  const warning = speedWarning(gain)
  const all = [...warnings, ...(warning ? [warning] : [])]
  all.forEach((text) => context.journal.event('warning', { text }))
  // Asked for speed, a person never gets a model that is slower than the one they had.
  const isKept = optimize === 'latency' && gain.latency.speedup < 1
  if (isKept) all.push('no quantized form is faster here: the model was left in float')
  const kernels = fused && !isKept ? await fusedBy(context, graph) : undefined
  const distributions = look ? await distributionsOf(context, float ?? before, graph, look) : []
  return {
    model: isKept ? context.model : withGraph(context.model, graph),
    report: {
      mode,
      ...report,
      ...gain,
      ...(kernels ? { fused: kernels } : {}),
      ...(distributions.length > 0 ? { distributions } : {}),
      kept: isKept,
      warnings: all,
    },
    stopped: context.stopping(),
  }
}
