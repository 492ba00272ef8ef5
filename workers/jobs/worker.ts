import { createBirpc } from 'birpc'
import { asAlambicError } from '../protocol/errors.ts'
import type { HostApi, Outcome, WorkerApi } from '../protocol/worker.ts'
import { answer } from './calls.ts'

/**
 * A worker process: answers the calls of one host over the process channel, and is the only kind of process that loads
 * native engines. When its host is gone it saves what it has and ends.
 */
let stopRequested = false

const api: WorkerApi = {
  async call(name, request): Promise<Outcome> {
    try {
      const report = await answer(name, request, {
        listener: { progress: (p) => void host.progress.asEvent(p), event: (e) => void host.event.asEvent(e) },
        stopping: () => stopRequested,
        executor: async () => (await import('../executors/ort/executor.ts')).ortCpu,
      })
      return { ok: true, report }
    } catch (thrown) {
      const { code, message, subject, expected, found, fix } = asAlambicError(thrown)
      return { ok: false, error: { code, message, subject, expected, found, fix } }
    }
  },
  stop() {
    stopRequested = true
  },
}

const host = createBirpc<HostApi, WorkerApi>(api, {
  post: (data: unknown) => {
    if (process.connected) process.send?.(data)
  },
  on: (listener: (data: unknown) => void) => process.on('message', listener),
  timeout: -1,
})

// Ctrl-C reaches the whole group of processes; the host decides what it means and says so.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => (stopRequested = true))
process.on('disconnect', () => {
  stopRequested = true
  // An idle worker has nothing to save; a busy one ends by itself after this step.
  setTimeout(() => process.exit(0), 10_000).unref()
})
