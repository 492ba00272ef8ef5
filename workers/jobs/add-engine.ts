import type { z } from 'zod'
import { ortLibraries } from '../executors/engines.ts'
import { addCuda } from '../executors/ort/add-cuda.ts'
import type { AddEngineRequest, Report } from '../protocol/worker.ts'
import { adding } from './adding.ts'
import type { CallEnvironment } from './calls.ts'
import { probe } from './remembered.ts'

/** Gets an engine, then asks it whether it computes here: a driver may still be missing. */
export function addEngineCall(
  { name }: z.output<typeof AddEngineRequest>,
  environment: CallEnvironment,
): Promise<Report> {
  return adding(name, environment, async ({ signal, tell }) => {
    const onProgress = (done: number, total: number) => tell('download', done, total)
    const added = await addCuda({ folder: ortLibraries(), onProgress, signal })
    const looked = await probe(name, 'look')
    return {
      name,
      ...added,
      computes: looked.ok,
      ...(looked.ok ? {} : { reason: looked.error.found, fix: looked.error.fix }),
    }
  })
}
