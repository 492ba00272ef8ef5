import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { asAlambicError } from '../protocol/errors.ts'
import { replaceJson } from '../protocol/files/durable.ts'
import { RunRequest, type Report } from '../protocol/worker.ts'
import type { z } from 'zod'
import type { Costs } from '../recipes/optimize/target.ts'
import type { TrialRunner } from '../recipes/step.ts'
import { RunFolder } from './folder.ts'
import { measureStage } from './measure-stage.ts'
import type { RunEnvironment } from './run.ts'

type Run = (request: z.output<typeof RunRequest>, environment: RunEnvironment) => Promise<Report>
type Common = Pick<z.output<typeof RunRequest>, 'data' | 'seed' | 'limit' | 'threads'>

/**
 * How a search runs its recipes: each is a run in a folder of its own. With `progress`, events of a
 * trial stay in its own journal.
 */
export function trialsOf(run: Run, { data, seed, limit, threads }: Common, environment: RunEnvironment): TrialRunner {
  return {
    async run(steps, model, folder, progress) {
      if (existsSync(join(folder, 'refused.json'))) return { made: false }
      const resume = existsSync(join(folder, 'run.json'))
      const recipe = { alambic: 1, name: 'trial', steps }
      try {
        const request = RunRequest.parse({ recipe, model, data, folder, resume, seed, limit, threads })
        const listener = progress ? { progress, event: () => undefined } : environment.listener
        await run(request, { ...environment, listener })
      } catch (thrown) {
        const error = asAlambicError(thrown)
        if (error.code.startsWith('internal.')) throw thrown
        await replaceJson(join(folder, 'refused.json'), error.toJSON())
        return { made: false, refused: error }
      }
      const { record } = await RunFolder.open(folder)
      return { made: record.state === 'succeeded' }
    },
    costs: async (path): Promise<Costs> => {
      const { executor } = environment
      const stage = await measureStage('trial', path, undefined, { executor, threads })
      const { params, macs, bytes, packedBytes, medianMs } = stage
      return { params, macs: macs ?? Infinity, bytes, packed: packedBytes ?? bytes, latency: medianMs }
    },
  }
}
