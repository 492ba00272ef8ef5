import { Worker } from 'node:worker_threads'
import { createBirpc } from 'birpc'
import { loadEngine } from '../executors/engines.ts'
import { asAlambicError } from '../protocol/errors.ts'
import type { HostApi, Outcome, WorkerApi } from '../protocol/worker.ts'
import { answer } from './calls.ts'

/**
 * A worker process: answers the calls of one host over the process channel, and is the only kind of process that loads
 * native engines. When its host is gone it saves what it has and ends.
 */
let stopRequested = false
let leaving: 'paused' | 'interrupted' | undefined
let active = 0

const api: WorkerApi = {
  async call(name, request): Promise<Outcome> {
    active++
    try {
      const report = await answer(name, request, {
        listener: { progress: (p) => void host.progress.asEvent(p), event: (e) => void host.event.asEvent(e) },
        stopping: () => stopRequested || leaving !== undefined,
        leaving: () => leaving,
        executor: loadEngine,
      })
      return { ok: true, report }
    } catch (thrown) {
      const { code, message, subject, expected, found, fix } = asAlambicError(thrown)
      return { ok: false, error: { code, message, subject, expected, found, fix } }
    } finally {
      active--
      // What was asked of one job does not hold for the next.
      stopRequested = false
      if (leaving === 'paused') leaving = undefined
      if (!process.connected) process.exit(0)
    }
  },
  stop() {
    stopRequested = true
  },
  pause() {
    leaving ??= 'paused'
  },
}

const host = createBirpc<HostApi, WorkerApi>(api, {
  post: (data: unknown) => {
    // The callback keeps a host that is just gone from being an unhandled error.
    if (process.connected) process.send?.(data, undefined, undefined, () => undefined)
  },
  on: (listener: (data: unknown) => void) => process.on('message', listener),
  timeout: -1,
})

new Worker(new URL('./watchdog.ts', import.meta.url)).unref()

// Ctrl-C reaches the whole group of processes; the host decides what it means and says so.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => (stopRequested = true))
process.on('disconnect', () => {
  leaving = 'interrupted'
  // A busy worker saves after its step and ends by itself; an idle one has nothing to save.
  if (active === 0) process.exit(0)
})
