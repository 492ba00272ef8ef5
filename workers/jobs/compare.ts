import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import { isImage, openDataset, preprocessingFor, take, type Dataset, type Split } from '../datasets/index.ts'
import { asFloat32 } from '../graph/float.ts'
import type { Graph } from '../graph/graph.ts'
import { eachOutput, evaluate, probabilities } from '../measure/accuracy.ts'
import { assess, type Assessment } from '../measure/assess.ts'
import { embed } from '../measure/embedding.ts'
import { latenciesInTurn } from '../measure/latency.ts'
import { pairedComparison } from '../measure/quantization/index.ts'
import { readModel, writeModel } from '../onnx/index.ts'
import { diffGraphs } from '../passes/diff/diff.ts'
import { AlambicError } from '../protocol/errors.ts'
import type { calls, CallName, Report } from '../protocol/worker.ts'
import { openModel, zooReference } from '../recipes/open.ts'
import type { CallEnvironment } from './calls.ts'
import { openToInspect } from './inspector/open.ts'
import { packedSize } from './measure-stage.ts'

type Request<Name extends CallName> = z.output<(typeof calls)[Name]>

/** Gives a model's file; a zoo net is written to a temporary one first, so that what is measured is always a file. */
export async function onDisk<T>(reference: string, use: (path: string) => Promise<T>): Promise<T> {
  if (!zooReference(reference)) {
    await openModel(reference)
    return use(reference)
  }
  const folder = await mkdtemp(join(tmpdir(), 'alambic-'))
  try {
    const path = join(folder, 'model.onnx')
    await writeModel(await openModel(reference), path)
    return await use(path)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Each model's own numbers need few timed runs: their latencies are measured in turn. */
const ALONE = 3

/** The first model is the baseline; differences are against it. Latencies are measured run by run in turn. */
export async function compareCall(request: Request<'compare'>, environment: CallEnvironment): Promise<Report> {
  const { models, batch, runs, threads = availableParallelism(), limit } = request
  const data = request.data === undefined ? undefined : await openDataset(request.data, { limit })
  const executor = await environment.executor()
  const { listener } = environment
  const tell = (activity: string, done: number) =>
    listener.progress({ activity, done, total: models.length + 1, elapsed: 0, values: {} })
  const rows: (Assessment & { readonly model: string; readonly packedBytes?: number })[] = []
  const graphs: Graph[] = []
  for (const [i, model] of models.entries()) {
    tell(`measure ${model}`, i)
    rows.push(
      await onDisk(model, async (path) => {
        graphs.push((await readModel(path)).model.graph)
        const measured = await assess(path, data, { executor, threads, batch, runs: ALONE })
        return { model, ...measured, ...(await packedSize(path)) }
      }),
    )
  }
  tell('latency', models.length)
  const latencies = await latenciesInTurn(executor, graphs, { batch, runs, threads })
  return { baseline: models[0], rows: rows.map((row, i) => ({ ...row, latency: latencies[i] ?? row.latency })) }
}

/** What models say of every sample of a split, each held against the first one. */
export async function predictionsCall(request: Request<'predictions'>, environment: CallEnvironment): Promise<Report> {
  const data = await openDataset(request.data)
  const split = splitOf(data, request.split)
  const { labels } = split
  if (!labels) {
    throw new AlambicError('data.no-labels', `the ${request.split} split of "${data.id}" has no labels`, {
      subject: data.id,
      fix: 'Choose labelled data.',
    })
  }
  const where = { executor: await environment.executor(), threads: request.threads }
  const found: { readonly model: string; readonly result: Awaited<ReturnType<typeof evaluate>> }[] = []
  for (const [i, reference] of request.models.entries()) {
    const { length } = request.models
    environment.listener.progress({ activity: 'predict', done: i, total: length, elapsed: 0, values: {} })
    const model = await openModel(reference)
    found.push({ model: reference, result: await evaluate(model.graph, split, preprocessingFor(data, model), where) })
  }
  const [base] = found
  return {
    data: data.id,
    dataHash: split.hash,
    split: request.split,
    n: split.count,
    classes: data.classes,
    labels,
    models: found.map(({ model, result }, i) => ({
      model,
      predictions: result.predictions,
      confidences: result.confidences,
      accuracy: result.accuracy,
      error: result.error,
      ...(i > 0 && base ? { paired: pairedComparison(base.result, result, labels) } : {}),
    })),
  }
}

/**
 * Some samples in a plane by what the models say of them: by the square roots of all probabilities, whose distances are
 * Hellinger's.
 */
export async function embeddingCall(request: Request<'embedding'>, environment: CallEnvironment): Promise<Report> {
  const data = await openDataset(request.data)
  const split = splitOf(data, request.split)
  const indices = request.indices.filter((index) => index < split.count)
  const chosen = take(split, Int32Array.from(indices))
  const where = { executor: await environment.executor(), threads: request.threads }
  const rows: number[][] = indices.map(() => [])
  for (const reference of request.models) {
    const model = await openModel(reference)
    await eachOutput(model.graph, chosen, preprocessingFor(data, model), where, (outputs, places) => {
      const classes = outputs.dims.at(-1) ?? 0
      const values = asFloat32(outputs)
      places.forEach((place, row) => {
        const shares = probabilities(values.subarray(row * classes, (row + 1) * classes))
        rows[place]?.push(...shares.map(Math.sqrt))
      })
    })
  }
  const plane = embed(Float64Array.from(rows.flat()), rows[0]?.length ?? 1)
  const axis = (which: 0 | 1) => Float64Array.from(indices, (_, i) => plane[2 * i + which] as number)
  return { data: data.id, indices: Int32Array.from(indices), x: axis(0), y: axis(1) }
}

/** Samples as a person sees them. */
export async function picturesCall({ data: reference, split: name, indices }: Request<'pictures'>): Promise<Report> {
  const data = await openDataset(reference)
  const split = splitOf(data, name)
  const known = indices.filter((index) => index < split.count)
  const labelOf = (index: number) => (split.labels ? { label: split.labels[index] } : {})
  const pictures = known.map((index) => ({ index, ...labelOf(index), ...imageOf(split, index) }))
  return { pictures, ...(data.classes ? { classes: data.classes } : {}) }
}

/** The picture of a sample; nothing where samples are no pictures, or not held as bytes. */
export function imageOf(split: Split, index: number): object {
  const { sample, data } = split
  if (!isImage(sample) || !(data instanceof Uint8Array)) return {}
  const { width, height, channels } = sample
  const size = width * height * channels
  return { image: { width, height, channels, pixels: data.slice(index * size, (index + 1) * size) } }
}

export function splitOf(data: Dataset, name: 'test' | 'train' | 'validation'): Split {
  const split = data.splits[name]
  if (split) return split
  throw new AlambicError('data.no-split', `the data set "${data.id}" has no ${name} split`, {
    expected: Object.keys(data.splits).join(', '),
    found: name,
  })
}

/** Nodes are told by their places in the files' own graphs, as everywhere where a model is looked at. */
export async function diffCall({ before, after }: Request<'diff'>): Promise<Report> {
  const [left, right] = [(await openToInspect(before)).graph, (await openToInspect(after)).graph]
  return { before, after, ...diffGraphs({ before: left, after: right }) }
}
