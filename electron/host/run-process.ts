import { streamPath, readRows, countRows } from '../../workers/protocol/files/metrics.ts'
import type { ExitReason, Progress, Report, RunEvent, WireError } from '../../workers/protocol/worker.ts'
import { asAlambicError } from '../../workers/protocol/errors.ts'
import { processStamp } from './processes.ts'
import type { RunEntry } from './run.ts'
import { Worker } from './worker.ts'

/** What became of a run's process. */
export type RunOutcome =
  | { readonly kind: 'answered'; readonly report: Report }
  | { readonly kind: 'error'; readonly error: WireError }
  | { readonly kind: 'died'; readonly exit: ExitReason }

export interface RunListener {
  progress(progress: Progress): void
  event(event: RunEvent): void
}

/** The process that works on a run, from its start to its end. */
export class RunProcess {
  readonly worker: Worker
  readonly outcome: Promise<RunOutcome>

  constructor(run: RunEntry, listener: RunListener) {
    this.worker = new Worker(listener, { log: run.log.path })
    const { request, recipe } = run.record
    this.outcome = this.#go({ ...request, recipe, set: {}, folder: run.folder, resume: true })
  }

  /** What tells this process from a later one with its number. */
  identity(): { pid: number; stamp: string } | undefined {
    const { pid } = this.worker
    const stamp = pid === undefined ? undefined : processStamp(pid)
    return pid === undefined || stamp === undefined ? undefined : { pid, stamp }
  }

  async #go(request: object): Promise<RunOutcome> {
    try {
      return { kind: 'answered', report: await this.worker.call('run', request) }
    } catch (thrown) {
      const error = asAlambicError(thrown)
      if (error.code === 'worker.died') return { kind: 'died', exit: await this.worker.ended }
      return { kind: 'error', error: error.toJSON() as unknown as WireError }
    } finally {
      await this.worker.close()
    }
  }
}

/** Rows that a process that dies at once may not have written: those of this many milliseconds. */
const UNWRITTEN = 250

/** Where a run is, by the clock that its process keeps. */
export interface Position {
  readonly stage: number
  readonly step: number
  /** How many steps the record may be behind. */
  readonly near: number
  /** When that step was done, in Unix milliseconds. */
  readonly time?: number
}

export function position(run: RunEntry): Position {
  const { stage } = run
  const path = streamPath(run.folder, `${stage}-clock`)
  const total = countRows(path)
  const { values, rows, columns } = readRows(path, Math.max(0, total - 500))
  const width = columns.length
  const time = values[(rows - 1) * width + 1]
  if (rows === 0 || time === undefined) return { stage, step: 0, near: 0 }
  let recent = 0
  while (recent < rows && (values[(rows - 1 - recent) * width + 1] ?? 0) > time - UNWRITTEN) recent++
  return { stage, step: values[(rows - 1) * width] ?? 0, near: Math.max(1, recent), time }
}
