import { randomUUID } from 'node:crypto'
import type { StudioChange, StudioEvent } from '../../workers/protocol/studio.ts'

/** Events that are held for renderers that come back. */
const HELD = 5000
/** Milliseconds between deliveries: once a frame. */
const FRAME = 16

/** What an event replaces: of these only the newest matters. Others are all kept. */
const subjects: { readonly [Kind in StudioChange['kind']]: (change: Extract<StudioChange, { kind: Kind }>) => string } =
  {
    project: ({ project }) => project.project,
    'project-gone': () => '',
    contents: ({ project, what }) => `${project} ${what}`,
    run: ({ run }) => run.run,
    'run-gone': () => '',
    progress: ({ run }) => run,
    rows: ({ run }) => run,
    'run-event': () => '',
    log: ({ run }) => run,
    queue: () => 'queue',
    job: ({ progress }) => progress.job,
    settings: () => 'settings',
    system: () => 'system',
    bin: () => 'bin',
    notice: () => '',
  }

/** Numbers what happens, hands it to all renderers once a frame, and keeps it for those that come back. */
export class EventHub {
  readonly session: string = randomUUID()
  /** By what they replace, oldest first. */
  readonly #held = new Map<string, StudioEvent>()
  readonly #listeners = new Map<(events: readonly StudioEvent[]) => void, number>()
  #seq = 0
  /** Events up to this one may be missing. */
  #forgotten = 0
  #timer: NodeJS.Timeout | undefined

  get seq(): number {
    return this.#seq
  }

  emit(change: StudioChange): void {
    const event: StudioEvent = { ...change, seq: ++this.#seq }
    const subject = (subjects[change.kind] as (change: StudioChange) => string)(change)
    const key = subject === '' ? `#${event.seq}` : `${change.kind} ${subject}`
    this.#held.delete(key)
    this.#held.set(key, event)
    this.#trim()
    this.#timer ??= setTimeout(() => this.#deliver(), FRAME)
  }

  #trim(): void {
    for (const [key, { seq }] of this.#held) {
      if (this.#held.size <= HELD) return
      this.#held.delete(key)
      this.#forgotten = seq
    }
  }

  #deliver(): void {
    this.#timer = undefined
    for (const [listener, after] of this.#listeners) {
      this.#listeners.set(listener, this.#seq)
      const events = this.#since(after)
      if (events.length > 0) listener(events)
    }
  }

  #since(after: number): StudioEvent[] {
    const events: StudioEvent[] = []
    // Held in the order of their numbers: the new ones are at the end.
    for (const event of [...this.#held.values()].reverse()) {
      if (event.seq <= after) break
      events.push(event)
    }
    return events.reverse()
  }

  /** Hands on everything after a number; `reset` is true when that is not known here any more. */
  subscribe(
    listener: (events: readonly StudioEvent[]) => void,
    from: { readonly session?: string | undefined; readonly after: number },
  ): { readonly session: string; readonly seq: number; readonly reset: boolean } {
    const known = from.session === this.session && from.after >= this.#forgotten && from.after <= this.#seq
    this.#listeners.set(listener, known ? from.after : this.#seq)
    if (known && from.after < this.#seq) this.#timer ??= setTimeout(() => this.#deliver(), FRAME)
    return { session: this.session, seq: this.#seq, reset: !known }
  }

  unsubscribe(listener: (events: readonly StudioEvent[]) => void): void {
    this.#listeners.delete(listener)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#listeners.clear()
  }
}
