import type { Graph } from '../../graph/graph.ts'
import { analyse } from '../../passes/prune/analysis.ts'
import { cut, type Removal } from '../../passes/prune/cut.ts'
import { groupsOf } from '../../passes/prune/groups.ts'
import type { Journal } from '../step.ts'
import type { ChoiceOptions } from './options.ts'

/** What a snapshot of an iterative schedule remembers: which round it is of, and what every round so far cut. */
export interface RoundFacts {
  readonly round: number
  /** Training steps of the rounds before. */
  readonly offset: number
  readonly removals: readonly (readonly (readonly [group: number, units: readonly number[]])[])[]
}

export const asPairs = (removal: Removal): RoundFacts['removals'][number] => [...removal]

/** Cuts a graph as earlier rounds did; what they trained comes from the snapshot. */
export function replay(
  graph: Graph,
  removals: RoundFacts['removals'],
  options: Pick<ChoiceOptions, 'attention'>,
): Graph {
  return removals.reduce((now, removal) => cut(groupsOf(analyse(now, options)), new Map(removal)), graph)
}

/** The facts of the snapshot that a resumed run goes on from. */
export async function roundFacts(journal: Journal): Promise<RoundFacts | undefined> {
  const snapshot = await journal.resume()
  return snapshot?.facts['prune'] as RoundFacts | undefined
}

/**
 * The journal of one round: its steps count on from those before, and it resumes only from its own snapshots. Rounds
 * whose loss has other terms write their metrics to streams of their own.
 */
export const inRound = (
  journal: Journal,
  facts: RoundFacts,
  streams: Readonly<Record<string, string>> = {},
): Journal => ({
  resume: async () => {
    const snapshot = await journal.resume()
    const own = snapshot?.facts['prune'] as RoundFacts | undefined
    return snapshot && own?.round === facts.round ? { ...snapshot, step: snapshot.step - own.offset } : undefined
  },
  save: (snapshot) =>
    journal.save({ ...snapshot, step: snapshot.step + facts.offset, facts: { ...snapshot.facts, prune: facts } }),
  due: () => journal.due(),
  metrics: (stream, columns, [step = 0, ...row]) =>
    journal.metrics(streams[stream] ?? stream, columns, [step + facts.offset, ...row]),
  event: (kind, data) => journal.event(kind, data),
  progress: (progress) => journal.progress(progress),
})
