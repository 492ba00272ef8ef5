import { checkpointsOf } from '../protocol/files/checkpoints.ts'
import { readRows, streamPath } from '../protocol/files/metrics.ts'
import type { Progress, RunEvent } from '../protocol/worker.ts'
import type { Journal, Snapshot } from '../recipes/step.ts'
import { loadCheckpoint, saveCheckpoint, type Retention } from './checkpoint.ts'
import type { RunFolder } from './folder.ts'

/** Who listens to a run while it goes. */
export interface Listener {
  progress(progress: Progress): void
  event(event: RunEvent): void
}

export interface JournalOptions {
  /** Seconds between periodic checkpoints. */
  readonly checkpointEvery: number
  readonly keep: Retention
}

/** Progress is for the eye: more often than this is waste. */
const PROGRESS_EVERY = 100

const CLOCK = ['step', 'time', 'elapsed'] as const

/**
 * The journal of one stage of a run: checkpoints under `steps/<stage>/checkpoints`, metrics under
 * `metrics/<stage>-<stream>`. When each step was done is a stream of its own, `clock`: times differ from run to run,
 * all other numbers do not.
 */
export class StepJournal implements Journal {
  readonly #folder: RunFolder
  readonly #stage: number
  readonly #listener: Listener
  readonly #options: JournalOptions
  #saved = performance.now()
  #shown = -Infinity
  #timed = -1
  /** Milliseconds of earlier sessions less the start of this one. */
  #elapsed = -performance.now()

  constructor(folder: RunFolder, stage: number, listener: Listener, options: JournalOptions) {
    this.#folder = folder
    this.#stage = stage
    this.#listener = listener
    this.#options = options
  }

  get #checkpoints(): string {
    return checkpointsOf(this.#folder.path, this.#stage)
  }

  async resume(): Promise<Snapshot | undefined> {
    const snapshot = await loadCheckpoint(this.#checkpoints, (error) =>
      this.event('checkpoint-damaged', { ...error.toJSON() }),
    )
    this.#folder.truncateStreams(this.#stage, snapshot?.step ?? 0)
    const clock = readRows(streamPath(this.#folder.path, `${this.#stage}-clock`))
    this.#elapsed = (clock.values.at(-1) ?? 0) - performance.now()
    return snapshot
  }

  async save(snapshot: Snapshot): Promise<void> {
    const started = performance.now()
    this.#folder.flush()
    await saveCheckpoint(this.#checkpoints, snapshot, this.#options.keep)
    this.#saved = performance.now()
    this.event('checkpoint', { step: snapshot.step, milliseconds: this.#saved - started })
  }

  due(): boolean {
    return performance.now() - this.#saved >= this.#options.checkpointEvery * 1000
  }

  metrics(stream: string, columns: readonly string[], row: readonly number[]): void {
    this.#folder.stream(`${this.#stage}-${stream}`, columns).append(row)
    const [step = 0] = row
    if (step <= this.#timed) return
    this.#timed = step
    this.#folder.stream(`${this.#stage}-clock`, CLOCK).append([step, Date.now(), performance.now() + this.#elapsed])
  }

  event(kind: string, data: Readonly<Record<string, unknown>>): void {
    this.#listener.event(this.#folder.event(kind, { stepIndex: this.#stage, ...data }))
  }

  progress(progress: Progress): void {
    const now = performance.now()
    if (progress.done < progress.total && now - this.#shown < PROGRESS_EVERY) return
    this.#shown = now
    this.#listener.progress(progress)
  }
}
