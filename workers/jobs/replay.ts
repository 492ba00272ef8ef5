import { join } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import { sha256 } from '../protocol/files/durable.ts'
import { RunRequest, type ReplayRequest, type Report } from '../protocol/worker.ts'
import { readFile } from 'node:fs/promises'
import type { z } from 'zod'
import { RunFolder } from './folder.ts'
import { runRecipe, type RunEnvironment } from './run.ts'

/**
 * Runs again what a finished run did, in a folder of its own, and compares the models of all steps by SHA-256. Equal
 * hashes are promised on the same device with the same number of threads.
 */
export async function replayCall(
  { run, folder }: z.output<typeof ReplayRequest>,
  environment: RunEnvironment,
): Promise<Report> {
  const { record } = await RunFolder.open(run)
  if (record.state !== 'succeeded') {
    throw new AlambicError('run.unfinished', `the run in "${run}" is not finished`, {
      subject: run,
      expected: 'a run that succeeded',
      found: record.state,
      fix: 'Finish it with --resume first.',
    })
  }
  const { output: _, ...request } = record.request
  const again = RunRequest.parse({ ...request, recipe: record.recipe, set: {}, folder, resume: false })
  await runRecipe(again, environment)
  const replayed = await RunFolder.open(folder)
  const steps = await Promise.all(
    record.steps.map(async ({ id, model }, i) => ({
      step: id,
      expected: await hashOf(join(run, model)),
      found: await hashOf(join(folder, replayed.record.steps[i]?.model ?? '')),
    })),
  )
  return { run, folder, equal: steps.every((s) => s.expected === s.found), steps }
}

const hashOf = async (path: string): Promise<string> => sha256(await readFile(path))
