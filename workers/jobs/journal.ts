import { join } from 'node:path'
import type { Progress, RunEvent } from '../protocol/worker.ts'
import type { Journal, Snapshot } from '../recipes/step.ts'
import { loadCheckpoint, saveCheckpoint } from './checkpoint.ts'
import type { RunFolder } from './folder.ts'

/** Who listens to a run while it goes. */
export interface Listener {
  progress(progress: Progress): void
  event(event: RunEvent): void
}

/** Progress is for the eye: more often than this is waste. */
const PROGRESS_EVERY = 100

/** The journal of one step of a run: checkpoints under `steps/<n>/checkpoints`, metrics under `metrics/<n>-<stream>`. */
export class StepJournal implements Journal {
  readonly #folder: RunFolder
  readonly #index: number
  readonly #listener: Listener
  readonly #interval: number
  #saved = performance.now()
  #shown = -Infinity

  constructor(folder: RunFolder, index: number, listener: Listener, secondsBetweenCheckpoints: number) {
    this.#folder = folder
    this.#index = index
    this.#listener = listener
    this.#interval = secondsBetweenCheckpoints * 1000
  }

  get #checkpoints(): string {
    return join(this.#folder.path, 'steps', String(this.#index), 'checkpoints')
  }

  async resume(): Promise<Snapshot | undefined> {
    const snapshot = await loadCheckpoint(this.#checkpoints, (error) =>
      this.event('checkpoint-damaged', { ...error.toJSON() }),
    )
    this.#folder.truncateStreams(
      ['train', 'evaluation'].map((name) => `${this.#index}-${name}`),
      snapshot?.step ?? 0,
    )
    return snapshot
  }

  async save(snapshot: Snapshot): Promise<void> {
    this.#folder.flush()
    await saveCheckpoint(this.#checkpoints, snapshot)
    this.#saved = performance.now()
    this.event('checkpoint', { step: snapshot.step })
  }

  due(): boolean {
    return performance.now() - this.#saved >= this.#interval
  }

  metrics(stream: string, columns: readonly string[], row: readonly number[]): void {
    this.#folder.stream(`${this.#index}-${stream}`, columns).append(row)
  }

  event(kind: string, data: Readonly<Record<string, unknown>>): void {
    this.#listener.event(this.#folder.event(kind, { stepIndex: this.#index, ...data }))
  }

  progress(progress: Progress): void {
    const now = performance.now()
    if (progress.done < progress.total && now - this.#shown < PROGRESS_EVERY) return
    this.#shown = now
    this.#listener.progress(progress)
  }
}
