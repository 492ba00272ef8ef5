import { z } from 'zod'
import type { Preprocessing } from '../../datasets/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { crossEntropy, type LossTerm } from '../../train/losses.ts'
import { specOf, TermSpec } from '../../train/distil/spec.ts'
import { fit, type FitResult } from '../fit.ts'
import { fitOptions, TrainingOptions } from '../steps/options.ts'
import type { StepContext } from '../step.ts'
import { follow } from './follow.ts'

/** Options of every step that trains what it made smaller. */
export const RetrainOptions = TrainingOptions.extend({
  teacher: z
    .enum(['labels', 'self', 'source'])
    .default('labels')
    .describe(
      'What training follows: the labels, the model as it came to this step, or as it came to the run (neither needs labels)',
    ),
  alpha: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe("Weight of what the teacher says; the samples' labels get the rest"),
  temperature: z.number().positive().default(4).describe('T: larger ones show more of how the teacher ranks'),
})
export type RetrainOptions = z.output<typeof RetrainOptions>

export interface Retraining {
  readonly preprocessing: Preprocessing
  /** Terms beside what is followed: regularizers. */
  readonly more?: readonly LossTerm[]
}

/** Trains what a step made: on labels, or with an unmodified model as teacher (Hinton et al. 2015, arXiv:1503.02531). */
export async function retrain(
  context: StepContext,
  graph: Graph,
  options: RetrainOptions,
  { preprocessing, more = [] }: Retraining,
): Promise<FitResult> {
  const common = { ...fitOptions(options), preprocessing }
  const { teacher, alpha, temperature, labelSmoothing, ignoreIndex } = options
  if (teacher === 'labels') {
    const labels = crossEntropy({ labelSmoothing, ...(ignoreIndex === undefined ? {} : { ignoreIndex }) })
    return fit(context, graph, { ...common, losses: [labels, ...more] })
  }
  const written = [
    { term: 'kd', weight: alpha, temperature },
    ...(alpha < 1 ? [{ term: 'ce', weight: 1 - alpha, labelSmoothing }] : []),
  ]
  const { pairing: _pairing, ...followed } = await follow(context, {
    ...common,
    student: graph,
    teacher: (teacher === 'self' ? context.model : context.source).graph,
    terms: written.map((term) => specOf(TermSpec.parse(term))),
    more,
    cache: true,
    cacheLimit: 2048,
  })
  return followed
}
