import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { writeNpy } from '../datasets/index.ts'
import { replaceFile } from '../protocol/files/durable.ts'
import type { Report, SynthesizeRequest } from '../protocol/worker.ts'
import { synthesize } from '../recipes/distil/synthesize.ts'
import { openForRecipe } from '../recipes/open.ts'
import type { CallEnvironment } from './calls.ts'

/** Makes samples for a model and writes them as a folder that is a data set. */
export async function synthesizeCall(
  request: z.output<typeof SynthesizeRequest>,
  { executor, listener }: Pick<CallEnvironment, 'executor' | 'listener'>,
): Promise<Report> {
  const model = await openForRecipe(request.model, request.seed)
  const { threads } = request
  const made = await synthesize(model, request, { executor, threads, progress: (p) => listener.progress(p) })
  await mkdir(request.output, { recursive: true })
  const file = join(request.output, 'x_train.npy')
  await replaceFile(file, writeNpy([request.samples, ...made.dims], made.data))
  const { layers, distance } = made
  return {
    output: request.output,
    file,
    samples: request.samples,
    dims: made.dims,
    method: request.method,
    layers,
    ...(distance ? { distance } : {}),
  }
}
