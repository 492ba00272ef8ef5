import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createBirpc } from 'birpc'
import { AlambicError } from '../../workers/protocol/errors.ts'
import type { CallName, ExitReason, HostApi, Outcome, Report, WorkerApi } from '../../workers/protocol/worker.ts'

const entry = fileURLToPath(new URL('../../workers/jobs/worker.ts', import.meta.url))

/** One worker process and the calls to it. A crash of native code ends the process, never the host. */
export class Worker {
  readonly #child: ChildProcess
  readonly #rpc: ReturnType<typeof createBirpc<WorkerApi, HostApi>>
  readonly #ended: Promise<ExitReason>

  constructor(listener: HostApi) {
    this.#child = fork(entry, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#rpc = createBirpc<WorkerApi, HostApi>(listener, {
      post: (data: unknown) => {
        if (this.#child.connected) this.#child.send(data as object)
      },
      on: (receive: (data: unknown) => void) => void this.#child.on('message', receive),
      timeout: -1,
    })
    this.#ended = new Promise((resolve) => this.#child.once('exit', (code, signal) => resolve(reasonOf(code, signal))))
  }

  /** Answers a call, or throws the error it ended with; also when the process dies under it. */
  async call(name: CallName, request: unknown): Promise<Report> {
    const died = this.#ended.then((reason): Outcome => ({ ok: false, error: crash(reason) }))
    const outcome = await Promise.race([this.#rpc.call(name, request), died])
    if (outcome.ok) return outcome.report
    throw AlambicError.fromJSON(outcome.error)
  }

  /** Asks the job at hand to finish its step, keep the best and return. */
  stop(): void {
    void this.#rpc.stop.asEvent()
  }

  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}

function reasonOf(code: number | null, signal: NodeJS.Signals | null): ExitReason {
  // Linux' out-of-memory killer sends SIGKILL; V8 aborts when its own heap is full.
  if (signal === 'SIGKILL' || signal === 'SIGABRT') return { kind: 'out-of-memory' }
  if (signal) return { kind: 'crashed', signal }
  return code === 0 ? { kind: 'finished' } : { kind: 'failed', code: code ?? -1 }
}

function crash(reason: ExitReason) {
  const found =
    reason.kind === 'crashed' ? reason.signal : reason.kind === 'failed' ? `exit code ${reason.code}` : reason.kind
  return {
    code: 'worker.died',
    message: 'the worker process ended before it answered',
    expected: 'an answer',
    found: reason.kind === 'out-of-memory' ? 'killed, most often for lack of memory' : found,
    fix: 'Nothing that was saved is lost: go on with --resume, with a smaller --batch if memory ran out.',
  }
}
