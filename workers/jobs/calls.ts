import type { z } from 'zod'
import { calls, type CallName, type Outcome, type Report } from '../protocol/worker.ts'
import {
  addDataset,
  datasets,
  isDatasetPresent,
  openDataset,
  preprocessingFor,
  type Progress as AddProgress,
} from '../datasets/index.ts'
import { DeviceId } from '../protocol/devices.ts'
import type { Executor } from '../executors/executor.ts'
import type { Choice } from '../protocol/files/record.ts'
import { AlambicError } from '../protocol/errors.ts'
import { assess } from '../measure/assess.ts'
import { evaluate } from '../measure/accuracy.ts'
import { inspectModel, modelText } from './inspect.ts'
import {
  activationsCall,
  layerTimesCall,
  nodeCall,
  noiseCall,
  reachCall,
  sheetCall,
  weightsCall,
} from './inspector/index.ts'
import { sensitivityCall } from './inspector/sensitivity.ts'
import { builtins } from '../recipes/builtin.ts'
import { describeAll } from '../recipes/describe.ts'
import { openModel, openWithFiles } from '../recipes/open.ts'
import { openRecipe } from '../recipes/recipe.ts'
import { zoo } from '../zoo/index.ts'
import { compareCall, diffCall, embeddingCall, onDisk, picturesCall, predictionsCall, splitOf } from './compare.ts'
import { placeOf, type DeviceRequest } from './devices.ts'
import { doctor, engineReports } from './doctor.ts'
import { addEngineCall } from './add-engine.ts'
import { adding } from './adding.ts'
import { exportCall } from './export.ts'
import { factorizeCall } from './factorize.ts'
import { rankTimesCall } from './rank-times.ts'
import { packCall, unpackCall } from './pack.ts'
import { checkCall, describeCall, planCall } from './plan.ts'
import { estimateCall } from './estimate.ts'
import { baselineCall, previewCall } from './preview.ts'
import { evaluatePoint, exportPoint, samples } from './points.ts'
import { groupsReport, pruneCall } from './prune.ts'
import { optimizeCall } from './optimize.ts'
import { replayCall } from './replay.ts'
import { runRecipe } from './run.ts'
import { specializeCall } from './specialize.ts'
import { measure } from './remembered.ts'
import { pairingCall, studentCall, studentsCall } from './student.ts'
import { synthesizeCall } from './synthesize.ts'
import type { Listener } from './journal.ts'

export interface CallEnvironment {
  readonly listener: Listener
  readonly stopping: () => boolean
  readonly leaving: () => 'paused' | 'interrupted' | undefined
  /** Loads the native engine of the request's device; only when a call computes. */
  readonly executor: () => Promise<Executor>
  /** How the device was chosen, where that was left open. */
  readonly choice?: Choice
}

type Request<Name extends CallName> = z.output<(typeof calls)[Name]>
type Handlers = {
  readonly [Name in CallName]: (request: Request<Name>, environment: CallEnvironment) => Promise<Report>
}

/** What a worker does for each call of the protocol. */
const handlers: Handlers = {
  run: async (request, { executor, ...environment }) =>
    runRecipe(request, { ...environment, executor: await executor() }),
  evaluate: evaluateCall,
  measure: async ({ model, batch, runs, threads }, environment) =>
    asReport(
      await onDisk(model, async (path) =>
        assess(path, undefined, { executor: await environment.executor(), threads, batch, runs }),
      ),
    ),
  inspect: async ({ model, text, groups }) => {
    const { model: opened, externalFiles } = await openWithFiles(model)
    const more = { ...(text ? { text: modelText(opened) } : {}), ...(groups ? { pruning: groupsReport(opened) } : {}) }
    return { model, ...inspectModel(opened), externalFiles, ...more }
  },
  sheet: sheetCall,
  node: nodeCall,
  weights: weightsCall,
  noise: noiseCall,
  reach: reachCall,
  layerTimes: layerTimesCall,
  activations: activationsCall,
  sensitivity: sensitivityCall,
  compare: compareCall,
  predictions: predictionsCall,
  embedding: embeddingCall,
  pictures: picturesCall,
  diff: diffCall,
  export: exportCall,
  prune: pruneCall,
  optimize: async (request, { executor, listener, stopping, leaving }) =>
    optimizeCall(request, { executor: await executor(), listener, stopping, leaving }),
  replay: async (request, { executor, listener, stopping, leaving }) =>
    replayCall(request, { executor: await executor(), listener, stopping, leaving }),
  factorize: factorizeCall,
  rankTimes: rankTimesCall,
  specialize: specializeCall,
  student: studentCall,
  students: (request, { executor, listener }) => {
    const began = performance.now()
    return studentsCall(request, { executor }, (activity, done, total) =>
      listener.progress({ activity, done, total, elapsed: performance.now() - began, values: {} }),
    )
  },
  pairing: pairingCall,
  synthesize: synthesizeCall,
  pack: packCall,
  unpack: unpackCall,
  datasets: () =>
    Promise.resolve({
      datasets: Object.values(datasets).map(({ id, title, source }) => ({
        id,
        title,
        source,
        present: isDatasetPresent(id),
      })),
    }),
  addDataset: addDatasetCall,
  zoo: () =>
    Promise.resolve({
      nets: Object.values(zoo).map(({ id, title, source, input, classes, params, macs }) => ({
        id,
        title,
        source,
        input,
        classes,
        params,
        macs,
      })),
    }),
  recipes: async () => ({
    recipes: await Promise.all(
      Object.keys(builtins).map(async (name) => {
        const { title, steps } = await openRecipe(name)
        return { name, title, steps: steps.map((s) => s.description.id) }
      }),
    ),
  }),
  methods: async () => asReport(await describeAll()),
  check: checkCall,
  estimate: estimateCall,
  preview: previewCall,
  baseline: baselineCall,
  doctor: () => doctor(),
  engines: async () => ({ engines: await engineReports() }),
  addEngine: addEngineCall,
  plan: planCall,
  describe: describeCall,
  exportPoint,
  evaluatePoint,
  samples,
  selfTest: async ({ device }) => settled(await measure(DeviceId.parse(device))),
}

/** What a worker process brings to every call. */
export interface WorkerEnvironment extends Omit<CallEnvironment, 'executor'> {
  readonly executor: (device: DeviceId) => Promise<Executor>
}

/** Checks a request and answers it. */
export async function answer(name: CallName, request: unknown, environment: WorkerEnvironment): Promise<Report> {
  const schema = calls[name]
  const checked = schema.safeParse(request)
  if (!checked.success) {
    const [issue] = checked.error.issues
    throw new AlambicError('usage.request', `${name}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'not valid'}`)
  }
  const handler = handlers[name] as (request: unknown, environment: CallEnvironment) => Promise<Report>
  if (!('device' in schema.shape || 'folder' in schema.shape)) {
    return handler(checked.data, { ...environment, executor: () => environment.executor('cpu') })
  }
  const { device, choice } = await placeOf(checked.data as DeviceRequest)
  const executor = () => environment.executor(device)
  return handler({ ...checked.data, device }, { ...environment, executor, ...(choice ? { choice } : {}) })
}

async function evaluateCall(request: Request<'evaluate'>, { executor }: CallEnvironment): Promise<Report> {
  const data = await openDataset(request.data, { limit: request.limit })
  const model = await openModel(request.model)
  const split = splitOf(data, request.split)
  const engine = await executor()
  const { accuracy, error, loss, n, top5 } = await evaluate(model.graph, split, preprocessingFor(data, model), {
    executor: engine,
    threads: request.threads,
  })
  return {
    model: request.model,
    data: data.id,
    split: request.split,
    accuracy,
    accuracyError: error,
    top5,
    loss,
    n,
    dataHash: split.hash,
    runtime: engine.runtime,
  }
}

function addDatasetCall({ name }: Request<'addDataset'>, environment: CallEnvironment): Promise<Report> {
  return adding(name, environment, async ({ signal, tell }) => {
    const onProgress = ({ phase, done, total = done }: AddProgress) => tell(phase, done, total)
    return asReport(await addDataset(name, { onProgress, signal }))
  })
}

const asReport = (value: object): Report => value as Report

/** The report of another process, or the error that it ended with. */
function settled(outcome: Outcome): Report {
  if (outcome.ok) return outcome.report
  throw AlambicError.fromJSON(outcome.error)
}
