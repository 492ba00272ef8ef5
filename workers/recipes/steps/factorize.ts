import { z } from 'zod'
import { preprocessingFor } from '../../datasets/index.ts'
import type { Model } from '../../graph/graph.ts'
import { sizeOf } from '../../graph/tensor.ts'
import { latencyOf } from '../../measure/latency.ts'
import { convolutionGrams, samplesOf } from '../../measure/quantization/index.ts'
import { outputMoments } from '../../measure/second-moments.ts'
import { inferTypes } from '../../ops/infer.ts'
import { rankCurves } from '../../passes/factorize/curves.ts'
import {
  factorize as factorizeGraph,
  wantsOf,
  type FactorizeOptions,
  type FactorizeReport,
} from '../../passes/factorize/factorize.ts'
import { methodIds } from '../../passes/factorize/methods.ts'
import { matrixOf, type Matrix } from '../../passes/factorize/matrix.ts'
import { layerWeights, type LayerWeight } from '../../passes/layer-weights.ts'
import { AlambicError } from '../../protocol/errors.ts'
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
  z.strictObject({ latency: Share }).describe('This share of the latency, measured here'),
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
  samples: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('Keep what layers put out on so many samples, not their weights; 0: needs no data'),
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
  const { rank } = options
  if ('latency' in rank || options.samples > 0) {
    throw new AlambicError('data.needed', 'this factorization measures, and there is nothing to measure with here', {
      subject: 'factorize',
      expected: 'a run with data',
      found: 'latency' in rank ? 'a budget of latency' : `samples: ${options.samples}`,
      fix: 'Use it as a step of a recipe (compress), with --data.',
    })
  }
  const result = factorized(model, { ...options, rank })
  return { ...result, report: withCurves(model, result.report) }
}

function factorized(model: Model, options: FactorizeOptions) {
  const { graph, report } = factorizeGraph(model.graph, options)
  return { model: { ...model, graph }, report }
}

/** The report with what each layer would lose at other ranks. */
function withCurves<Report extends FactorizeReport>(model: Model, report: Report) {
  const curves = rankCurves(model.graph, report.layers)
  const layers = report.layers.map((layer) => {
    const own = curves.get(layer.name)
    return own ? { ...layer, curves: own } : layer
  })
  return { ...report, layers }
}

async function run(context: StepContext, options: FactorizeStepOptions): Promise<StepResult> {
  const { model, journal } = context
  const { rank, ...rest } = options
  const given = { ...rest, ...(await seenOnData(context, options)) }
  const result =
    'latency' in rank
      ? await withinLatency(context, given, rank.latency)
      : { ...factorized(model, { ...given, rank }), measured: {} }
  if (!result.report.modified) journal.event('note', { text: 'No layer was factorized; the report says why.' })
  return { model: result.model, report: { ...withCurves(model, result.report), ...result.measured } }
}

/** What layers put out or read on samples, for the methods that can make use of it. */
async function seenOnData(
  context: StepContext,
  options: FactorizeStepOptions,
): Promise<Pick<FactorizeOptions, 'moments' | 'inputs'>> {
  const { model, data, seed, executor, threads } = context
  const split = data.splits.train ?? data.splits.validation ?? data.splits.test
  if (options.samples === 0) return {}
  if (!split) {
    throw new AlambicError('data.needed', 'keeping outputs needs samples', {
      expected: 'a data set',
      found: 'none',
      fix: 'Give --data, or set samples to 0.',
    })
  }
  const graph = inferTypes(model.graph)
  const choices: FactorizeOptions = { ...options, rank: { share: 1 } }
  const wanted = layerWeights(graph).map((weight) => ({ weight, ...wantsOf(graph, weight, choices) }))
  const [putting, reading] = [wanted.filter((w) => w.moments), wanted.filter((w) => w.inputs)]
  const preprocessing = preprocessingFor(data, model)
  const where = { executor, threads }
  const { samples } = options
  const outputs = putting.map(({ weight }) => weight)
  const moments =
    outputs.length > 0
      ? await outputMoments(graph, outputs, split, preprocessing, { samples, seed, ...where })
      : undefined
  const batches = samplesOf(graph, split, { samples, batch: 32, seed, preprocessing })
  const nodes = reading.map(({ weight }) => weight.node)
  const grams = nodes.length > 0 ? await convolutionGrams(where, graph, nodes, batches, MOST_INPUTS) : undefined
  const inputs = new Map(
    reading.flatMap(({ weight }) => {
      const all = grams?.get(weight.node.name)
      return all ? [[weight.name, byGroup(all, weight)] as const] : []
    }),
  )
  return { ...(moments ? { moments } : {}), ...(inputs.size > 0 ? { inputs } : {}) }
}

/** Inputs of one output of a convolution beyond which its factors are found from the weight alone: 42 MB of moments. */
const MOST_INPUTS = 2304

function byGroup(all: Float64Array, { tensor }: LayerWeight): readonly Matrix[] {
  const size = sizeOf(tensor.dims.slice(1))
  return Array.from({ length: all.length / size ** 2 }, (_, g) =>
    matrixOf(size, size, all.subarray(g * size ** 2, (g + 1) * size ** 2)),
  )
}

/** Budgets of multiply-accumulates that are tried; each halves what is left between too slow and fast enough. */
const PROBES = 6

/** The most multiply-accumulates with which the model is as fast as asked for; both are timed in turn. */
async function withinLatency(context: StepContext, options: Omit<FactorizeOptions, 'rank'>, share: number) {
  const { model, executor, threads = 1, journal } = context
  const timed = { batch: 1, runs: 30, threads }
  let [low, high] = [0, 1]
  let best: (ReturnType<typeof factorized> & { measured: { latency: number; macsBudget: number } }) | undefined
  let closest = Infinity
  for (let probe = 0; probe < PROBES; probe++) {
    const macs = (low + high) / 2
    const candidate = attempt(() => factorized(model, { ...options, rank: { macs } }))
    const before = await latencyOf(executor, model.graph, timed)
    const after = candidate && (await latencyOf(executor, candidate.model.graph, timed))
    const latency = after ? after.minMs / before.minMs : 0
    journal.event('note', {
      text: `budget of ${(100 * macs).toFixed(1)} % of the multiply-accumulates: ${(100 * latency).toFixed(1)} % of the latency`,
    })
    if (candidate) closest = Math.min(closest, latency)
    if (candidate && latency <= share) {
      best = { ...candidate, measured: { latency, macsBudget: macs } }
      low = macs
    } else if (candidate) high = macs
    else low = macs
  }
  if (best) return best
  throw new AlambicError('target.infeasible', 'no ranks that were tried are fast enough', {
    subject: 'latency',
    expected: `${(100 * share).toFixed(0)} % of the latency`,
    found: `${(100 * closest).toFixed(0)} % at the least`,
    fix: 'Ask for less, or cut channels instead.',
  })
}

/** Undefined for a budget that not even rank 1 meets. */
function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch (error) {
    if (error instanceof AlambicError && error.code === 'target.infeasible') return undefined
    throw error
  }
}

const problems = (model: Model): readonly string[] =>
  layerWeights(model.graph).length === 0
    ? ['The model has no convolution or matrix product with a float32 weight: there is nothing to factorize.']
    : []

export const factorize = step({
  id: 'factorize',
  family: 'factorization',
  source: 'Denton et al. 2014, arXiv:1404.0736; Kim et al. 2016, arXiv:1511.06530',
  options: FactorizeStepOptions,
  preflight: problems,
  run,
})
