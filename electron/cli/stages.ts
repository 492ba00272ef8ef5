import type { Report } from '../../workers/protocol/worker.ts'
import { bytes, count, duration, integer, percent, table } from './format.ts'

/** What a run says of each step of its recipe (`workers/jobs/measure-stage.ts`). */
interface Stage {
  readonly step: string
  readonly sha256: string
  readonly params: number
  readonly macs?: number
  readonly bytes: number
  readonly packedBytes?: number
  readonly medianMs: number
  readonly minMs: number
  readonly accuracy?: number
  readonly accuracyError?: number
}

/** The way of a model through a recipe, one line for each step; nothing for a recipe of one step. */
export function stageLines(report: Report): readonly string[] {
  const stages = (report['stages'] ?? []) as readonly Stage[]
  const warnings = (report['warnings'] ?? []) as readonly string[]
  const rows = stages.map((s) => [
    s.step,
    s.accuracy === undefined ? '–' : `${percent(s.accuracy)} ± ${(100 * (s.accuracyError ?? 0)).toFixed(2)}`,
    integer(s.params),
    s.macs === undefined ? '–' : count(s.macs),
    bytes(s.bytes),
    s.packedBytes === undefined ? '–' : bytes(s.packedBytes),
    `${duration(s.medianMs)} / ${duration(s.minMs)}`,
    s.sha256.slice(0, 12),
  ])
  const head = ['step', 'accuracy', 'parameters', 'MACs', 'on disk', 'packed', 'latency, median / min', 'SHA-256']
  return [
    ...(rows.length > 0 ? [table([head, ...rows])] : []),
    ...warnings.map((text) => `warning: ${text}`),
    ...((report['artifacts'] ?? []) as readonly string[]).map((path) => `written to ${path}`),
  ]
}
