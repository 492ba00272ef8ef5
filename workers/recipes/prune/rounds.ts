import type { Graph } from '../../graph/graph.ts'
import { analyse } from '../../passes/prune/analysis.ts'
import { cut, type Removal } from '../../passes/prune/cut.ts'
import { groupsOf } from '../../passes/prune/groups.ts'
import type { Journal, StepContext } from '../step.ts'
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

export interface RoundOptions {
  /** Streams of its own for rounds whose loss has other terms: their metrics have other columns. */
  readonly streams?: Readonly<Record<string, string>>
  /** The round that a resumed run goes on from: those before it are done again, which leaves no second trace. */
  readonly resumedAt?: number | undefined
}

/** The journal of one round: its steps count on from those before, and it resumes only from its own snapshots. */
function inRound(journal: Journal, facts: RoundFacts, { streams = {}, resumedAt = 0 }: RoundOptions = {}): Journal {
  const again = facts.round < resumedAt
  return {
    resume: async () => {
      if (again) return undefined
      const snapshot = await journal.resume()
      const own = snapshot?.facts['prune'] as RoundFacts | undefined
      return snapshot && own?.round === facts.round ? { ...snapshot, step: snapshot.step - own.offset } : undefined
    },
    save: async (snapshot) => {
      if (again) return
      await journal.save({
        ...snapshot,
        step: snapshot.step + facts.offset,
        facts: { ...snapshot.facts, prune: facts },
      })
    },
    due: () => !again && journal.due(),
    metrics: (stream, columns, [step = 0, ...row]) => {
      if (!again) journal.metrics(streams[stream] ?? stream, columns, [step + facts.offset, ...row])
    },
    event: (kind, data) => {
      if (!again) journal.event(kind, data)
    },
    progress: (progress) => journal.progress(progress),
  }
}

/** The context of one round. One that is done again goes through, whoever asks to stop: its result is only on the way. */
export const ofRound = (context: StepContext, facts: RoundFacts, options: RoundOptions = {}): StepContext => ({
  ...context,
  journal: inRound(context.journal, facts, options),
  stopping: facts.round < (options.resumedAt ?? 0) ? () => false : context.stopping,
})
