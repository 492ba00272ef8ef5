import { z } from 'zod'
import { preprocessingFor, withPreprocessing } from '../../datasets/index.ts'
import { hold, settle } from '../../passes/cluster/share.ts'
import { layerWeights } from '../../passes/layer-weights.ts'
import { pruneMagnitude, scopes } from '../../passes/prune/magnitude.ts'
import { retrain, RetrainOptions } from '../distil/retrain.ts'
import { step, type StepContext, type StepResult } from '../step.ts'
import { trainingProblems } from './train.ts'

const Share = z.number().gt(0).max(1)

const PruneRetrainOptions = RetrainOptions.extend({
  keep: z
    .union([Share, z.record(z.string(), Share)])
    .default(0.5)
    .describe(
      'Share of the weights that stay, zeros of earlier steps among the others; or by layer: name pattern to share',
    ),
  scope: z
    .enum(scopes)
    .default('lamp')
    .describe(
      'layer: the same share in each; global: one threshold; lamp: one threshold of a score that spares small layers',
    ),
})
type PruneRetrainOptions = z.output<typeof PruneRetrainOptions>

async function run(context: StepContext, options: PruneRetrainOptions): Promise<StepResult> {
  const { model, data } = context
  const preprocessing = preprocessingFor(data, model, options.preprocessing)
  const weights = layerWeights(model.graph)
  const { graph: pruned, layers } = pruneMagnitude(model.graph, weights, options)
  const held = hold(
    pruned,
    weights.map((w) => w.name),
  )
  const { graph, ...report } = await retrain(context, held.graph, options, { preprocessing })
  return {
    model: withPreprocessing({ ...model, graph: settle({ graph, held: held.held }) }, preprocessing),
    report: { ...report, layers },
    stopped: report.stopped,
  }
}

export const pruneRetrain = step({
  id: 'prune-retrain',
  family: 'pruning',
  source: 'Han et al. 2015, arXiv:1506.02626',
  options: PruneRetrainOptions,
  preflight: trainingProblems,
  run,
})
