import { FallbackAttempt, type QuantizeReport } from '../../../../../workers/protocol/files/methods.ts'
import type { RunEvent } from '../../../../../workers/protocol/worker.ts'

export interface Search {
  readonly attempts: readonly FallbackAttempt[]
  /** Largest drop of accuracy that was allowed, 0 to 1. */
  readonly maxDrop: number | undefined
  /** Accuracy of the float model. */
  readonly baseline: number | undefined
  readonly met: boolean | undefined
}

/** The search for layers that stay in float: every set that was tried, also while it goes. */
export function searchOf(report: QuantizeReport | undefined, events: readonly RunEvent[]): Search | undefined {
  const told = events.filter(({ kind }) => kind === 'fallback')
  const points = told.flatMap(({ data }) => FallbackAttempt.safeParse(data).data ?? [])
  // A report holds what was tried after the first look; the journal that look too.
  const attempts = points.length > 0 ? points : (report?.search?.attempts ?? [])
  if (attempts.length === 0) return undefined
  const [first] = attempts
  const limit = told[0]?.data['maxDrop']
  return {
    attempts,
    maxDrop: report?.maxDrop ?? (typeof limit === 'number' ? limit : undefined),
    baseline: report?.accuracy?.float ?? (first ? first.accuracy + first.drop : undefined),
    met: report?.search?.met ?? (report ? attempts.at(-1)?.met : undefined),
  }
}

/** Layers whose integer form takes longer here than their float form. */
export const slowerLayers = (report: QuantizeReport): readonly string[] =>
  (report.layers ?? []).flatMap(({ layer, floatMs, int8Ms }) =>
    floatMs !== undefined && int8Ms !== undefined && int8Ms > floatMs ? [layer] : [],
  )
