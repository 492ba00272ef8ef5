import { existsSync, mkdirSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'
import type { Executor } from '../executors/executor.ts'
import { runRecipe } from '../jobs/run.ts'
import { sha256 } from '../protocol/files/durable.ts'
import { RunRequest, type Report } from '../protocol/worker.ts'

export interface BenchRun {
  readonly recipe: object | string
  readonly model: string
  readonly data: string
  readonly seed?: number
  readonly limit?: number
}

/**
 * Runs a recipe in a folder that is named after its request: the same request goes on where it was interrupted, or gives
 * what it gave, on whatever it was computed. The resulting model is the run's `model.onnx`.
 */
export async function runIn(
  root: string,
  request: BenchRun,
  { executor, threads }: { readonly executor: Executor; readonly threads?: number },
): Promise<Report> {
  mkdirSync(root, { recursive: true })
  // The folder may move to another machine.
  const model = isAbsolute(request.model) ? relative(root, request.model) : request.model
  const folder = join(root, sha256(JSON.stringify({ ...request, model })).slice(0, 16))
  const resume = existsSync(join(folder, 'run.json'))
  const own = threads === undefined ? {} : { threads }
  const report = await runRecipe(RunRequest.parse({ ...request, ...own, folder, resume }), {
    executor,
    listener: { progress: () => undefined, event: () => undefined },
    stopping: () => false,
    leaving: () => undefined,
  })
  return { ...report, output: join(folder, 'model.onnx') }
}

export const recipeOf = (...steps: readonly object[]) => ({ alambic: 1, name: 'bench', steps })

/** A number of a report. */
export function numberIn(report: Report, key: string): number {
  const value = report[key]
  if (typeof value !== 'number') throw new Error(`the report has no number "${key}"`)
  return value
}
