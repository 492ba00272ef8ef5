import type { z } from 'zod'
import { ortLibraries, unavailable } from '../executors/engines.ts'
import { addCuda } from '../executors/ort/add-cuda.ts'
import { AlambicError } from '../protocol/errors.ts'
import type { AddEngineRequest, Report } from '../protocol/worker.ts'
import { addTf } from './add-tf.ts'
import { adding, type Adding } from './adding.ts'
import type { CallEnvironment } from './calls.ts'
import { probe } from './remembered.ts'

type Name = z.output<typeof AddEngineRequest>['name']

/** How each engine is got; `files` are those that it came with. */
const adders: Readonly<Record<Name, (adding: Adding) => Promise<{ readonly files: readonly string[] }>>> = {
  cuda: ({ signal, tell }) =>
    addCuda({ folder: ortLibraries(), onProgress: (done, total) => tell('download', done, total), signal }),
  tf: ({ signal, tell }) => {
    const missing = unavailable('tf')
    if (missing && missing.fix === undefined) {
      throw new AlambicError('engines.platform', missing.reason, { subject: 'tf', fix: 'Use --device cpu or webgpu.' })
    }
    return addTf({ onProgress: tell, signal })
  },
}

/** Gets an engine, then asks it whether it computes here: a driver may still be missing. */
export function addEngineCall(
  { name }: z.output<typeof AddEngineRequest>,
  environment: CallEnvironment,
): Promise<Report> {
  return adding(name, environment, async (work) => {
    const added = await adders[name](work)
    const looked = await probe(name, 'look')
    return {
      name,
      ...added,
      computes: looked.ok,
      ...(looked.ok ? {} : { reason: looked.error.found, fix: looked.error.fix }),
    }
  })
}
