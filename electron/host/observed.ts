import { cpus } from 'node:os'
import { countRows, readRows, streamPath } from '../../workers/protocol/files/metrics.ts'
import type { ObservedSpeed } from '../../workers/protocol/worker.ts'
import type { RunEntry } from './run.ts'

/** Fewer steps than these say little of how long many take. */
const ENOUGH = 50

/**
 * How fast finished steps of runs trained on this machine's processor with all its threads: milliseconds per sample,
 * evaluations included, by the clock that their processes kept.
 */
export function observedSpeeds(runs: Iterable<RunEntry>): readonly ObservedSpeed[] {
  return [...runs].filter(isComparable).flatMap(({ folder, record }) =>
    record.steps.flatMap(({ id, stage }, i) => {
      // Of a recipe of one step only the result is measured.
      const macs = stage?.['macs'] ?? (i === record.steps.length - 1 ? record.result?.['macs'] : undefined)
      const milliseconds = perStep(streamPath(folder, `${i}-clock`))
      const batch = (record.recipe['steps'] as readonly { batch?: number }[] | undefined)?.[i]?.batch
      if (typeof macs !== 'number' || macs <= 0 || milliseconds === undefined || batch === undefined) return []
      return [{ step: id, macs, millisecondsPerSample: milliseconds / batch }]
    }),
  )
}

function isComparable({ record: { request, result } }: RunEntry): boolean {
  const { provenance } = (result ?? {}) as { provenance?: { processor?: string } }
  const onAll = request['threads'] === undefined && [undefined, 'cpu'].includes(request['device'] as string | undefined)
  return onAll && provenance?.processor === cpus()[0]?.model.trim()
}

/** From the first to the last row of a clock; time between the sessions of a run is not in it. */
function perStep(clock: string): number | undefined {
  const total = countRows(clock)
  if (total < 2) return undefined
  const [first, last] = [readRows(clock, 0, 1), readRows(clock, total - 1, 1)]
  const at = ({ columns, values }: typeof first, name: string) => values[columns.indexOf(name)] ?? NaN
  const steps = at(last, 'step') - at(first, 'step')
  const elapsed = at(last, 'elapsed') - at(first, 'elapsed')
  return steps >= ENOUGH && elapsed > 0 ? elapsed / steps : undefined
}
