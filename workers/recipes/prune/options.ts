import { z } from 'zod'
import {
  criterionIds,
  normalizers,
  reductions,
  type CriterionId,
  type Normalizer,
  type Reduction,
} from '../../passes/prune/criteria.ts'
import { budgetKinds, type Budget, type BudgetKind } from '../../passes/prune/plan.ts'
import { RetrainOptions } from '../distil/retrain.ts'

const Ratio = z.number().min(0).lt(1)

/** A budget that is counted, or one that is measured: milliseconds, or a share of what the model takes now. */
export type AnyBudget = Omit<Budget, 'kind'> & { readonly kind: BudgetKind | 'latency' }

/** `macs=50%`, `params=1.2e6`, `latency=3ms`. */
const budgetText = new RegExp(`^(${budgetKinds.join('|')}|latency)\\s*=\\s*([\\d.]+(?:e\\d+)?)\\s*(%|ms)?$`)

export function parseBudget(text: string): AnyBudget | undefined {
  const [, kind, amount, unit] = budgetText.exec(text.trim()) ?? []
  const number = Number(amount)
  if (kind === undefined || !(number > 0) || (unit === 'ms') !== (kind === 'latency' && unit !== '%')) return undefined
  const isShare = unit === '%'
  return { kind: kind as AnyBudget['kind'], limit: isShare ? number / 100 : number, isShare }
}

const ids = <Id extends string>(table: Readonly<Record<Id, unknown>>) => Object.keys(table) as [Id, ...Id[]]

/** What choosing channels can be told. All of it works on a bare model, but the criteria that need data. */
export const ChoiceOptions = z.strictObject({
  method: z
    .enum(criterionIds as [CriterionId, ...CriterionId[]])
    .default('l2')
    .describe('What makes a channel important; the least important ones go'),
  ratio: Ratio.default(0.5).describe('Share of the channels that goes'),
  scope: z
    .enum(['layer', 'global', 'sensitivity'])
    .default('layer')
    .describe(
      'The same share of every group of layers, the least important of the whole net, or by what each group costs in accuracy',
    ),
  budget: z
    .string()
    .refine(
      (text) => parseBudget(text) !== undefined,
      'expected params, macs, bytes or latency, as in macs=50% or latency=3ms',
    )
    .optional()
    .describe('The most that may stay, instead of a ratio: macs=50%, params=1000000, bytes=25%, latency=3ms'),
  steps: z
    .number()
    .int()
    .min(1)
    .default(1)
    .describe('Cut in so many rounds, with new scores (and recovery) after each'),
  roundTo: z.number().int().min(1).default(1).describe('Channels that stay are a multiple of this'),
  minimum: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('Channels that stay in any layer; an emptied layer is an error else'),
  maxRatio: z.number().gt(0).max(1).default(1).describe('Largest share that any layer loses'),
  rules: z
    .array(
      z.strictObject({
        layer: z.string().min(1).describe('Name of a layer or weight, with * and ?'),
        ratio: Ratio.optional().describe('Its own share; 0 keeps it whole'),
        keep: z.number().int().min(1).optional().describe('Channels that stay'),
      }),
    )
    .default([])
    .describe('Layers with a ratio of their own; the last rule that matches counts'),
  members: z
    .enum(['all', 'out'])
    .default('all')
    .describe('Score all layers of a group, as DepGraph does, or only those that make its channels, as Li et al.'),
  reduction: z.enum(ids<Reduction>(reductions)).default('mean').describe('How the layers of a group are put together'),
  normalizer: z.enum(ids<Normalizer>(normalizers)).default('mean').describe('What makes groups comparable'),
  p: z.number().positive().default(3).describe('Of the method lp'),
  attention: z
    .enum(['heads', 'dims'])
    .default('heads')
    .describe('What goes of attention: heads, or the same elements of each'),
})
export type ChoiceOptions = z.output<typeof ChoiceOptions>

export const PruneOptions = RetrainOptions.extend({
  ...ChoiceOptions.shape,
  samples: z
    .number()
    .int()
    .min(1)
    .default(1024)
    .describe('Samples that scores, statistics and reconstruction are taken from'),
  scanRatios: z
    .array(Ratio.gt(0))
    .min(1)
    .default([0.25, 0.5, 0.75])
    .describe('Of the scope sensitivity: shares that are tried'),
  scanSamples: z
    .number()
    .int()
    .min(1)
    .default(1024)
    .describe('Of the scope sensitivity: samples that accuracy is measured on'),
  recover: z
    .enum(['none', 'bn', 'lsq', 'finetune'])
    .default('bn')
    .describe(
      'What follows a cut: nothing, batch-norm statistics anew, also next layers fitted to their old outputs, or training on',
    ),
  lr: RetrainOptions.shape.lr.default(1e-3),
})
export type PruneOptions = z.output<typeof PruneOptions>
