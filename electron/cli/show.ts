import type { Report } from '../../workers/protocol/worker.ts'
import { stageLines } from './stages.ts'
import { quantizationLines } from './quantization.ts'
import { bytes, count, duration, integer, percent, table } from './format.ts'

/** The keys of a measured model, as in README.md. */
interface Measured {
  readonly model?: string
  readonly params: number
  readonly macs?: number
  readonly bytes: number
  readonly gzipBytes: number
  readonly latency: { readonly medianMs: number; readonly minMs: number; readonly n: number }
  readonly accuracy?: number
  readonly accuracyError?: number
  readonly n?: number
}

const accuracyText = (m: Measured): string =>
  m.accuracy === undefined ? '–' : `${percent(m.accuracy)} ± ${(100 * (m.accuracyError ?? 0)).toFixed(2)}`

/** Side by side, the first as baseline: value, then how it differs. */
export function measuredTable(rows: readonly (Measured & { label: string })[]): string {
  const base = rows[0]
  const times = (value: number, of: number) =>
    value === of ? '' : value < of ? ` (${(of / value).toFixed(1)}× less)` : ` (${(value / of).toFixed(1)}× more)`
  return table([
    ['', 'accuracy', 'parameters', 'MACs', 'on disk', 'latency, median'],
    ...rows.map((m) => [
      m.label,
      accuracyText(m),
      `${integer(m.params)}${base ? times(m.params, base.params) : ''}`,
      m.macs === undefined ? '–' : count(m.macs),
      `${bytes(m.bytes)}${base ? times(m.bytes, base.bytes) : ''}`,
      duration(m.latency.medianMs),
    ]),
  ])
}

export const comparison = (report: Report): string =>
  measuredTable((report['rows'] as (Measured & { model: string })[]).map((row) => ({ ...row, label: row.model })))

export function asRun(report: Report): string {
  const measured = report as unknown as Measured & { output: string; run: string; stopped: boolean }
  return [
    measured.stopped ? 'stopped; the best so far was kept' : 'done',
    measuredTable([{ ...measured, label: 'model' }]),
    ...quantizationLines(report),
    ...stageLines(report),
    `written to ${measured.output}`,
    `run folder ${measured.run}`,
  ].join('\n')
}

export const added = (report: Report): string =>
  `${String(report['id'])} ${report['already'] === true ? 'was here already' : 'is here now'}: ${String(report['path'])}`

/** A report as indented `key: value` lines. */
export function asText(report: Report, indent = ''): string {
  return Object.entries(report)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => {
      if (value === null || typeof value !== 'object') return `${indent}${key}: ${String(value)}`
      if (Array.isArray(value) && value.every((v) => typeof v !== 'object'))
        return `${indent}${key}: ${value.join(', ')}`
      const entries = Array.isArray(value)
        ? Object.fromEntries(value.map((v, i) => [String(i + 1), v as unknown]))
        : (value as Report)
      return `${indent}${key}:\n${asText(entries, `${indent}  `)}`
    })
    .join('\n')
}

export const inspection = (report: Report): string => {
  const { text, pruning, ...facts } = report
  if (pruning !== undefined) return String((pruning as Report)['text'])
  return typeof text === 'string' ? text : asText(facts)
}

/** A list of records as a table. */
export const asList =
  (key: string) =>
  (report: Report): string => {
    const rows = report[key] as Readonly<Record<string, unknown>>[]
    const columns = Object.keys(rows[0] ?? {})
    const cell = (value: unknown) =>
      Array.isArray(value) ? value.join('×') : typeof value === 'number' ? integer(value) : String(value)
    return table([columns, ...rows.map((row) => columns.map((c) => cell(row[c])))])
  }
