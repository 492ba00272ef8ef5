import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ortCpu } from '../executors/ort/executor.ts'
import { runRecipe } from '../jobs/run.ts'
import { RunRequest, type Report } from '../protocol/worker.ts'

/** Runs a recipe in a folder that goes afterwards. */
export async function runIn(root: string, request: object): Promise<Report> {
  mkdirSync(root, { recursive: true })
  const folder = mkdtempSync(join(root, 'run-'))
  try {
    return await runRecipe(RunRequest.parse({ ...request, folder: join(folder, 'run') }), {
      executor: ortCpu,
      listener: { progress: () => undefined, event: () => undefined },
      stopping: () => false,
      leaving: () => undefined,
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const recipeOf = (...steps: readonly object[]) => ({ alambic: 1, name: 'bench', steps })

export const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

/** Mean ± standard deviation of shares, in percent. */
export function spread(values: readonly number[]): string {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(1, values.length - 1)
  return `${(100 * mean).toFixed(2)} ± ${(100 * Math.sqrt(variance)).toFixed(2)}`
}
