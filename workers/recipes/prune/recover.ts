import { preprocessorFor } from '../../datasets/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { crossEntropy } from '../../train/losses.ts'
import { followInput } from '../distil/follow.ts'
import { fit, type EpochRecord } from '../fit.ts'
import { fitOptions } from '../steps/options.ts'
import type { StepContext } from '../step.ts'
import { reestimateBatchNorm } from './batch-norm.ts'
import type { PruneOptions } from './options.ts'

export interface Recovered {
  readonly graph: Graph
  readonly stopped?: boolean
  /** Training steps. */
  readonly steps?: number
  readonly history?: readonly EpochRecord[]
}

/** What follows a cut. Fine-tuning starts from fresh batch-norm statistics. */
export async function recover(
  context: StepContext,
  { teacher, after }: { readonly teacher: Graph; readonly before: Graph; readonly after: Graph },
  options: PruneOptions,
): Promise<Recovered> {
  if (options.recover === 'none') return { graph: after }
  const { data, executor, threads, seed } = context
  const split = data.splits.train ?? data.splits.test
  const preprocessing = options.preprocessing ?? preprocessorFor(data, after)
  const graph = split
    ? await reestimateBatchNorm(after, split, preprocessing, { executor, threads }, { ...options, seed })
    : after
  return options.recover === 'finetune' ? finetune(context, teacher, graph, options) : { graph }
}

async function finetune(
  context: StepContext,
  unpruned: Graph,
  graph: Graph,
  options: PruneOptions,
): Promise<Recovered> {
  const preprocessing = options.preprocessing ?? preprocessorFor(context.data, graph)
  const common = { ...fitOptions(options), preprocessing }
  if (options.teacher === 'labels') {
    const { labelSmoothing } = options
    return fit(context, graph, { ...common, losses: [crossEntropy({ labelSmoothing })] })
  }
  // The unpruned model as teacher: no labels are read (Hinton et al. 2015, arXiv:1503.02531).
  return followInput(context, graph, unpruned, common)
}
