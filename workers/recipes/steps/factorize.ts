import { z } from 'zod'
import type { Model } from '../../graph/graph.ts'
import { factorize as factorizeGraph, type FactorizeOptions } from '../../passes/factorize/factorize.ts'
import { methodIds } from '../../passes/factorize/methods.ts'
import { layerWeights } from '../../passes/layer-weights.ts'
import { step, type StepContext, type StepResult } from '../step.ts'

const Choice = z.enum([...methodIds, 'none'])
const Share = z.number().gt(0).max(1)
const Rank = z.number().int().min(1)

const Rule = z.union([
  z
    .strictObject({ fixed: z.union([Rank, z.array(Rank).min(1).max(2)]) })
    .describe('These ranks; of Tucker output, input'),
  z.strictObject({ share: Share }).describe('A share of the ranks at which nothing is lost'),
  z.strictObject({ ratio: z.number().gt(1) }).describe('So many times fewer parameters in each layer'),
  z.strictObject({ energy: Share }).describe('This share of the squares of the singular values is kept'),
  z.strictObject({ evbmf: z.literal(true) }).describe('What variational Bayes takes for signal'),
])

const Budget = z.union([
  z.strictObject({ params: Share }).describe('This share of the parameters, over all layers'),
  z.strictObject({ macs: Share }).describe('This share of the multiply-accumulates, over all layers'),
])

export const FactorizeStepOptions = z.strictObject({
  conv: Choice.default('tucker').describe('Method for convolutions with more than one tap; none leaves them'),
  dense: Choice.default('svd').describe('Method for matrix products and 1×1 convolutions'),
  rank: z
    .union([Rule, Budget])
    .default({ ratio: 2 })
    .describe('How ranks are chosen: one rule, or a budget over all layers'),
  layers: z
    .record(z.string(), z.strictObject({ method: Choice.optional(), rank: Rule.optional() }))
    .default({})
    .describe('Others for single layers, by name with *'),
  force: z.boolean().default(false).describe('Also where the factors are not smaller'),
  cp: z
    .strictObject({
      sweeps: z.number().int().min(1).default(100).describe('Sweeps of alternating least squares'),
      ridge: z.number().positive().default(1e-6).describe('Regularization, as a share of the mean diagonal'),
      degeneracy: z
        .number()
        .gt(1)
        .default(10)
        .describe('Energy of the components over that of the weight: beyond, Tucker-2'),
    })
    .optional()
    .describe('How CP decompositions are computed'),
})
export type FactorizeStepOptions = z.output<typeof FactorizeStepOptions>

/** Factorizes a bare model: no data, nothing run. */
export function factorizeModel(model: Model, options: FactorizeStepOptions) {
  const { graph, report } = factorizeGraph(model.graph, options satisfies FactorizeOptions)
  return { model: { ...model, graph }, report }
}

async function run({ model, journal }: StepContext, options: FactorizeStepOptions): Promise<StepResult> {
  const result = factorizeModel(model, options)
  if (!result.report.modified) journal.event('note', { text: 'No layer was factorized; the report says why.' })
  return { model: result.model, report: { ...result.report } }
}

const problems = (model: Model): readonly string[] =>
  layerWeights(model.graph).length === 0
    ? ['The model has no convolution or matrix product with a float32 weight: there is nothing to factorize.']
    : []

export const factorize = step({
  id: 'factorize',
  family: 'factorization',
  title: 'Factorize',
  help: 'Writes convolutions and matrix products as several smaller ones; layers stay where that would not pay.',
  source: 'Denton et al. 2014, arXiv:1404.0736; Kim et al. 2016, arXiv:1511.06530',
  options: FactorizeStepOptions,
  preflight: problems,
  run,
})
