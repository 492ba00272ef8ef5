import { AlambicError } from '../../workers/protocol/errors.ts'
import type { CallName, Report } from '../../workers/protocol/worker.ts'
import type { JobProgress } from '../../workers/protocol/studio.ts'
import type { EventHub } from './hub.ts'
import { Worker } from './worker.ts'

/** Work that a renderer waits for, and may cancel. */
export interface Job {
  readonly signal: AbortSignal
  progress(activity: string, done: number, total: number, unit: JobProgress['unit']): void
}

export const cancelled = (): AlambicError => new AlambicError('job.cancelled', 'this was cancelled')

/** Jobs by the ids that their callers chose. */
export class Jobs {
  readonly #running = new Map<string, AbortController>()
  readonly #hub: EventHub

  constructor(hub: EventHub) {
    this.#hub = hub
  }

  async run<T>(id: string, work: (job: Job) => Promise<T>): Promise<T> {
    if (this.#running.has(id)) {
      throw new AlambicError('job.exists', 'there is a job with this id already', { subject: id })
    }
    const controller = new AbortController()
    this.#running.set(id, controller)
    try {
      return await work({
        signal: controller.signal,
        progress: (activity, done, total, unit) =>
          this.#hub.emit({ kind: 'job', progress: { job: id, activity, done, total, unit } }),
      })
    } finally {
      this.#running.delete(id)
    }
  }

  cancel(id: string): boolean {
    const controller = this.#running.get(id)
    controller?.abort(cancelled())
    return controller !== undefined
  }

  cancelAll(): void {
    for (const controller of this.#running.values()) controller.abort(cancelled())
  }
}

/** Answers one call in a process of its own, which ends with the job. */
export async function inOwnProcess(job: Job, name: CallName, request: object): Promise<Report> {
  job.signal.throwIfAborted()
  const worker = new Worker({
    progress: ({ activity, done, total }) => job.progress(activity, done, total, 'items'),
    event: () => undefined,
  })
  const abort = () => void worker.close()
  job.signal.addEventListener('abort', abort)
  try {
    return await worker.call(name, request)
  } catch (error) {
    job.signal.throwIfAborted()
    throw error
  } finally {
    job.signal.removeEventListener('abort', abort)
    await worker.close()
  }
}

/** Milliseconds that a process without work is kept. */
const IDLE = 60_000

/** One process for short questions: what is in this file, what does this recipe say. Started when first asked. */
export class ServiceWorker {
  #worker: Worker | undefined
  #pending = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false

  /** Starts the process before it is asked anything: a person is about to. */
  warm(): void {
    if (this.#closed || this.#worker) return
    this.#worker = this.#start()
    this.#rest()
  }

  async call(name: CallName, request: object): Promise<Report> {
    if (this.#closed) throw cancelled()
    clearTimeout(this.#timer)
    const worker = (this.#worker ??= this.#start())
    this.#pending++
    try {
      return await worker.call(name, request)
    } finally {
      this.#pending--
      if (this.#pending === 0 && !this.#closed) this.#rest()
    }
  }

  #rest(): void {
    this.#timer = setTimeout(() => void this.#stop(), IDLE)
    this.#timer.unref()
  }

  #start(): Worker {
    const worker = new Worker({ progress: () => undefined, event: () => undefined })
    void worker.ended.then(() => {
      if (this.#worker === worker) this.#worker = undefined
    })
    return worker
  }

  async #stop(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.close()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#stop()
  }
}
