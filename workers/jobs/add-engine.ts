import type { z } from 'zod'
import { ortLibraries } from '../executors/engines.ts'
import { addCuda } from '../executors/ort/add-cuda.ts'
import { AlambicError } from '../protocol/errors.ts'
import type { AddEngineRequest, Report } from '../protocol/worker.ts'
import type { CallEnvironment } from './calls.ts'
import { probe } from './remembered.ts'

/** Gets an engine, then asks it whether it computes here: a driver may still be missing. */
export async function addEngineCall(
  { name }: z.output<typeof AddEngineRequest>,
  { listener, stopping }: CallEnvironment,
): Promise<Report> {
  const started = performance.now()
  const controller = new AbortController()
  const stopped = () => new AlambicError('stopped', `adding "${name}" was stopped; nothing was kept`)
  const watch = setInterval(() => stopping() && controller.abort(stopped()), 200)
  try {
    const onProgress = (done: number, total: number) =>
      listener.progress({ activity: `download ${name}`, done, total, elapsed: performance.now() - started, values: {} })
    const added = await addCuda({ folder: ortLibraries(), onProgress, signal: controller.signal })
    const looked = await probe(name, 'look')
    return {
      name,
      ...added,
      computes: looked.ok,
      ...(looked.ok ? {} : { reason: looked.error.found, fix: looked.error.fix }),
    }
  } finally {
    clearInterval(watch)
  }
}
