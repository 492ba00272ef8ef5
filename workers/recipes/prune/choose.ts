import { AlambicError } from '../../protocol/errors.ts'
import { costOf } from '../../ops/cost.ts'
import type { Graph, Model } from '../../graph/graph.ts'
import { analyse } from '../../passes/prune/analysis.ts'
import { criteria, scoreGroup, type Criterion, type Evidence } from '../../passes/prune/criteria.ts'
import { cut } from '../../passes/prune/cut.ts'
import { groupsOf, type Barrier, type Groups } from '../../passes/prune/groups.ts'
import { plan, type PlannedGroup } from '../../passes/prune/plan.ts'
import { parseBudget, type ChoiceOptions } from './options.ts'

const quantized: ReadonlySet<string> = new Set([
  'QLinearConv',
  'QLinearMatMul',
  'ConvInteger',
  'MatMulInteger',
  'QuantizeLinear',
  'DequantizeLinear',
  'DynamicQuantizeLinear',
])

/** What stands in the way of pruning a model, one sentence each. */
export function pruningProblems(model: Model, options: Pick<ChoiceOptions, 'attention'>): readonly string[] {
  const node = model.graph.nodes.find(({ op }) => quantized.has(op))
  if (node) {
    return [`The model is quantized (${node.op} "${node.name}"): prune the float model, then quantize what is left.`]
  }
  const { groups, barriers } = groupsOf(analyse(model.graph, { attention: options.attention }))
  if (groups.length > 0) return []
  const why = barriers.slice(0, 5).map((b) => `${b.node}: ${b.reason}`)
  return [`Nothing of this model can be pruned. ${why.join('; ')}`]
}

/** Throws `prune.impossible` with the problems. */
export function checkPrunable(model: Model, options: Pick<ChoiceOptions, 'attention'>): void {
  const [problem] = pruningProblems(model, options)
  if (problem === undefined) return
  throw new AlambicError('prune.impossible', problem, { fix: '`inspect --groups` tells what can be cut and why not.' })
}

/** What was cut, for a person. */
export interface PruneReport {
  readonly ratio: number
  readonly groups: readonly (PlannedGroup & { readonly units: string })[]
  /** Channels that stay whole, and why. */
  readonly whole: readonly Barrier[]
  /** Groups that the method has no score for: without batch-norm, or out of reach of gradients. */
  readonly unscored: readonly string[]
  readonly params: readonly [before: number, after: number]
  readonly macs: readonly [before: number | undefined, after: number | undefined]
}

/** One round of cutting. `ratio` overrides the options' one in rounds of an iterative schedule. */
export function pruneOnce(
  graph: Graph,
  options: ChoiceOptions,
  evidence: Evidence,
  seed: number,
): {
  readonly graph: Graph
  readonly groups: Groups
  readonly removal: ReadonlyMap<number, readonly number[]>
  readonly report: PruneReport
} {
  const groups = groupsOf(analyse(graph, { attention: options.attention }))
  const context = { ...evidence, seed, p: options.p, members: options.members }
  const { method: criterion, reduction, normalizer } = options
  const scored = groups.groups.map(
    (group) => [group, scoreGroup(group, { ...context, criterion, reduction, normalizer })] as const,
  )
  const scores = new Map(scored.flatMap(([group, score]) => (score ? [[group.id, score] as const] : [])))
  const unscored = scored.flatMap(([group, score]) => (score ? [] : [group.name]))
  if (scores.size === 0) throw unscorable(options.method)
  const budget = options.budget === undefined ? undefined : parseBudget(options.budget)
  const chosen = plan(groups, scores, { ...options, budget })
  const after = cut(groups, chosen.removal)
  const [old, now] = [costOf(graph), costOf(after)]
  const report: PruneReport = {
    ratio: chosen.ratio,
    groups: chosen.groups.map((row) => ({ ...row, units: 'channels' })),
    whole: groups.barriers,
    unscored,
    params: [old.params, now.params],
    macs: [old.macs, now.macs],
  }
  return { graph: chosen.removal.size === 0 ? graph : after, groups, removal: chosen.removal, report }
}

const unscorable = (method: ChoiceOptions['method']) => {
  const { title, needs }: Criterion = criteria[method]
  const missing = needs === 'nothing' ? 'batch normalizations' : needs
  return new AlambicError('prune.no-scores', `the method "${title}" finds nothing to score in this model`, {
    subject: method,
    expected: missing,
    fix: method === 'bn-scale' ? 'Choose another method; a folded model has no scales left.' : 'Choose another method.',
  })
}

/** Ratios of the rounds of an iterative schedule, each of what is left then: together they make `ratio`. */
export function roundRatios(ratio: number, steps: number): readonly number[] {
  // Linear in what is left of the first channels, as Torch-Pruning's default schedule.
  const left = Array.from({ length: steps + 1 }, (_, i) => 1 - (ratio * i) / steps)
  return left.slice(1).map((now, i) => 1 - now / (left[i] as number))
}

/** Data-free pruning of a whole model in `steps` rounds. Throws `prune.needs-data` for methods that need more. */
export function pruneWithoutData(
  model: Model,
  options: ChoiceOptions,
  seed: number,
): { readonly model: Model; readonly report: PruneReport } {
  const { needs, title }: Criterion = criteria[options.method]
  if (needs !== 'nothing') {
    throw new AlambicError('prune.needs-data', `the method "${title}" scores by ${needs}: it needs data`, {
      subject: options.method,
      fix: 'Give --data, or choose a method that looks at the weights only.',
    })
  }
  checkPrunable(model, options)
  const { graph, report } = pruneOnce(model.graph, options, {}, seed)
  return { model: { ...model, graph }, report }
}
