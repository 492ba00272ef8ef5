import { describe, expect, test } from 'vitest'
import type { Executor } from '../executors/executor.ts'
import { ortCpu } from '../executors/ort/executor.ts'
import { referenceExecutor } from '../executors/reference/index.ts'
import { modelOf } from '../graph/graph.ts'
import { preprocessorFor } from '../datasets/index.ts'
import { residualNet } from '../testing/residual.ts'
import { blobs, stepContext } from '../testing/step-context.ts'
import { crossEntropy } from '../train/losses.ts'
import { fit, type FitOptions } from './fit.ts'
import type { Journal, Snapshot } from './step.ts'

const data = blobs({ side: 8, classes: 3, count: 60 })
const graph = residualNet(3, false)

const options = (more: Partial<FitOptions>): FitOptions => ({
  losses: [crossEntropy()],
  epochs: 1,
  batch: 8,
  lr: 1e-3,
  optimizer: 'adam',
  weightDecay: 0,
  schedule: { kind: 'cosine', warmup: 0 },
  preprocessing: preprocessorFor(data, graph),
  augmentation: {},
  validation: 0,
  ...more,
})

/** Trains, and stops after so many steps when told; gives what was saved last. */
async function train(executor: Executor, more: Partial<FitOptions>, run: { stopAt?: number; from?: Snapshot } = {}) {
  let saved: Snapshot | undefined
  let steps = run.from?.step ?? 0
  const losses: number[] = []
  const journal: Journal = {
    resume: async () => run.from,
    save: async (snapshot) => void (saved = structuredClone(snapshot)),
    due: () => false,
    metrics: (_name, names, values) => void (steps++, losses.push(values[names.indexOf('loss')] as number)),
    event: () => undefined,
    progress: () => undefined,
  }
  const stopping = () => run.stopAt !== undefined && steps >= run.stopAt
  const context = stepContext(modelOf(graph), data, { executor, journal, stopping })
  const result = await fit(context, graph, options(more))
  return { saved, losses, weights: result.graph.initializers }
}

describe.each([
  ['reference', referenceExecutor],
  ['onnxruntime', ortCpu],
])('on %s', (_name, executor) => {
  test('a run in parts with activations computed again resumes to the same bits', async () => {
    const more = { accumulate: 4, recompute: true }
    const whole = await train(executor, more)
    const begun = await train(executor, more, { stopAt: 3 })
    expect(begun.saved?.step).toBe(3)
    const resumed = await train(executor, more, begun.saved ? { from: begun.saved } : {})
    expect([...begun.losses, ...resumed.losses]).toEqual(whole.losses)
    expect(resumed.weights).toEqual(whole.weights)
  })
})

test('a batch in parts learns what the whole batch does', async () => {
  const [whole, parts] = [await train(ortCpu, {}), await train(ortCpu, { accumulate: 8 })]
  expect(parts.losses.length).toBe(whole.losses.length)
  parts.losses.forEach((loss, i) => expect(loss).toBeCloseTo(whole.losses[i] as number, 4))
})

test('a batch that has no such parts is refused with a reason', async () => {
  const wrong = train(ortCpu, { accumulate: 3 })
  await expect(wrong).rejects.toMatchObject({ code: 'train.accumulate', expected: 'a divisor of 8', found: '3' })
})
