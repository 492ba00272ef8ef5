import { AlambicError } from '../protocol/errors.ts'
import type { CallEnvironment } from './calls.ts'

/** What work that gets something is given: when to give up, and where to tell how far it is. */
export interface Adding {
  readonly signal: AbortSignal
  readonly tell: (activity: string, done: number, total: number) => void
}

/** Work that gets something from elsewhere, by the name it has for people: told of as it goes on, ended when stopped. */
export async function adding<T>(
  name: string,
  { listener, stopping }: Pick<CallEnvironment, 'listener' | 'stopping'>,
  work: (adding: Adding) => Promise<T>,
): Promise<T> {
  const started = performance.now()
  const controller = new AbortController()
  const stopped = () => new AlambicError('stopped', `adding "${name}" was stopped; nothing was kept`)
  const watch = setInterval(() => stopping() && controller.abort(stopped()), 200)
  const tell: Adding['tell'] = (activity, done, total) =>
    listener.progress({
      activity: `${activity} ${name}`,
      done,
      total,
      elapsed: performance.now() - started,
      values: {},
    })
  try {
    return await work({ signal: controller.signal, tell })
  } finally {
    clearInterval(watch)
  }
}
