import { availableParallelism } from 'node:os'
import type { z } from 'zod'
import type { Executor } from '../executors/executor.ts'
import type { Model } from '../graph/graph.ts'
import { latencyOf } from '../measure/latency.ts'
import type { RecipeEstimate, StepEstimate } from '../protocol/studio.ts'
import type { EstimateRequest, ObservedSpeed, Report } from '../protocol/worker.ts'
import { activationBytes, countsOf, foresee, weightBytes, type Expected } from '../recipes/estimate.ts'
import { labelledStep, type StepShape } from '../recipes/labelled-step.ts'
import { trainingMemory } from '../recipes/memory.ts'
import { openForRecipe } from '../recipes/open.ts'
import { openRecipe, type Recipe } from '../recipes/recipe.ts'

type Request = z.output<typeof EstimateRequest>

/** What a step that trains can be told, as far as its time and memory depend on it. */
interface Training extends StepShape {
  readonly epochs?: number
  readonly validation?: number
  readonly sparseEpochs?: number
  readonly rounds?: number
  readonly steps?: number
  readonly generations?: number
  readonly strategy?: string
  readonly recover?: string
  readonly teacher?: unknown
}

/** Passes over the training set, by the id of the step. Steps that are not here do not train. */
export const passes: Readonly<Record<string, (options: Training) => number>> = {
  train: ({ epochs = 0 }) => epochs,
  finetune: ({ epochs = 0 }) => epochs,
  distil: ({ epochs = 0, strategy, generations = 1 }) => epochs * (strategy === 'born-again' ? generations : 1),
  qat: ({ epochs = 0 }) => epochs,
  cluster: ({ epochs = 0 }) => epochs,
  'prune-retrain': ({ epochs = 0 }) => epochs,
  sparsify: ({ epochs = 0, rounds = 1 }) => epochs * rounds,
  prune: ({ epochs = 0, steps = 1, recover }) => (recover === 'finetune' ? epochs * steps : 0),
  slim: ({ epochs = 0, sparseEpochs = 0, recover }) => sparseEpochs + (recover === 'finetune' ? epochs : 0),
}

/**
 * A training step takes this many times as long as a forward pass: the backward pass has two products where the forward
 * pass has one; optimizer, data and gradients that engines do slowly take their part. A wide range, and an honest one.
 */
const TRAINING = [2, 8] as const

/** Milliseconds that a step takes beside computing: feeding, reading the metrics, the journal. */
const OVERHEAD = [1, 10] as const

/** Weights, gradients, two moments, the best weights. */
const COPIES = 5

/** Values and their gradients are held for the backward pass. */
const HELD = 2

/** Times per sample that were measured here, by model and batch. */
const known = new Map<string, number>()

async function millisecondsPerSample(
  reference: string,
  model: Model,
  batch: number,
  executor: () => Promise<Executor>,
  threads: number | undefined,
): Promise<number> {
  const key = `${reference} ${batch} ${threads}`
  const found = known.get(key)
  if (found !== undefined) return found
  const { medianMs } = await latencyOf(await executor(), model.graph, {
    batch,
    runs: 10,
    threads: threads ?? availableParallelism(),
  })
  known.set(key, medianMs / batch)
  return medianMs / batch
}

/** Nets that differ by no more than this in their MACs are taken to be as fast for each of them. */
const ALIKE = 8

/** How far one run may be from another of the same kind: other data, other programs at work. */
const SPREAD = 1.3

/** Least and most milliseconds per sample and MAC of runs that did the same step to nets of about the same size. */
function observedRates(
  observed: readonly ObservedSpeed[],
  step: string,
  macs: number,
): readonly [number, number] | undefined {
  const rates = observed
    .filter((one) => one.step === step && one.macs < ALIKE * macs && macs < ALIKE * one.macs)
    .map((one) => one.millisecondsPerSample / one.macs)
  return rates.length === 0 ? undefined : [Math.min(...rates) / SPREAD, Math.max(...rates) * SPREAD]
}

interface Timing {
  readonly observed: readonly ObservedSpeed[]
  readonly perSample: (batch: number) => Promise<number>
  readonly source: StepEstimate
  readonly samples: number | undefined
}

/** Least and most milliseconds of a step that trains; undefined for others and without data. */
async function timeOf(
  id: string,
  options: Training,
  counts: StepEstimate,
  { perSample, source, samples, observed }: Timing,
): Promise<readonly [number, number] | undefined> {
  const epochs = passes[id]?.(options) ?? 0
  if (epochs === 0 || samples === undefined || counts.macs === undefined || !source.macs) return undefined
  const { batch = 128, validation = 0 } = options
  const held = validation < 1 ? validation * samples : validation
  const seen = Math.max(0, samples - held) * epochs
  const rates = observedRates(observed, id, counts.macs)
  if (rates) return [rates[0] * counts.macs * seen, rates[1] * counts.macs * seen]
  const forward = (await perSample(batch)) * seen
  const steps = seen / batch
  const scaled = forward * (counts.macs / source.macs)
  // A teacher that is not the model itself runs forward on every batch.
  const teacher = id === 'distil' || options.teacher === 'self' || options.teacher === 'both' ? forward : 0
  return [TRAINING[0] * scaled + OVERHEAD[0] * steps, TRAINING[1] * scaled + OVERHEAD[1] * steps + teacher]
}

function memoryOf({ model }: Expected, id: string, options: Training): number | undefined {
  if (!model) return undefined
  const trains = (passes[id]?.(options) ?? 0) > 0
  const foretold = trains ? predicted(model, options) : undefined
  if (foretold !== undefined) return foretold
  const activations = activationBytes(model, trains ? (options.batch ?? 128) : 1)
  if (activations === undefined) return undefined
  return weightBytes(model.graph) * (trains ? COPIES : 2) + activations * (trains ? HELD : 1)
}

/** The peak of a training step with labels, from its graph; undefined where it cannot be built before other steps ran. */
function predicted({ graph }: Model, options: Training): number | undefined {
  try {
    return trainingMemory(labelledStep(graph, options)).bytes
  } catch {
    return undefined
  }
}

/** Runs nothing but some forward passes of the given model, once; everything else is computed from sizes. */
export async function estimateCall(
  request: Request,
  { executor }: { readonly executor: () => Promise<Executor> },
): Promise<Report> {
  const recipe = await openRecipe(request.recipe, request.set)
  const model = await openForRecipe(request.model, request.seed)
  const open = (reference: string) => openForRecipe(reference, request.seed)
  const expected = await foresee(recipe, model, { open, seed: request.seed })
  const before = countsOf({ model, share: 1, basis: [] })
  const perSample = (batch: number) => millisecondsPerSample(request.model, model, batch, executor, request.threads)
  const timing: Timing = { perSample, source: before, samples: request.samples, observed: request.observed }
  const steps: StepEstimate[] = []
  for (const [i, one] of expected.entries()) steps.push(await stepEstimate(recipe, i, one, timing))
  const latency = await resultLatency(before, steps.at(-1), expected.at(-1), perSample)
  const estimate: RecipeEstimate = { before, steps, ...(latency ? { latency } : {}) }
  return estimate as unknown as Report
}

async function stepEstimate(recipe: Recipe, i: number, one: Expected, timing: Timing): Promise<StepEstimate> {
  const step = recipe.steps[i]
  const counts = countsOf(one)
  if (!step) return counts
  const options = step.options as Training
  const time = await timeOf(step.description.id, options, counts, timing)
  const memory = memoryOf(one, step.description.id, options)
  return { ...counts, ...(time ? { time } : {}), ...(memory === undefined ? {} : { memory }) }
}

/** As much less as there are fewer MACs. Integers are another matter: how much faster they are depends on the processor. */
async function resultLatency(
  before: StepEstimate,
  after: StepEstimate | undefined,
  last: Expected | undefined,
  perSample: (batch: number) => Promise<number>,
): Promise<RecipeEstimate['latency']> {
  const now = await perSample(1)
  if (!last?.model || last.share !== 1 || after?.macs === undefined || !before.macs) return { before: now }
  return { before: now, after: (now * after.macs) / before.macs }
}
