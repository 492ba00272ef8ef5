import { AlambicError } from '../../protocol/errors.ts'
import { costOf } from '../../ops/cost.ts'
import { nodeLabel, subgraphsOf, type Graph, type Model } from '../../graph/graph.ts'
import { analyse } from '../../passes/prune/analysis.ts'
import { criteria, scoreGroup, type Criterion, type Evidence } from '../../passes/prune/criteria.ts'
import { cut, type Removal } from '../../passes/prune/cut.ts'
import { groupsOf, type Barrier, type Groups } from '../../passes/prune/groups.ts'
import { plan, type PlannedGroup, type PlanOptions, type Scores } from '../../passes/prune/plan.ts'
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
  const closed = model.graph.nodes.filter((each) => subgraphsOf(each).length > 0)
  const inside = closed.map((each) => `the layers are inside ${nodeLabel(each)}, which decides while it runs`)
  const reasons = [...why, ...inside.slice(0, 1)].join('; ')
  const fix = inside.length > 0 ? ' Choose a branch first: alambic specialize --input name=number.' : ''
  return [`Nothing of this model can be pruned: ${reasons || 'it has no layer with channels'}.${fix}`]
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
  readonly groups: readonly PlannedGroup[]
  /** Channels that stay whole, and why. */
  readonly whole: readonly Barrier[]
  /** Groups that the method has no score for: without batch-norm, or out of reach of gradients. */
  readonly unscored: readonly string[]
  readonly params: readonly [before: number, after: number]
  readonly macs: readonly [before: number | undefined, after: number | undefined]
}

/** Groups with their scores. */
export interface Scored {
  readonly groups: Groups
  readonly scores: Scores
  readonly unscored: readonly string[]
}

/** The importance of every channel of a model. Throws `prune.no-scores`. */
export function scoreAll(graph: Graph, options: ChoiceOptions, evidence: Evidence, seed: number): Scored {
  const groups = groupsOf(analyse(graph, { attention: options.attention }))
  const context = { ...evidence, seed, p: options.p, members: options.members }
  const { method: criterion, reduction, normalizer } = options
  const scored = groups.groups.map(
    (group) => [group, scoreGroup(group, { ...context, criterion, reduction, normalizer })] as const,
  )
  const scores = new Map(scored.flatMap(([group, score]) => (score ? [[group.id, score] as const] : [])))
  if (scores.size === 0) throw unscorable(options.method)
  return { groups, scores, unscored: scored.flatMap(([group, score]) => (score ? [] : [group.name])) }
}

/** A round of cutting. */
export interface CutRound {
  readonly graph: Graph
  readonly groups: Groups
  readonly removal: Removal
  readonly report: PruneReport
}

/** Cuts what a plan takes. */
export function cutByPlan(graph: Graph, { groups, scores, unscored }: Scored, options: PlanOptions): CutRound {
  const chosen = plan(groups, scores, options)
  const after = chosen.removal.size === 0 ? graph : cut(groups, chosen.removal)
  const [old, now] = [costOf(graph), costOf(after)]
  const report: PruneReport = {
    ratio: chosen.ratio,
    groups: chosen.groups,
    whole: groups.barriers,
    unscored,
    params: [old.params, now.params],
    macs: [old.macs, now.macs],
  }
  return { graph: after, groups, removal: chosen.removal, report }
}

/** The plan that options describe; a budget of latency needs measuring and is not one of these. */
export function planOptions(options: ChoiceOptions): PlanOptions {
  const budget = options.budget === undefined ? undefined : parseBudget(options.budget)
  const scope = options.scope === 'global' ? 'global' : 'layer'
  return {
    ...options,
    scope,
    budget: budget && budget.kind !== 'latency' ? { ...budget, kind: budget.kind } : undefined,
  }
}

/** One round of cutting by ratio or budget. */
export const pruneOnce = (graph: Graph, options: ChoiceOptions, evidence: Evidence, seed: number): CutRound =>
  cutByPlan(graph, scoreAll(graph, options, evidence, seed), planOptions(options))

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
  const measured = needsMeasuring(options)
  if (measured) {
    throw new AlambicError('prune.needs-data', `${measured} needs measurements: give --data`, { subject: measured })
  }
  checkPrunable(model, options)
  const rounds: PruneReport[] = []
  let { graph } = model
  for (const [i, ratio] of roundRatios(options.ratio, options.steps).entries()) {
    // A budget counts in the last round; the rounds before go by the ratio.
    const budget = i === options.steps - 1 ? options.budget : undefined
    const round = pruneOnce(graph, { ...options, ratio, budget }, {}, seed)
    graph = round.graph
    rounds.push(round.report)
  }
  return { model: { ...model, graph }, report: together(rounds) }
}

/** What of the options can only be done with a machine and data at hand. */
function needsMeasuring(options: ChoiceOptions): string | undefined {
  if (options.scope === 'sensitivity') return 'the scope sensitivity'
  return options.budget !== undefined && parseBudget(options.budget)?.kind === 'latency'
    ? 'a budget of latency'
    : undefined
}

/** Several rounds as one: what was there before the first, and what is after the last. */
function together(rounds: readonly PruneReport[]): PruneReport {
  const [first, last] = [rounds[0] as PruneReport, rounds.at(-1) as PruneReport]
  const before = new Map(first.groups.map((group) => [group.name, group.before]))
  return {
    ...last,
    ratio: 1 - rounds.reduce((left, { ratio }) => left * (1 - ratio), 1),
    groups: last.groups.map((group) => ({ ...group, before: before.get(group.name) ?? group.before })),
    params: [first.params[0], last.params[1]],
    macs: [first.macs[0], last.macs[1]],
  }
}
