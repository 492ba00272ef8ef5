import type { z } from 'zod'
import type {
  ExplainedGroup,
  PrunedGroup,
  PruneReport,
  SensitivityRow,
} from '../../../../../workers/protocol/files/methods.ts'
import {
  PrunedGroup as PrunedGroupSchema,
  SensitivityRow as RowSchema,
} from '../../../../../workers/protocol/files/methods.ts'
import type { RunEvent } from '../../../../../workers/protocol/worker.ts'

type Pruned = z.infer<typeof PrunedGroup>
type Row = z.infer<typeof SensitivityRow>

export interface GroupFacts {
  readonly name: string
  readonly before: number
  readonly after: number
  readonly unscored: boolean
  readonly explanation?: ExplainedGroup
}

/** Groups over all rounds: what was there before the first and is left after the last. */
function overRounds(rounds: readonly (readonly Pruned[])[]): readonly Pruned[] {
  const found = new Map<string, Pruned>()
  for (const groups of rounds)
    for (const group of groups)
      found.set(group.name, { ...group, before: found.get(group.name)?.before ?? group.before })
  return [...found.values()]
}

const prunedGroups = PrunedGroupSchema.array()

/** Groups of a finished step; while it goes, of the rounds that its journal tells of. */
export function groupFacts(report: PruneReport | undefined, events: readonly RunEvent[]): readonly GroupFacts[] {
  const rounds = report
    ? report.rounds.map(({ groups }) => groups)
    : events
        .filter(({ kind }) => kind === 'pruned')
        .map(({ data }) => prunedGroups.safeParse(data['groups']).data ?? [])
  const explained = new Map(report?.explanation?.map((group) => [group.name, group]))
  const unscored = new Set(report?.rounds.flatMap((round) => round.unscored))
  return overRounds(rounds).map(({ name, before, after }) => {
    const explanation = explained.get(name)
    return {
      name,
      before: explanation?.units ?? before,
      after,
      unscored: unscored.has(name),
      ...(explanation ? { explanation } : {}),
    }
  })
}

export interface Scan {
  readonly baseline: number
  readonly rows: readonly Row[]
}

/** The sensitivity scan of the last round that had one; while it goes, what of it is measured. */
export function scanOf(report: PruneReport | undefined, events: readonly RunEvent[]): Scan | undefined {
  const found = report?.rounds.findLast(({ sensitivity }) => sensitivity)?.sensitivity
  if (found) return found
  const live = events.filter(({ kind }) => kind === 'sensitivity')
  const rows = live.flatMap(({ data }) => RowSchema.safeParse(data).data ?? [])
  const baseline = live[0]?.data['baseline']
  return rows.length > 0 && typeof baseline === 'number' ? { baseline, rows } : undefined
}

/** The node's name out of `node "conv1" (Conv)`. */
const nameIn = (label: string): string => /^node "(.*)" \(/.exec(label)?.[1] ?? label

/** Whether a layer makes channels of a group, or is what the group is named after. */
export const belongsTo = (layer: string | undefined, { name, explanation }: GroupFacts): boolean =>
  layer !== undefined &&
  (layer === name ||
    (explanation?.members.some(({ tensor, uses }) =>
      uses.some(({ role, node }) => role === 'out' && (nameIn(node) === layer || tensor === layer)),
    ) ??
      false))
