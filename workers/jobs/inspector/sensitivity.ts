import type { z } from 'zod'
import { openDataset, preprocessingFor, subset, type Dataset, type Split } from '../../datasets/index.ts'
import { evaluate } from '../../measure/accuracy.ts'
import { AlambicError } from '../../protocol/errors.ts'
import type { SensitivityScan } from '../../protocol/files/sensitivity.ts'
import type { Report, SensitivityRequest } from '../../protocol/worker.ts'
import { openForRecipe } from '../../recipes/open.ts'
import { sensitivities } from '../../recipes/optimize/sensitivity.ts'
import type { CallEnvironment } from '../calls.ts'

/** Samples that no training has seen, where there are some: what is chosen by them must not have been fitted to them. */
const VALIDATION = 0.1

/**
 * What each technique costs on each layer alone, in accuracy on some samples, without training; stops when its time is
 * over, with what there is.
 *
 * @throws AlambicError `data.no-labels` for data that no accuracy can be measured on
 */
export async function sensitivityCall(
  { model: reference, data: name, samples, seconds, seed, threads }: z.output<typeof SensitivityRequest>,
  { executor: open, listener, stopping }: CallEnvironment,
): Promise<Report> {
  const data = await openDataset(name, { validation: VALIDATION, seed })
  const model = await openForRecipe(reference, seed)
  const held = labelled(data)
  const split = subset(held, Math.min(samples, held.count), seed)
  const executor = await open()
  const preprocessing = preprocessingFor(data, model)
  const score = async (graph: typeof model.graph) =>
    (await evaluate(graph, split, preprocessing, { executor, threads })).accuracy
  const began = performance.now()
  let complete = true
  const isOver = () => {
    const over = stopping() || performance.now() - began > 1000 * seconds
    if (over) complete = false
    return over
  }
  const accuracy = await score(model.graph)
  const lines = await sensitivities(model.graph, {
    score,
    // Times of single layers are what the inspector's own measurement tells.
    time: () => Promise.resolve([0, 0]),
    isOver,
    progress: (done, total) =>
      listener.progress({ activity: 'sensitivity', done, total, elapsed: performance.now() - began, values: {} }),
  })
  const found: SensitivityScan = {
    format: 1,
    accuracy,
    n: split.count,
    data: data.id,
    dataHash: held.hash,
    complete,
    lines: [...lines],
  }
  return found
}

function labelled({ id, splits }: Dataset): Split {
  const split = [splits.validation, splits.test].find((one) => one?.labels !== undefined)
  if (split) return split
  throw new AlambicError('data.no-labels', `"${id}" has no labelled samples to tell accuracy by`, {
    subject: id,
    expected: 'a labelled validation or test split',
    found: Object.keys(splits).join(', ') || 'nothing',
    fix: 'Choose data with labels.',
  })
}
