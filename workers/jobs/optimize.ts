import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { replaceFile, replaceJson } from '../protocol/files/durable.ts'
import type { OptimizeRequest, Report } from '../protocol/worker.ts'
import { openDataset } from '../datasets/index.ts'
import { readModel } from '../onnx/index.ts'
import { openForRecipe } from '../recipes/open.ts'
import { scoreOf, Search, VALIDATION, type Trial } from '../recipes/optimize/search.ts'
import { SEARCH_FILE } from './devices.ts'
import { runRecipe, type RunEnvironment } from './run.ts'
import { trialsOf } from './trials.ts'

export type { Trial }

type Request = z.output<typeof OptimizeRequest>

/**
 * Looks for the recipe that meets a target (see `Search`), in a folder of the person's.
 *
 * @throws AlambicError `target.infeasible` with the closest point when no recipe meets target and accuracy
 */
export async function optimizeCall(request: Request, environment: RunEnvironment): Promise<Report> {
  const { folder, seed, threads, limit } = request
  const data = await openDataset(request.data, { validation: VALIDATION, seed, limit })
  await mkdir(folder, { recursive: true })
  await replaceJson(join(folder, SEARCH_FILE), { request })
  const model = await openForRecipe(request.model, seed)
  const runner = trialsOf(runRecipe, request, environment)
  const began = performance.now()
  const search = await Search.open(request, {
    folder,
    model,
    data,
    seed,
    threads,
    executor: environment.executor,
    stopping: environment.stopping,
    run: async (...trial) => (await runner.run(...trial)).made,
    costs: (path) => runner.costs(path),
    progress: (what, done, total, name) =>
      environment.listener.progress({
        activity: name ?? what,
        done,
        total,
        elapsed: performance.now() - began,
        values: {},
      }),
    event: () => undefined,
  })
  const map = await search.map()
  const { found, ...report } = await search.conclude(map, await search.halve())
  const output = request.output ?? join(folder, 'model.onnx')
  await replaceFile(output, await readFile(join(found.folder, 'model.onnx')))
  const { test } = data.splits
  const where = { data, executor: environment.executor, threads }
  const tested = test?.labels ? { accuracy: await scoreOf(where, (await readModel(output)).model, test) } : {}
  return { output, folder, found, ...tested, ...report }
}
