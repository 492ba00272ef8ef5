import type { Report } from '../../workers/protocol/worker.ts'
import { numberOf } from './values.ts'

/** What was measured of a model, from a report with the keys of `compress --json`. */
export interface Measured {
  readonly accuracy?: number | undefined
  readonly accuracyError?: number | undefined
  readonly n?: number | undefined
  readonly bytes?: number | undefined
  readonly params?: number | undefined
  readonly macs?: number | undefined
  readonly latencyMs?: number | undefined
}

/** Reads a report; undefined when there is none. A key that is missing or no number is left out. */
export function measured(report: Report | undefined): Measured | undefined {
  if (!report) return undefined
  const latency = report['latency']
  const median = typeof latency === 'object' && latency !== null ? (latency as Report)['medianMs'] : undefined
  return {
    accuracy: numberOf(report['accuracy']),
    accuracyError: numberOf(report['accuracyError']),
    n: numberOf(report['n']),
    bytes: numberOf(report['bytes']),
    params: numberOf(report['params']),
    macs: numberOf(report['macs']),
    latencyMs: numberOf(median),
  }
}
