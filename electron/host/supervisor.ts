import type { RunKey, Halt, Notice, Queue, Settings } from '../../workers/protocol/studio.ts'
import { AlambicError } from '../../workers/protocol/errors.ts'
import { isFinished, isGoing } from '../../workers/protocol/files/record.ts'
import type { ExitReason, Report, RunEvent, WireError } from '../../workers/protocol/worker.ts'
import { defined } from './defined.ts'
import { freeBytes } from './disk.ts'
import type { EventHub } from './hub.ts'
import { untilGone } from './processes.ts'
import type { ProjectFolder } from './project.ts'
import { position, RunProcess, type RunOutcome } from './run-process.ts'
import type { RunEntry } from './run.ts'
import { crash } from './worker.ts'

export interface SupervisorOptions {
  readonly hub: EventHub
  readonly settings: () => Settings
  /** A run made its model. */
  readonly finished: (run: RunEntry) => Promise<void>
}

/** Milliseconds that a worker whose host died has for saving; it is ended after that. */
const ORPHAN_GRACE = 10_000

/** Why a run is being left. */
type Wish = 'pause' | 'stop' | 'disk' | 'discard' | 'close'

interface Active {
  readonly run: RunEntry
  readonly process: RunProcess
  readonly done: Promise<void>
  wish?: Wish
}

/**
 * Starts runs from the queue, one process each, and decides what becomes of them when a process ends: whatever happens
 * a run is finished, paused, interrupted or queued, and its folder says which.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #known = new Map<RunKey, RunEntry>()
  readonly #active = new Map<RunKey, Active>()
  /** Runs whose process of an earlier host may still be saving. */
  readonly #recovering = new Map<RunKey, Promise<void>>()
  #paused = false
  #closing = false
  /** Folders on a disk that is below the guard. */
  #low = new Set<RunKey>()

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  // ── what is known ──────────────────────────────────────────────────────────────────────────────────────────────

  queue(): Queue {
    return {
      order: this.#queued().map(({ key }) => key),
      running: [...this.#active.keys()],
      paused: this.#paused,
      concurrency: this.#options.settings().concurrency,
    }
  }

  #queued(): RunEntry[] {
    return [...this.#known.values()]
      .filter((run) => run.notes.queue !== undefined && !run.live)
      .toSorted((a, b) => (a.notes.queue ?? 0) - (b.notes.queue ?? 0))
  }

  /** Takes charge of the runs of a project that this host may write. */
  async adopt(project: ProjectFolder): Promise<void> {
    for (const run of project.runs.values()) {
      if (this.#known.has(run.key)) continue
      this.#known.set(run.key, run)
      if (run.notes.queue !== undefined) continue
      const recovered = this.#recover(run).finally(() => this.#recovering.delete(run.key))
      this.#recovering.set(run.key, recovered)
      // A process that is still saving must not keep the studio from starting.
      if (!run.notes.process) await recovered
    }
    this.pump()
  }

  /** A run that was going when its host ended: its process may still be saving. */
  async #recover(run: RunEntry): Promise<void> {
    const { process } = run.notes
    const left = run.record.state === 'interrupted' || isGoing(run.record.state)
    if (process) await untilGone(process.pid, process.stamp, ORPHAN_GRACE)
    if (process || left) run.reload()
    if (isFinished(run.record.state) || !left) {
      if (process) await this.#closeSession(run, {}, lastSign(run))
      return
    }
    const halt = run.notes.halt ?? this.#halt(run, 'host-gone')
    await this.#closeSession(run, { halt }, lastSign(run))
    if (run.record.state !== 'interrupted') await this.#state(run, 'interrupted')
    if (halt.cause !== 'crash-loop' && this.#options.settings().autoResume) {
      await this.enqueue(run, 'first')
      this.#notice('run-resumed', 'info', run, 'goes on from its last checkpoint')
    }
  }

  forget(key: RunKey): void {
    this.#known.delete(key)
  }

  /** The processes at work. */
  get processes(): readonly number[] {
    return [...this.#active.values()].flatMap(({ process }) => process.worker.pid ?? [])
  }

  /** A process works on it. */
  isActive(key: RunKey): boolean {
    return this.#active.has(key)
  }

  // ── what a person asks ─────────────────────────────────────────────────────────────────────────────────────────

  async enqueue(run: RunEntry, place: 'first' | 'last' = 'last'): Promise<void> {
    this.#known.set(run.key, run)
    const places = this.#queued().map(({ notes }) => notes.queue ?? 0)
    const queue = place === 'first' ? Math.min(0, ...places) - 1 : Math.max(0, ...places) + 1
    await this.#note(run, { queue, halt: undefined })
    this.#changed(run)
    this.#queueChanged()
    this.pump()
  }

  async reorder(order: readonly RunKey[]): Promise<void> {
    const queued = this.#queued()
    const rank = new Map(order.map((key, i) => [key, i]))
    const sorted = queued.toSorted((a, b) => (rank.get(a.key) ?? Infinity) - (rank.get(b.key) ?? Infinity))
    for (const [i, run] of sorted.entries()) {
      if (run.notes.queue !== i) await this.#note(run, { queue: i })
      this.#changed(run)
    }
    this.#queueChanged()
  }

  pauseQueue(paused: boolean): void {
    this.#paused = paused
    this.#queueChanged()
    this.pump()
  }

  async pause(run: RunEntry): Promise<void> {
    const active = this.#active.get(run.key)
    if (active) return this.#ask(active, 'pause')
    if (run.notes.queue === undefined) throw wrongState(run, 'paused', 'a run that is queued or running')
    await this.#note(run, { queue: undefined, halt: this.#halt(run, 'person') })
    await this.#state(run, 'paused')
    this.#queueChanged()
  }

  async resume(run: RunEntry): Promise<void> {
    await this.#recovering.get(run.key)
    if (run.state === 'queued') return
    const { state } = run
    if (state !== 'paused' && state !== 'interrupted') {
      throw wrongState(run, 'resumed', 'a paused or an interrupted run')
    }
    await this.#note(run, { stopNext: undefined })
    await this.enqueue(run, 'first')
  }

  /** Ends a run with its best weights; one that nobody works on gets a process for it. */
  async stop(run: RunEntry): Promise<void> {
    await this.#recovering.get(run.key)
    const active = this.#active.get(run.key)
    if (active) return this.#ask(active, 'stop')
    if (isFinished(run.record.state)) throw wrongState(run, 'stopped', 'a run that is not finished')
    await this.#note(run, { stopNext: true })
    await this.enqueue(run, 'first')
  }

  /** Ends the work on a run at once; what it did is going to be thrown away. */
  async abandon(run: RunEntry): Promise<void> {
    await this.#recovering.get(run.key)
    const active = this.#active.get(run.key)
    if (active) {
      active.wish = 'discard'
      await active.process.worker.close()
      await active.done
    }
    this.#known.delete(run.key)
    this.#queueChanged()
  }

  #ask(active: Active, wish: Wish): void {
    const { run, process } = active
    active.wish = wish
    if (wish === 'stop') process.worker.stop()
    else process.worker.pause()
    if (run.live) run.live.pausing = wish !== 'stop'
    this.#changed(run)
  }

  // ── processes ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Starts what may start. */
  pump(): void {
    if (this.#closing || this.#paused) return
    for (const run of this.#queued()) {
      if (this.#active.size >= this.#options.settings().concurrency) return
      if (!this.#low.has(run.key)) this.#start(run)
    }
  }

  #start(run: RunEntry): void {
    run.live = { preparing: 'process' }
    const stopNext = run.notes.stopNext === true
    const process = new RunProcess(run, {
      progress: (progress) => {
        if (run.live) run.live.progress = progress
        this.#options.hub.emit({ kind: 'progress', run: run.key, progress })
        this.#options.hub.emit({ kind: 'rows', run: run.key, streams: run.rowCounts() })
      },
      event: (event) => this.#event(run, event),
    })
    if (stopNext) process.worker.stop()
    const active: Active = { run, process, done: this.#attend(run, process), ...(stopNext ? { wish: 'stop' } : {}) }
    this.#active.set(run.key, active)
    this.#queueChanged()
    this.#changed(run)
  }

  async #attend(run: RunEntry, process: RunProcess): Promise<void> {
    await this.#note(run, {
      queue: undefined,
      stopNext: undefined,
      halt: undefined,
      process: process.identity(),
      sessions: [...run.notes.sessions, { start: Date.now() }],
    })
    const outcome = await process.outcome
    const wish = this.#active.get(run.key)?.wish
    // The folder of a discarded run is about to move.
    if (wish !== 'discard') await this.#settle(run, outcome, wish)
    this.#active.delete(run.key)
    run.live = undefined
    this.#changed(run)
    this.#options.hub.emit({ kind: 'rows', run: run.key, streams: run.rowCounts() })
    this.#options.hub.emit({ kind: 'log', run: run.key, lines: run.log.lines })
    this.#queueChanged()
    this.pump()
  }

  #event(run: RunEntry, event: RunEvent): void {
    run.saw(event)
    run.log.event(event)
    if (event.kind === 'state' && run.live) {
      const { what } = event.data as { what?: string }
      delete run.live.preparing
      if (what !== undefined) run.live.preparing = what
    }
    if (event.kind === 'step-finished') run.reload()
    const { hub } = this.#options
    hub.emit({ kind: 'run-event', run: run.key, event })
    hub.emit({ kind: 'log', run: run.key, lines: run.log.lines })
    this.#changed(run)
  }

  // ── what became of it ──────────────────────────────────────────────────────────────────────────────────────────

  async #settle(run: RunEntry, outcome: RunOutcome, wish: Wish | undefined): Promise<void> {
    try {
      run.reload()
      if (outcome.kind === 'answered') await this.#answered(run, outcome.report, wish)
      else if (outcome.kind === 'error') await this.#failed(run, outcome.error)
      else await this.#died(run, outcome.exit, wish)
    } catch (error) {
      // Nothing that goes wrong with one run may end the host, which other runs depend on.
      run.log.write('error', `the end of the run was not handled: ${String(error)}`)
    }
  }

  async #answered(run: RunEntry, report: Report, wish: Wish | undefined): Promise<void> {
    if (isFinished(run.record.state)) {
      await this.#closeSession(run, { halt: undefined })
      await this.#options.finished(run).catch((error: unknown) => {
        run.log.write('error', `the model was not taken into the project: ${String(error)}`)
      })
      const stopped = run.record.state === 'stopped'
      this.#notice(stopped ? 'run-stopped' : 'run-succeeded', 'info', run, stopped ? 'was stopped' : 'has finished')
      return
    }
    const cause = wish === 'disk' ? 'disk' : report['state'] === 'interrupted' ? 'host-gone' : 'person'
    await this.#closeSession(run, { halt: this.#halt(run, cause) })
  }

  async #failed(run: RunEntry, error: WireError): Promise<void> {
    const cause = error.code === 'disk.full' ? 'disk' : error.code === 'train.diverged' ? 'not-finite' : undefined
    await this.#closeSession(run, { halt: cause && this.#halt(run, cause, { error }) })
    const state = cause ? 'paused' : 'failed'
    // The process could not write it itself when the disk was full.
    if (run.record.state !== state) await this.#state(run, state, error)
    if (cause === 'disk') this.#notice('disk-low', 'error', run, 'paused: the disk is full')
    else if (cause) this.#notice('run-not-finite', 'error', run, `paused: ${error.message}`)
    else this.#notice('run-failed', 'error', run, `failed: ${error.message}`)
  }

  /** Goes on by itself after a crash, but not after two at the same step. */
  async #died(run: RunEntry, exit: ExitReason, wish: Wish | undefined): Promise<void> {
    // A process that was let go saves and ends by itself, without an answer that anybody hears.
    if (wish === 'close') {
      const left = isFinished(run.record.state) ? undefined : this.#halt(run, 'host-gone')
      if (isGoing(run.record.state)) await this.#state(run, 'interrupted')
      return this.#closeSession(run, { halt: left })
    }
    const { stage, step, near } = position(run)
    const now = { stage, step, near, time: new Date().toISOString(), exit }
    const before = run.notes.crashes.at(-1)
    const loops =
      before !== undefined &&
      before.stage === now.stage &&
      Math.abs(before.step - now.step) <= Math.max(before.near, now.near)
    const halt = this.#halt(run, loops ? 'crash-loop' : 'crashed', { error: crash(exit), exit })
    run.log.write('error', `the process ended: ${crash(exit).found}`)
    await this.#closeSession(run, { halt, crashes: [...run.notes.crashes, now] })
    await this.#state(run, 'interrupted')
    if (loops) this.#notice('run-crash-loop', 'error', run, 'ended twice at the same step and is not resumed by itself')
    else this.#notice('run-crashed', 'warning', run, `its process ended: ${crash(exit).found}`)
    if (loops || this.#closing || !this.#options.settings().autoResume) return
    if (wish === 'stop') await this.#note(run, { stopNext: true })
    if (wish !== 'pause' && wish !== 'disk') await this.enqueue(run, 'first')
  }

  #halt(run: RunEntry, cause: Halt['cause'], more: { error?: WireError; exit?: ExitReason } = {}): Halt {
    const { step } = position(run)
    const saved = run.lastCheckpoint?.checkpoint.split('/')
    const savedStep = saved && Number(saved[0]) === run.stage ? Number(saved[1]) : 0
    return { cause, ...more, time: new Date().toISOString(), atStep: step, savedStep }
  }

  // ── the disk ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Pauses what runs on a disk that is nearly full, and lets it go on when there is space again. */
  async guardDisk(): Promise<void> {
    const floor = this.#options.settings().diskFloor
    const low = new Set<RunKey>()
    for (const run of this.#known.values()) {
      if (isFinished(run.record.state)) continue
      const free = await freeBytes(run.folder)
      // Some more than the floor before it goes on, or it would start and stop all the time.
      if (free < (this.#low.has(run.key) ? floor * 1.05 : floor)) low.add(run.key)
    }
    const before = this.#low
    this.#low = low
    for (const key of low) {
      const active = this.#active.get(key)
      if (!active || active.wish !== undefined) continue
      this.#notice('disk-low', 'warning', active.run, 'paused: little disk space is left')
      this.#ask(active, 'disk')
    }
    for (const run of this.#known.values()) if (!low.has(run.key)) await this.#diskRecovered(run)
    if (before.size > low.size) this.pump()
  }

  /** Lets a run go on that the guard paused; one whose writes failed above the guard waits for a person. */
  async #diskRecovered(run: RunEntry): Promise<void> {
    const { halt } = run.notes
    if (run.state !== 'paused' || halt?.cause !== 'disk' || halt.error) return
    this.#notice('disk-recovered', 'info', run, 'goes on: there is disk space again')
    await this.enqueue(run, 'first')
  }

  // ── keeping and telling ────────────────────────────────────────────────────────────────────────────────────────

  async #note(run: RunEntry, change: Parameters<RunEntry['note']>[0]): Promise<void> {
    try {
      await run.note(change)
    } catch (error) {
      // On a full disk the host goes on with what it knows; the folder says the run was interrupted.
      run.log.write('warn', `the notes of the run could not be kept: ${String(error)}`)
    }
  }

  async #state(run: RunEntry, state: 'paused' | 'interrupted' | 'failed', error?: WireError): Promise<void> {
    try {
      await run.writeRecord(defined({ state, error: error && { ...error } }))
    } catch (thrown) {
      run.log.write('warn', `the state of the run could not be kept: ${String(thrown)}`)
    }
    this.#changed(run)
  }

  async #closeSession(run: RunEntry, change: Parameters<RunEntry['note']>[0], end = Date.now()): Promise<void> {
    const sessions = run.notes.sessions.map((session) => ({ ...session, end: session.end ?? end }))
    await this.#note(run, { ...change, sessions, process: undefined })
  }

  #changed(run: RunEntry): void {
    const waiting = run.state === 'queued' ? this.#queued().indexOf(run) : -1
    const summary = run.summary()
    this.#options.hub.emit({ kind: 'run', run: waiting < 0 ? summary : { ...summary, queued: waiting } })
  }

  #queueChanged(): void {
    this.#options.hub.emit({ kind: 'queue', queue: this.queue() })
  }

  #notice(code: Notice['code'], level: Notice['level'], run: RunEntry, text: string): void {
    const { title } = run.notes
    const notice = { code, level, run: run.key, title, message: `${title} ${text}` }
    this.#options.hub.emit({ kind: 'notice', notice })
  }

  /** Lets all processes go: each saves after its step and ends; waits for that. */
  async close(): Promise<void> {
    this.#closing = true
    await Promise.all(
      [...this.#active.values()].map(async (active) => {
        active.wish = 'close'
        await active.process.worker.release()
        await active.done
      }),
    )
  }
}

/** When a session ended that nobody saw the end of: at its last recorded step. */
function lastSign(run: RunEntry): number {
  const start = run.notes.sessions.at(-1)?.start ?? 0
  return Math.max(start, position(run).time ?? start)
}

function wrongState(run: RunEntry, what: string, expected: string): AlambicError {
  return new AlambicError('run.state', `this run cannot be ${what}`, {
    subject: run.key,
    expected,
    found: run.state,
    fix: isFinished(run.record.state) ? 'Clone it, or branch from one of its checkpoints.' : undefined,
  })
}
