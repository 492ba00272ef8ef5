import { fork, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createBirpc } from 'birpc'
import { AlambicError } from '../../workers/protocol/errors.ts'
import type { CallName, ExitReason, HostApi, Outcome, Report, WorkerApi } from '../../workers/protocol/worker.ts'

const entry = fileURLToPath(new URL('../../workers/jobs/worker.ts', import.meta.url))

export interface WorkerOptions {
  /** A file that gets everything the process prints, also after its host is gone; ours unless given. */
  readonly log?: string
}

/** One worker process and the calls to it. A crash of native code ends the process, never the host. */
export class Worker {
  readonly #child: ChildProcess
  readonly #rpc: ReturnType<typeof createBirpc<WorkerApi, HostApi>>
  /** How the process ended. */
  readonly ended: Promise<ExitReason>
  #closing = false

  constructor(listener: HostApi, options: WorkerOptions = {}) {
    const kills = outOfMemoryKills()
    const output = options.log === undefined ? 'inherit' : openSync(options.log, 'a')
    try {
      this.#child = fork(entry, {
        serialization: 'advanced',
        stdio: ['ignore', output, output, 'ipc'],
        execArgv: ['--disable-warning=ExperimentalWarning'],
      })
    } finally {
      if (typeof output === 'number') closeSync(output)
    }
    this.#rpc = createBirpc<WorkerApi, HostApi>(listener, {
      post: (data: unknown) => {
        if (this.#child.connected) this.#child.send(data as object, () => undefined)
      },
      on: (receive: (data: unknown) => void) => void this.#child.on('message', receive),
      timeout: -1,
    })
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        resolve(this.#closing ? { kind: 'stopped' } : reasonOf(code, signal, outOfMemoryKills() > kills))
      })
      // The process could not even be started.
      this.#child.once('error', () => resolve({ kind: 'failed', code: -1 }))
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Answers a call, or throws the error it ended with; also when the process dies under it. */
  async call(name: CallName, request: unknown): Promise<Report> {
    const died = this.ended.then((reason): Outcome => ({ ok: false, error: crash(reason) }))
    const outcome = await Promise.race([this.#rpc.call(name, request), died])
    if (outcome.ok) return outcome.report
    throw AlambicError.fromJSON(outcome.error)
  }

  /** Asks the job at hand to finish its step, keep the best and return. */
  stop(): void {
    void this.#rpc.stop.asEvent()
  }

  /** Asks the job at hand to finish its step, save and return, so that it can go on later. */
  pause(): void {
    void this.#rpc.pause.asEvent()
  }

  /** Lets go of the process: it saves what it has and ends by itself within 10 s. */
  async release(): Promise<void> {
    this.#closing = true
    if (this.#child.connected) this.#child.disconnect()
    await this.ended
  }

  /** Ends the process at once. */
  async close(): Promise<void> {
    this.#closing = true
    if (this.#child.connected) this.#child.disconnect()
    this.#child.kill('SIGKILL')
    await this.ended
  }
}

/** Processes that Linux has killed for lack of memory since it started; 0 elsewhere. */
function outOfMemoryKills(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

function reasonOf(code: number | null, signal: NodeJS.Signals | null, memoryRanOut: boolean): ExitReason {
  // V8 aborts when its own heap is full.
  if (signal === 'SIGABRT' || (signal === 'SIGKILL' && memoryRanOut)) return { kind: 'out-of-memory' }
  if (signal === 'SIGKILL' || signal === 'SIGTERM') return { kind: 'killed', signal }
  if (signal) return { kind: 'crashed', signal }
  return code === 0 ? { kind: 'finished' } : { kind: 'failed', code: code ?? -1 }
}

const foundText = (reason: ExitReason): string => {
  const texts = {
    finished: () => 'its end, without an answer',
    stopped: () => 'ended by Alambic',
    failed: ({ code }) => `exit code ${code}`,
    crashed: ({ signal }) => `a crash (${signal})`,
    'out-of-memory': () => 'not enough memory',
    killed: ({ signal }) => `killed from outside (${signal})`,
  } satisfies { [Kind in ExitReason['kind']]: (reason: Extract<ExitReason, { kind: Kind }>) => string }
  return (texts[reason.kind] as (reason: ExitReason) => string)(reason)
}

/** The error of a call whose process ended under it. */
export const crash = (reason: ExitReason) => ({
  code: 'worker.died',
  message: 'the worker process ended before it answered',
  expected: 'an answer',
  found: foundText(reason),
  fix: 'Nothing that was saved is lost: resume the run, with a smaller batch if memory ran out.',
})
