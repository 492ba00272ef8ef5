import type { Report } from '../../workers/protocol/worker.ts'
import { table } from './format.ts'

interface Engine {
  readonly device: string
  readonly title: string
  readonly available: boolean
  readonly runtime?: string
  readonly reason?: string
  readonly fix?: string
  readonly selfTest?: { readonly samplesPerSecond: number; readonly time: string }
}

/** Engines with what was measured on this machine; below, why the others do not compute here. */
export function engineTable(report: Report): string {
  const engines = report['engines'] as readonly Engine[]
  const measured = ({ available, selfTest }: Engine) =>
    selfTest ? `${selfTest.samplesPerSecond.toFixed(1)} samples/s, ${selfTest.time}` : available ? 'not measured' : ''
  const rows = engines.map((e) => [e.device, e.title, e.available ? 'yes' : 'no', e.runtime ?? '', measured(e)])
  const missing = engines.flatMap(({ device, reason, fix }) =>
    reason === undefined ? [] : [`${device}: ${reason}`, ...(fix === undefined ? [] : [`  what to do: ${fix}`])],
  )
  return [table([['device', 'engine', 'computes here', 'version', 'self-test'], ...rows]), '', ...missing].join('\n')
}

export const addedEngine = (report: Report): string =>
  [
    `${(report['files'] as readonly string[]).join('\n')}`,
    report['computes'] === true
      ? 'It computes on this machine.'
      : `It is here, and not verified on this machine: ${typeof report['reason'] === 'string' ? report['reason'] : 'it did not answer'}`,
  ].join('\n')
