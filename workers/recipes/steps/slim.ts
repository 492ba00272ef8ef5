import { z } from 'zod'
import { preprocessorFor } from '../../datasets/index.ts'
import type { Graph, Model } from '../../graph/graph.ts'
import { f32, sizeOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { analyse } from '../../passes/prune/analysis.ts'
import { scoreGroup, type CriterionId } from '../../passes/prune/criteria.ts'
import { groupsOf, type Groups, type Member } from '../../passes/prune/groups.ts'
import type { LossTerm } from '../../train/losses.ts'
import { groupSparsity, scaleSparsity } from '../../train/sparsity.ts'
import { shadow, unshadow } from '../../passes/prune/revive.ts'
import { retrain } from '../distil/retrain.ts'
import { pruneOnce, pruningProblems, type PruneReport } from '../prune/choose.ts'
import { gather } from '../prune/evidence.ts'
import { ChoiceOptions, PruneOptions } from '../prune/options.ts'
import { outcomeOf } from '../prune/outcome.ts'
import { recover, type Recovered } from '../prune/recover.ts'
import { asPairs, ofRound, replay, roundFacts } from '../prune/rounds.ts'
import { step, type StepContext, type StepResult } from '../step.ts'

const SlimOptions = PruneOptions.extend({
  regularizer: z
    .enum(['scale', 'group', 'masked'])
    .default('scale')
    .describe(
      'How channels are made dispensable: L1 on batch-norm scales (Network Slimming), decay by group (DepGraph), or masks that are drawn anew while all weights learn (GDP)',
    ),
  strength: z
    .number()
    .positive()
    .default(1e-4)
    .describe('λ of the L1 term, or the decay of the least important channels'),
  sparseEpochs: z.number().int().min(1).default(3).describe('Passes over the training set before the cut'),
  scope: ChoiceOptions.shape.scope.default('global'),
  recover: PruneOptions.shape.recover.default('finetune'),
})
type SlimOptions = z.output<typeof SlimOptions>

/** The criterion that belongs to each way. */
const methods: Readonly<Record<SlimOptions['regularizer'], CriterionId>> = {
  scale: 'bn-scale',
  group: 'l2',
  masked: 'taylor-channel',
}

/** Names of the batch-norm scales that groups have. */
const scalesOf = ({ groups }: Groups): readonly string[] => [
  ...new Set(
    groups.flatMap((g) =>
      g.members.filter((m) => m.roles.some(({ role }) => role === 'scale')).map((m) => m.constant.name),
    ),
  ),
]

const isWeight = (member: Member): boolean =>
  member.roles.some(({ role }) => role === 'out' || role === 'in' || role === 'scale')

/** c of every weight element: 1 for a group's most important unit, 2⁴ for its least; the largest where groups cross. */
function factorsOf(groups: Groups, seed: number): ReadonlyMap<string, Tensor> {
  const factors = new Map<string, Float32Array>()
  const dims = new Map<string, readonly number[]>()
  for (const group of groups.groups) {
    const scores = scoreGroup(group, {
      criterion: 'l2',
      reduction: 'sum',
      normalizer: 'none',
      members: 'all',
      p: 2,
      seed,
    })
    if (!scores) continue
    const importance = scores.map(Math.sqrt)
    const [low, high] = [Math.min(...importance), Math.max(...importance)]
    const c = importance.map((i) => 2 ** (4 * ((high - i) / (high - low || 1))))
    for (const member of group.members.filter(isWeight)) {
      const { name, tensor } = member.constant
      const own = factors.get(name) ?? new Float32Array(sizeOf(tensor.dims))
      factors.set(name, own)
      dims.set(name, tensor.dims)
      spreadOver(own, member, c)
    }
  }
  return new Map([...factors].map(([name, values]) => [name, asDouble(f32(values, dims.get(name)))]))
}

function spreadOver(own: Float32Array, { constant, axis, indices, units }: Member, c: Float64Array): void {
  const { dims } = constant.tensor
  const inner = sizeOf(dims.slice(axis + 1))
  const stride = (dims[axis] as number) * inner
  for (let base = 0; base < own.length; base += stride) {
    indices.forEach((index, i) => {
      const from = base + index * inner
      const factor = c[units[i] as number] as number
      for (let k = from; k < from + inner; k++) own[k] = Math.max(own[k] as number, factor)
    })
  }
}

/** As f64 and cast back: training takes float32 constants beside a product for parameters. */
const asDouble = (tensor: Tensor): Tensor =>
  tensorOf(
    'f64',
    tensor.dims,
    Float64Array.from(new Float32Array(tensor.bytes.buffer, tensor.bytes.byteOffset, sizeOf(tensor.dims))),
  )

/** Sparse training, epoch by epoch where its terms follow the weights. */
async function sparseTraining(context: StepContext, graph: Graph, options: SlimOptions) {
  const { regularizer, strength, sparseEpochs } = options
  if (regularizer === 'scale') {
    const scales = scalesOf(groupsOf(analyse(graph, options)))
    return train(context, graph, options, sparseEpochs, [scaleSparsity(scales, strength)])
  }
  let result: Recovered & { readonly steps: number } = { graph, steps: 0 }
  const resumedAt = (await roundFacts(context.journal))?.round
  for (let epoch = 0; epoch < sparseEpochs && !result.stopped; epoch++) {
    const next =
      regularizer === 'group'
        ? await groupEpoch(context, result.graph, options, { epoch, offset: result.steps, resumedAt })
        : await maskedEpoch(context, result.graph, options, { epoch, offset: result.steps, resumedAt })
    result = { ...next, steps: result.steps + next.steps }
  }
  return result
}

/** Where an epoch of sparse training stands. */
interface Epoch {
  readonly epoch: number
  /** Training steps before it. */
  readonly offset: number
  readonly resumedAt: number | undefined
}

function groupEpoch(context: StepContext, graph: Graph, options: SlimOptions, { epoch, offset, resumedAt }: Epoch) {
  const factors = factorsOf(groupsOf(analyse(graph, options)), context.seed)
  const own = ofRound(context, { round: epoch, offset, removals: [] }, { ...SPARSE, resumedAt })
  return train(own, graph, options, 1, [groupSparsity(factors, options.strength)])
}

/** One epoch under masks: the least important filters of now are hidden, all weights learn. */
async function maskedEpoch(
  context: StepContext,
  graph: Graph,
  options: SlimOptions,
  { epoch, offset, resumedAt }: Epoch,
) {
  const { groups, removal } = await choose(context, graph, options)
  const hidden = new Map<string, Tensor>()
  for (const group of groups.groups) {
    const gone = new Set(removal.get(group.id) ?? [])
    for (const member of group.members) {
      if (gone.size === 0 || !member.roles.some(({ role }) => ['out', 'bias', 'scale', 'shift'].includes(role)))
        continue
      const { name, tensor } = member.constant
      const mask = new Uint8Array((hidden.get(name)?.bytes ?? new Uint8Array(sizeOf(tensor.dims))).slice())
      hide(mask, member, gone)
      hidden.set(name, tensorOf('u8', tensor.dims, mask))
    }
  }
  const { graph: masked, shadowed } = shadow(groups.coupling.graph, hidden)
  const own = ofRound(context, { round: epoch, offset, removals: [] }, { ...SPARSE, resumedAt })
  const trained = await train(own, masked, options, 1, [])
  return { ...trained, graph: unshadow(groups.coupling.graph, trained.graph, shadowed) }
}

function hide(mask: Uint8Array, { constant, axis, indices, units }: Member, gone: ReadonlySet<number>): void {
  const { dims } = constant.tensor
  const inner = sizeOf(dims.slice(axis + 1))
  const stride = (dims[axis] as number) * inner
  for (let base = 0; base < mask.length; base += stride) {
    indices.forEach((index, i) => {
      if (gone.has(units[i] as number)) mask.fill(1, base + index * inner, base + (index + 1) * inner)
    })
  }
}

function train(context: StepContext, graph: Graph, options: SlimOptions, epochs: number, more: readonly LossTerm[]) {
  const preprocessing = options.preprocessing ?? preprocessorFor(context.data, graph)
  return retrain(context, graph, { ...options, epochs, validation: 0 }, { preprocessing, more })
}

async function choose({ data, executor, threads, seed }: StepContext, graph: Graph, options: SlimOptions) {
  const method = methods[options.regularizer]
  const split = data.splits.train
  const evidence =
    split && options.regularizer === 'masked'
      ? await gather(graph, method, options, {
          executor,
          threads,
          seed,
          split,
          preprocessing: options.preprocessing ?? preprocessorFor(data, graph),
          samples: options.samples,
          batch: options.batch,
          progress: () => undefined,
        })
      : {}
  return pruneOnce(graph, { ...options, method }, evidence, seed)
}

/** Metrics of sparse training have one term more. */
const SPARSE = { streams: { train: 'sparse' } }

/** The round of the snapshots after the cut; those before it are numbered by epoch. */
const AFTER_CUT = 1_000_000

async function run(context: StepContext, options: SlimOptions): Promise<StepResult> {
  const { model, journal } = context
  const resumed = await roundFacts(journal)
  const removals = resumed?.round === AFTER_CUT ? resumed.removals : undefined
  let report: PruneReport | undefined
  let pairs = removals
  let after = removals && replay(model.graph, removals, options)
  let offset = resumed?.offset ?? 0
  if (!after) {
    const first =
      options.regularizer === 'scale' ? ofRound(context, { round: 0, offset: 0, removals: [] }, SPARSE) : context
    const sparse = await sparseTraining(first, model.graph, options)
    if (sparse.stopped) return { model: { ...model, graph: sparse.graph }, report: {}, stopped: true }
    const cutting = await choose(context, sparse.graph, options)
    ;({ report } = cutting)
    const { params, macs, groups } = cutting.report
    journal.event('pruned', { round: 1, rounds: 1, params, macs, groups })
    after = cutting.graph
    pairs = [asPairs(cutting.removal)]
    offset = sparse.steps
  }
  const own = ofRound(context, { round: AFTER_CUT, offset, removals: pairs ?? [] })
  const { graph, stopped = false, ...rest } = await recover(own, { after }, options)
  const outcome = stopped ? {} : await outcomeOf(context, model.graph, graph, options)
  const rounds = report ? { rounds: [report] } : {}
  return { model: { ...model, graph }, report: { ...rounds, ...rest, ...outcome }, stopped }
}

function problems(model: Model, options: SlimOptions): readonly string[] {
  const found = pruningProblems(model, options)
  if (found.length > 0 || options.regularizer !== 'scale') return found
  const scales = scalesOf(groupsOf(analyse(model.graph, options)))
  return scales.length > 0
    ? []
    : ['The model has no batch normalization in front of its channels: run the step insert-batchnorm first.']
}

export const slim = step({
  id: 'slim',
  family: 'pruning',
  source: 'Liu et al. 2017, arXiv:1708.06519; Fang et al. 2023, arXiv:2301.12900; Lin et al. 2018 (GDP)',
  options: SlimOptions,
  preflight: problems,
  run,
})
