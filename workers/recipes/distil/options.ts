import { z } from 'zod'
import { AlambicError } from '../../protocol/errors.ts'
import { describe, specOf, TermSpec } from '../../train/distil/spec.ts'
import type { TermId } from '../../train/distil/terms.ts'
import { TrainingOptions } from '../steps/options.ts'

const Model = z.string().min(1)

export const DistilOptions = TrainingOptions.extend({
  student: Model.optional().describe(
    "The net to train: a file, a zoo id, or made of the teacher's graph by auto, thin:0.5, shallow, separable, fire or shuffle; the model at hand unless given",
  ),
  teacher: z
    .union([Model, z.array(Model).min(1)])
    .optional()
    .describe(
      "The net to learn from, or several whose logits are averaged; the model at hand when a student is given, else the run's input",
    ),
  losses: z
    .array(TermSpec)
    .min(1)
    .optional()
    .describe('Terms of the loss: names, names with a weight (at:1000), or objects; kd unless given'),
  strategy: z
    .enum(['offline', 'mutual', 'branches', 'self', 'born-again', 'assistant', 'progressive'])
    .default('offline')
    .describe(
      'offline: from a finished teacher. mutual: peers teach each other. branches: small branches teach together. self: deeper layers teach shallower ones. born-again: generations of one architecture. assistant: by nets of a size between. progressive: stage by stage first',
    ),
  temperature: z
    .number()
    .positive()
    .optional()
    .describe(
      'T: larger ones show more of how the teacher ranks wrong classes; 4 unless given, 3 in self and branches',
    ),
  alpha: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('Weight of kd, soft-ce and logits, 0.9 unless given; cross-entropy gets the rest'),
  beta: z.number().min(0).default(1e-6).describe("Self: weight of the features' squared distance"),
  pairs: z
    .array(z.strictObject({ student: z.string(), teacher: z.string() }))
    .min(1)
    .optional()
    .describe('Layers to compare, for every term that compares layers and names none itself'),
  peers: z
    .union([z.number().int().min(1).max(8), z.array(Model).min(1).max(8)])
    .default(1)
    .describe('Mutual and branches: how many there are beside the student, or which nets'),
  generations: z.number().int().min(1).default(2).describe('Born-again: how many students follow each other'),
  assistants: z.array(Model).default([]).describe('Assistant: the nets between, from the largest to the smallest'),
  stageEpochs: z.number().int().min(1).default(1).describe('Progressive: epochs for each stage before the last phase'),
  cache: z.boolean().default(true).describe('Keep what the teacher says on disk when inputs repeat'),
  cacheLimit: z.number().positive().default(2048).describe('Megabytes that this may take for one teacher and data set'),
})
export type DistilOptions = z.output<typeof DistilOptions>

/** α of Hinton et al. as RepDistiller sets it. */
const ALPHA = 0.9

type Asked = Pick<DistilOptions, 'losses' | 'temperature' | 'alpha' | 'pairs' | 'labelSmoothing'>

/**
 * The terms of the loss with every weight: cross-entropy joins by itself with what α leaves (1 when no term shares a
 * weight with it), unless it is listed or there are no labels.
 *
 * @throws AlambicError `distil.needs-labels` for a term that takes labels where there are none
 */
export function termsOf(options: Asked, labelled: boolean): readonly TermSpec[] {
  const listed = (options.losses ?? [TermSpec.parse('kd')]).map((written) => completed(specOf(written), options))
  const needing = listed.find(({ term }) => describe(term).labels)
  if (!labelled) {
    if (needing) throw needsLabels(needing.term, listed)
    return listed
  }
  if (listed.some(({ term }) => term === 'ce')) return listed
  const shares = listed.some(({ term }) => describe(term).shares)
  const weight = shares ? 1 - (options.alpha ?? ALPHA) : 1
  if (weight === 0) return listed
  return [...listed, completed(specOf(TermSpec.parse({ term: 'ce', weight })), options)]
}

/** What a term is not told itself it takes from the step. */
function completed(spec: TermSpec, { temperature, alpha = ALPHA, pairs, labelSmoothing }: Asked): TermSpec {
  const { shares, weight: own, needs, options } = describe(spec.term)
  const has = (name: string) => Object.hasOwn(options.shape, name)
  const weight = spec.weight ?? (shares ? alpha : own)
  return {
    ...spec,
    weight,
    ...(spec.pairs === undefined && pairs && needs === 'features' ? { pairs: [...pairs] } : {}),
    options: {
      ...spec.options,
      ...(has('temperature') && spec.options['temperature'] === undefined && temperature !== undefined
        ? { temperature }
        : {}),
      ...(has('labelSmoothing') && spec.options['labelSmoothing'] === 0 ? { labelSmoothing } : {}),
    },
  }
}

function needsLabels(term: TermId, listed: readonly TermSpec[]): AlambicError {
  const free = listed.filter((spec) => !describe(spec.term).labels).map((spec) => spec.term)
  return new AlambicError('distil.needs-labels', `the loss "${term}" needs labels, and these samples have none`, {
    subject: term,
    expected: 'labelled samples',
    found: 'samples without labels',
    fix: `Leave "${term}" out: ${free.length > 0 ? free.join(', ') : 'kd'} learns from the teacher alone.`,
  })
}
