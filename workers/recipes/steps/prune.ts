import { preprocessorFor, subset, type Split } from '../../datasets/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { criteria, type Criterion } from '../../passes/prune/criteria.ts'
import { allocate } from '../../passes/prune/allocate.ts'
import { amountOf } from '../../passes/prune/plan.ts'
import { AlambicError } from '../../protocol/errors.ts'
import {
  checkPrunable,
  cutByPlan,
  planOptions,
  pruningProblems,
  roundRatios,
  scoreAll,
  type PruneReport,
  type Scored,
} from '../prune/choose.ts'
import { gather } from '../prune/evidence.ts'
import { outcomeOf, type PruneOutcome } from '../prune/outcome.ts'
import { ratioForLatency, type LatencySolution } from '../prune/latency.ts'
import { parseBudget, PruneOptions } from '../prune/options.ts'
import { recover, type Recovered } from '../prune/recover.ts'
import { asPairs, ofRound, replay, roundFacts } from '../prune/rounds.ts'
import { scanSensitivity } from '../prune/sensitivity.ts'
import { step, type StepContext, type StepResult } from '../step.ts'

interface RoundReport extends PruneReport {
  /** Where the budget is a latency. */
  readonly predicted?: LatencySolution
}

async function run(context: StepContext, options: PruneOptions): Promise<StepResult> {
  const { model, journal } = context
  checkPrunable(model, options)
  const resumed = await roundFacts(journal)
  const rounds: RoundReport[] = []
  const ratios = roundRatios(options.ratio, options.steps)
  let removals = resumed?.removals.slice(0, resumed.round) ?? []
  let graph = replay(model.graph, removals, options)
  let recovered: Recovered = { graph }
  let offset = resumed?.offset ?? 0
  for (let round = resumed?.round ?? 0; round < ratios.length && !recovered.stopped; round++) {
    const known = resumed?.removals[round]
    const cutting = known
      ? { graph: replay(graph, [known], options), removal: new Map(known) }
      : await oneRound(context, { ...options, ratio: ratios[round] as number }, graph, round)
    if ('report' in cutting) rounds.push(cutting.report)
    removals = [...removals, asPairs(cutting.removal)]
    const own = ofRound(context, { round, offset, removals })
    recovered = await recover(own, { after: cutting.graph, ...('groups' in cutting ? { cutting } : {}) }, options)
    graph = recovered.graph
    offset += recovered.steps ?? 0
  }
  const { graph: _, stopped = false, ...rest } = recovered
  if (stopped) return { model: { ...model, graph }, report: { rounds, ...rest }, stopped }
  const outcome = await outcomeOf(context, model.graph, graph, options)
  return {
    model: { ...model, graph },
    report: { rounds, ...rest, ...outcome, ...checkedPrediction(rounds, outcome) },
  }
}

/** What a latency budget predicted beside what the whole model takes. */
function checkedPrediction(rounds: readonly RoundReport[], { latency }: PruneOutcome) {
  const predicted = rounds.at(-1)?.predicted
  if (!predicted) return {}
  const { predictedMs, limitMs } = predicted
  const measuredMs = latency.after.medianMs
  return { prediction: { predictedMs, measuredMs, limitMs, error: measuredMs / predictedMs - 1 } }
}

/** Scores and cuts once. A budget counts in the last round; the rounds before go by the ratio. */
async function oneRound(context: StepContext, options: PruneOptions, graph: Graph, round: number) {
  const evidence = await evidenceFor(context, options, graph, round)
  const scored = scoreAll(graph, options, evidence, context.seed)
  const isLast = round === options.steps - 1
  const { plan, more } = await planFor(context, isLast ? options : { ...options, budget: undefined }, scored, graph)
  const result = cutByPlan(graph, scored, plan)
  const { params, macs, groups } = result.report
  context.journal.event('pruned', { round: round + 1, rounds: options.steps, params, macs, groups })
  return { ...result, report: { ...result.report, ...more } }
}

/** What is measured before a plan can be made: latencies of layers, or what each group costs in accuracy. */
async function planFor(context: StepContext, options: PruneOptions, scored: Scored, graph: Graph) {
  const plan = planOptions(options)
  const budget = options.budget === undefined ? undefined : parseBudget(options.budget)
  if (budget?.kind === 'latency') {
    const predicted = await ratioForLatency(scored.groups, scored.scores, plan, budget, context)
    return { plan: { ...plan, ratio: predicted.ratio, minimum: plan.minimum ?? 1 }, more: { predicted } }
  }
  if (options.scope !== 'sensitivity') return { plan, more: {} }
  const scan = await scanFor(context, options, scored, graph)
  const kind = plan.budget?.kind ?? 'params'
  const whole = amountOf(graph, kind)
  // A ratio of channels removes about 1 − (1 − ratio)² of weights and of multiply-accumulates.
  const limit = plan.budget
    ? plan.budget.isShare
      ? plan.budget.limit * whole
      : plan.budget.limit
    : whole * (1 - options.ratio) ** 2
  const ratios = allocate(scored.groups, scored.scores, scan.rows, scan.baseline, { kind, limit })
  const byGroup = new Map(ratios.map(({ group, ratio }) => [group, ratio ?? 0]))
  return {
    plan: { ...plan, budget: undefined, ratios: byGroup, minimum: plan.minimum ?? 1 },
    more: { sensitivity: scan },
  }
}

function scanFor(context: StepContext, options: PruneOptions, { groups, scores }: Scored, graph: Graph) {
  const { data, executor, threads, seed, journal, stopping } = context
  const held = data.splits.validation ?? data.splits.test ?? data.splits.train
  const calibration = data.splits.train ?? held
  if (!held?.labels || !calibration) throw needsLabels('The scope sensitivity', 'accuracy', data.id)
  return scanSensitivity(groups, scores, {
    executor,
    threads,
    seed,
    journal,
    stopping,
    ratios: options.scanRatios,
    calibration,
    held: subset(held, Math.min(held.count, options.scanSamples), seed),
    samples: options.samples,
    batch: options.batch,
    preprocessing: options.preprocessing ?? preprocessorFor(data, graph),
  })
}

const needsLabels = (what: string, by: string, id: string) =>
  new AlambicError('prune.needs-labels', `${what} goes by ${by}: it needs labelled samples`, {
    subject: what,
    expected: 'a labelled split',
    found: `data set "${id}"`,
    fix: 'Choose what looks at weights or activations only.',
  })

/** Scores need the training samples: they are what the model was fitted to. */
function samplesOf({ data }: StepContext, method: PruneOptions['method']): Split {
  const split = data.splits.train ?? data.splits.validation ?? data.splits.test
  const { needs, title }: Criterion = criteria[method]
  if (split && (needs === 'nothing' || needs === 'activations' || needs === 'curvature' || split.labels)) return split
  throw needsLabels(`The method "${title}"`, needs, data.id)
}

async function evidenceFor(context: StepContext, options: PruneOptions, graph: Graph, round: number) {
  const { needs }: Criterion = criteria[options.method]
  if (needs === 'nothing') return {}
  const { executor, threads, seed, data, journal } = context
  const started = performance.now()
  return gather(graph, options.method, options, {
    executor,
    threads,
    seed: seed + round,
    split: samplesOf(context, options.method),
    preprocessing: options.preprocessing ?? preprocessorFor(data, graph),
    samples: options.samples,
    batch: options.batch,
    progress: (done, total) =>
      journal.progress({ activity: needs, done, total, elapsed: performance.now() - started, values: {} }),
  })
}

export const prune = step({
  id: 'prune',
  family: 'pruning',
  source: 'Fang et al. 2023, DepGraph, arXiv:2301.12900',
  options: PruneOptions,
  preflight: pruningProblems,
  run,
})
