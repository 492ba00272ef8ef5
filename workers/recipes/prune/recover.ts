import { preprocessorFor } from '../../datasets/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { retrain } from '../distil/retrain.ts'
import type { EpochRecord } from '../fit.ts'
import type { StepContext } from '../step.ts'
import { reestimateBatchNorm } from './batch-norm.ts'
import type { Removal } from '../../passes/prune/cut.ts'
import type { Groups } from '../../passes/prune/groups.ts'
import { reconstruct, type LayerFit } from './reconstruct.ts'
import type { PruneOptions } from './options.ts'

/** What was cut, as `pruneOnce` tells it. */
export interface Cutting {
  readonly groups: Groups
  readonly removal: Removal
}

export interface Recovered {
  readonly graph: Graph
  readonly stopped?: boolean
  /** Training steps. */
  readonly steps?: number
  readonly history?: readonly EpochRecord[]
  /** How well layers were fitted to their old outputs. */
  readonly layers?: readonly LayerFit[]
  readonly skipped?: readonly string[]
}

/** What follows a cut. Fine-tuning starts from fresh batch-norm statistics. */
export async function recover(
  context: StepContext,
  { cutting, after }: { readonly cutting?: Cutting; readonly after: Graph },
  options: PruneOptions,
): Promise<Recovered> {
  if (options.recover === 'none') return { graph: after }
  const { data, executor, threads, seed } = context
  const split = data.splits.train ?? data.splits.test
  const preprocessing = options.preprocessing ?? preprocessorFor(data, after)
  if (!split) return { graph: after }
  const where = { executor, threads }
  const fitted =
    options.recover === 'lsq' && cutting
      ? await reconstruct(cutting, after, split, preprocessing, where, { ...options, seed })
      : { graph: after }
  const graph = await reestimateBatchNorm(fitted.graph, split, preprocessing, where, { ...options, seed })
  return options.recover === 'finetune' ? retrain(context, graph, options, { preprocessing }) : { ...fitted, graph }
}
