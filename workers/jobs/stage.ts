import { join } from 'node:path'
import type { z } from 'zod'
import { checkpointsOf, listCheckpoints } from '../protocol/files/checkpoints.ts'
import type { RunRecord } from '../protocol/files/record.ts'
import { AlambicError } from '../protocol/errors.ts'
import type { RunRequest } from '../protocol/worker.ts'
import { openDataset, type Dataset } from '../datasets/index.ts'
import type { Executor } from '../executors/executor.ts'
import type { Model } from '../graph/graph.ts'
import { readModel } from '../onnx/index.ts'
import { withoutBest } from '../recipes/fit.ts'
import { openForRecipe } from '../recipes/open.ts'
import { checkRecipe, type Recipe } from '../recipes/recipe.ts'
import type { Journal, Snapshot } from '../recipes/step.ts'
import { readCheckpoint } from './checkpoint.ts'
import { RunFolder } from './folder.ts'
import type { Listener } from './journal.ts'

type Request = z.output<typeof RunRequest>

/** The data of a run: one carve-out for validation, the largest that any stage asks for, so that none trains on it. */
export async function dataOf(request: Request, recipe: Recipe): Promise<Dataset> {
  if (request.data === undefined) return noData
  const wanted = recipe.steps.map(({ options }) => (options as { validation?: number }).validation ?? 0)
  const most = Math.max(0, ...wanted)
  const { seed, limit } = request
  return openDataset(request.data, { ...(most > 0 ? { validation: most } : {}), seed, limit })
}

/** Stands for the data of a run that was given none; a step that asks it for samples says what is missing. */
const noData: Dataset = {
  id: 'none',
  title: 'no data',
  kind: 'tensors',
  sample: { dims: [], dtype: 'f32' },
  splits: {},
  warnings: [],
  hash: '',
}

/** What a stage starts from: the model of the stage before it, or the run's own. */
export async function modelBefore(folder: string, record: RunRecord, stage: number, source: Model): Promise<Model> {
  const before = record.steps[stage - 1]
  return before ? (await readModel(join(folder, before.model))).model : source
}

/** A point of a run: a stage of its recipe, and a training step that has a checkpoint (the newest unless given). */
export interface Point {
  readonly folder: string
  readonly stage?: number | undefined
  readonly step?: number | undefined
}

export interface ModelAtPoint {
  readonly model: Model
  /** What the model is to be compared with: the teacher it follows, or the model that it was made from. */
  readonly teacher: Model | undefined
  readonly data: Dataset
  readonly request: Request
  readonly stage: number
  readonly step: number | undefined
}

/**
 * The model of a run as it was at a point. The stage itself makes it: it is opened on the checkpoint, and asked to stop
 * before its first step.
 */
export async function modelAt(
  point: Point,
  environment: { readonly executor: Executor; readonly listener: Listener },
): Promise<ModelAtPoint> {
  const { record } = await RunFolder.open(point.folder)
  const recipe = checkRecipe(record.recipe)
  const request = record.request as Request
  const stage = point.stage ?? Math.min(record.steps.length, recipe.steps.length - 1)
  const { description, options } = recipe.steps[stage] ?? noStage(point.folder, stage, recipe.steps.length)
  const data = await dataOf(request, recipe)
  const source = await openForRecipe(request.model, request.seed)
  const before = await modelBefore(point.folder, record, stage, source)
  const named = (options as { teacher?: string }).teacher
  const teacher = named === undefined ? (stage > 0 ? before : undefined) : await openForRecipe(named, request.seed)
  const common = { teacher, data, request, stage }
  const finished = record.steps[stage]
  if (finished && point.step === undefined) {
    return { ...common, model: (await readModel(join(point.folder, finished.model))).model, step: undefined }
  }
  const snapshot = await snapshotAt(point.folder, stage, point.step)
  const { model } = await description.run(
    {
      model: before,
      source,
      data,
      seed: request.seed,
      threads: request.threads,
      executor: environment.executor,
      journal: onlyResumes(snapshot, environment.listener),
      open: (reference) => openForRecipe(reference, request.seed),
      stopping: () => true,
    },
    options,
  )
  return { ...common, model, step: snapshot.step }
}

async function snapshotAt(folder: string, stage: number, step: number | undefined): Promise<Snapshot> {
  const root = checkpointsOf(folder, stage)
  const found = (await listCheckpoints(root)).find((one) => step === undefined || one.step === step)
  if (found) return readCheckpoint(join(root, found.name))
  throw new AlambicError('run.no-checkpoint', `there is no checkpoint at step ${step ?? 'any'} of stage ${stage + 1}`, {
    subject: folder,
    fix: 'Choose one that is listed, or wait for the first one.',
  })
}

/** A journal that gives one snapshot, with the weights of its own step, and keeps nothing. */
const onlyResumes = (snapshot: Snapshot, listener: Listener): Journal => ({
  resume: async () => withoutBest(snapshot),
  save: async () => undefined,
  due: () => false,
  metrics: () => undefined,
  event: () => undefined,
  progress: (progress) => listener.progress(progress),
})

function noStage(folder: string, stage: number, count: number): never {
  throw new AlambicError('run.no-stage', `the run has no stage ${stage + 1}`, {
    subject: folder,
    expected: `1 to ${count}`,
    found: String(stage + 1),
  })
}
