import { preprocessorFor, type Split } from '../../datasets/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { latencyOf } from '../../measure/latency.ts'
import { criteria, type Criterion } from '../../passes/prune/criteria.ts'
import { AlambicError } from '../../protocol/errors.ts'
import { checkPrunable, pruneOnce, pruningProblems, roundRatios, type PruneReport } from '../prune/choose.ts'
import { gather } from '../prune/evidence.ts'
import { PruneOptions } from '../prune/options.ts'
import { recover, type Recovered } from '../prune/recover.ts'
import { asPairs, inRound, replay, roundFacts } from '../prune/rounds.ts'
import { step, type StepContext, type StepResult } from '../step.ts'

async function run(context: StepContext, options: PruneOptions): Promise<StepResult> {
  const { model, journal } = context
  checkPrunable(model, options)
  const resumed = await roundFacts(journal)
  const rounds: PruneReport[] = []
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
    const own = { ...context, journal: inRound(journal, { round, offset, removals }) }
    recovered = await recover(own, { teacher: model.graph, before: graph, after: cutting.graph }, options)
    graph = recovered.graph
    offset += recovered.steps ?? 0
  }
  const { graph: _, stopped = false, ...rest } = recovered
  if (stopped) return { model: { ...model, graph }, report: { rounds, ...rest }, stopped }
  return { model: { ...model, graph }, report: { rounds, ...rest, ...(await latencies(context, model.graph, graph)) } }
}

/** Scores and cuts once. A budget counts in the last round; the rounds before go by the ratio. */
async function oneRound(context: StepContext, options: PruneOptions, graph: Graph, round: number) {
  const evidence = await evidenceFor(context, options, graph, round)
  const isLast = round === options.steps - 1
  const result = pruneOnce(graph, isLast ? options : { ...options, budget: undefined }, evidence, context.seed)
  context.journal.event('pruned', { round: round + 1, rounds: options.steps, params: result.report.params })
  return result
}

/** Scores need the training samples: they are what the model was fitted to. */
function samplesOf({ data }: StepContext, method: PruneOptions['method']): Split {
  const split = data.splits.train ?? data.splits.validation ?? data.splits.test
  const { needs, title }: Criterion = criteria[method]
  if (split && (needs === 'nothing' || needs === 'activations' || split.labels)) return split
  throw new AlambicError('prune.needs-labels', `the method "${title}" scores by ${needs}: it needs labelled samples`, {
    subject: method,
    expected: 'a labelled split',
    found: `data set "${data.id}"`,
    fix: 'Choose a method that looks at weights or activations only.',
  })
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

/** Whether the smaller model is faster here, too: on one sample, by median. */
async function latencies({ executor, threads }: StepContext, before: Graph, after: Graph) {
  const options = { batch: 1, runs: 30, threads: threads ?? 1 }
  const [old, now] = [await latencyOf(executor, before, options), await latencyOf(executor, after, options)]
  const isFaster = now.medianMs < 0.97 * old.medianMs
  return {
    latency: { before: old, after: now },
    ...(isFaster ? {} : { warning: 'The model is smaller, but not faster on this machine.' }),
  }
}

export const prune = step({
  id: 'prune',
  family: 'pruning',
  title: 'Prune channels',
  help: 'Removes the least important channels, heads and hidden units with everything that depends on them.',
  source: 'Fang et al. 2023, DepGraph, arXiv:2301.12900',
  options: PruneOptions,
  preflight: pruningProblems,
  run,
})
