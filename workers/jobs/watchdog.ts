import { setInterval, setTimeout } from 'node:timers'

/**
 * A thread of a worker process. When the process' host is gone it leaves time to save, then ends the process, also
 * when a long computation keeps the main thread from it: a worker never outlives its host by more than 10 s.
 */
const GRACE = 7500
const host = process.ppid

const watch = setInterval(() => {
  if (process.ppid === host) return
  clearInterval(watch)
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), GRACE)
}, 500)
