import { z } from 'zod'
import { exportFormats, type Report, type RunEvent } from '../worker.ts'
import type { ComparedModel, Embedding, ExportInfo, GraphDiff, Picture, Predictions, RunFields } from './compare.ts'
import { DeviceChoice, DeviceId } from '../devices.ts'
import type { SensitivityScan } from '../files/sensitivity.ts'
import { SettingsChange, type Device, type Hello, type SelfTest, type Settings, type SystemStatus } from './machine.ts'
import { CheckpointId, DatasetId, JobId, ModelId, Path, ProjectId, RecipeFileName, RunKey, Title } from './names.ts'
import type {
  Catalog,
  DatasetInfo,
  DirectoryEntry,
  Discarded,
  ImportReport,
  ModelInfo,
  Project,
  ScanReport,
} from './project.ts'
import type { PairingPreview, RankTimes, Students } from './method.ts'
import type { BaselineReport, Methods, PreviewReport, RecipeEstimate, RecipeFileInfo, RecipeIssue } from './recipe.ts'
import type {
  CheckpointInfo,
  LogPage,
  MetricRows,
  RunCheck,
  RunDetail,
  RunSummary,
  SamplesReport,
  Written,
} from './run.ts'
import type {
  Activations,
  LayerTimes,
  ModelReach,
  ModelSheet,
  NodeFacts,
  WeightHistogram,
  WeightNoise,
} from './sheet.ts'

const nothing = z.strictObject({})
const project = z.strictObject({ project: ProjectId })
const run = z.strictObject({ run: RunKey })
const count = z.int().min(0)
const checkpoint = run.extend({ checkpoint: CheckpointId })

const model = project.extend({ model: ModelId })

/** What was dropped: a path that the desktop shell gave or that is under a chosen root, or a finished upload. */
const Source = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('path'), path: Path }),
  z.strictObject({ kind: z.literal('upload'), upload: JobId }),
])

/** A model of the project, a network of the zoo (`lenet-5@0.25`). */
const ModelChoice = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('model'), model: ModelId }),
  z.strictObject({ kind: z.literal('zoo'), id: z.string().min(1).max(100) }),
])

const DataChoice = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('dataset'), dataset: DatasetId }),
  z.strictObject({ kind: z.literal('named'), id: z.string().min(1).max(100) }),
])

/** Models anywhere in the studio; the first is what the others are held against. */
const places = z
  .array(z.strictObject({ project: ProjectId, model: ModelId }))
  .min(1)
  .max(64)
const Split = z.enum(['test', 'train', 'validation'])
const count1 = z.int().min(1)

/** What a run is made of. `recipe` is the name of a built-in, a file of the project, or a plain value. */
export const RunPlan = z.strictObject({
  project: ProjectId,
  title: Title.optional(),
  model: ModelChoice,
  data: DataChoice,
  recipe: z.union([z.string().min(1).max(4096), z.record(z.string(), z.json())]),
  /** Changes to the recipe: dotted path → value. */
  set: z.record(z.string().max(200), z.json()).default({}),
  seed: z.int().default(42),
  /** Use only so many training samples. */
  limit: z.int().min(1).optional(),
  threads: z.int().min(1).max(1024).optional(),
  device: DeviceChoice.optional(),
  /** Seconds between periodic checkpoints. */
  checkpointEvery: z.number().positive().max(86_400).default(60),
  /** Beside the best and the newest checkpoints, keep the first one after every so many training steps. */
  keepEvery: z.int().min(1).optional(),
})
export type RunPlan = z.input<typeof RunPlan>

/** A recipe as a plain value; what it holds is checked by the worker, field by field. */
const PlainRecipe = z.record(z.string().max(200), z.json())

/**
 * Every call of a renderer to the host, with the schema of its request. The host checks each one; what does not fit is
 * refused with `usage.request`, whoever sends it.
 */
export const studioCalls = {
  hello: nothing,
  /**
   * Starts the events for this connection. Those after `after` come first when `session` is still this host's and
   * they are still held; else `reset` is true and everything must be read anew.
   */
  subscribe: z.strictObject({ session: z.string().max(100).optional(), after: count.default(0) }),

  projects: nothing,
  createProject: z.strictObject({ name: Title, folder: Path.optional() }),
  /** Adds a folder that is a project already. */
  openProject: z.strictObject({ path: Path }),
  renameProject: project.extend({ name: Title }),
  /** To the bin; active runs are refused. */
  deleteProject: project,
  /** Makes the sample project, or opens it, and starts its run if it has none. */
  openSample: nothing,
  bin: nothing,
  restore: z.strictObject({ id: z.string().max(200) }),
  emptyBin: nothing,

  /** Folders under the chosen roots; without a path, the roots. */
  browse: z.strictObject({ path: Path.optional() }),
  /** Announces files for `PUT /upload/<upload>/<index>`. Paths are relative, with forward slashes. */
  startUpload: z.strictObject({
    upload: JobId,
    files: z
      .array(z.strictObject({ path: Path, bytes: z.number().int().min(0) }))
      .min(1)
      .max(200_000),
  }),
  /** Says what was dropped. Answers what was found so far when `cancelJob(scan)` comes first. */
  scan: z.strictObject({
    scan: JobId,
    project: ProjectId.optional(),
    sources: z.array(Source).min(1).max(1000),
  }),
  /** Takes in what a scan found; `name` changes what it is called. Linking leaves the files where they are. */
  importFound: z.strictObject({
    job: JobId,
    project: ProjectId,
    scan: JobId,
    items: z
      .array(z.strictObject({ id: z.string().max(4200), mode: z.enum(['copy', 'link']), name: Title.optional() }))
      .min(1)
      .max(10_000),
  }),
  cancelJob: z.strictObject({ job: JobId }),

  models: project,
  renameModel: project.extend({ model: ModelId, name: Title }),
  /** Says where the file of a linked model is now; it must have the same bytes. */
  locateModel: project.extend({ model: ModelId, path: Path }),
  /** Puts a model that no other and no run was made from in the bin. */
  deleteModel: project.extend({ model: ModelId }),
  /** A model in columns, one row per node. The process that answers keeps the model open for the next questions. */
  modelSheet: model,
  modelNode: model.extend({ node: count }),
  /** The distribution of a constant's elements, also along an axis. */
  modelWeights: model.extend({ tensor: z.string().max(10_000), axis: count.default(0) }),
  /** What rounding each layer's weights would cost, without data. */
  modelNoise: model,
  /** Which nodes each method can touch and why not the others; coupling groups. */
  modelReach: model,
  /** Runs the model and tells how long each node takes. */
  modelTimes: model.extend({
    job: JobId,
    batch: z.int().min(1).max(1024).default(1),
    runs: z.int().min(3).max(1000).default(30),
  }),
  /** Runs samples through the model and counts what a node puts out. */
  modelActivations: model.extend({
    job: JobId,
    node: count,
    data: DataChoice,
    samples: z.int().min(1).max(4096).default(64),
  }),
  /** What a scan of the model's layers found, if there was one. */
  modelSensitivity: model,
  /** Changes each layer alone in several ways and measures what accuracy it costs; what was found is kept. */
  scanModel: model.extend({
    job: JobId,
    data: DataChoice,
    samples: count1.max(100_000).default(500),
    seconds: z.number().positive().max(36_000).default(120),
  }),
  datasets: project,
  removeDataset: project.extend({ dataset: DatasetId }),
  /** Says where linked data is now; its samples must be the same. */
  locateDataset: project.extend({ dataset: DatasetId, path: Path }),
  catalog: project,

  /** Every method with its form, and every recipe that comes with Alambic; the same until the host ends. */
  methods: nothing,
  /** Recipe files of one project, or of all. */
  recipes: z.strictObject({ project: ProjectId.optional() }),
  /**
   * Writes a recipe file: a new one, named after `name`, unless `file` says which. Refused with `recipe.changed` when
   * the file is not what `hash` says.
   */
  saveRecipe: project.extend({
    name: Title,
    file: RecipeFileName.optional(),
    yaml: z.string().max(1_000_000),
    hash: z.string().max(64).optional(),
  }),
  /** Removes a recipe file; `saveRecipe` puts it back. */
  deleteRecipe: project.extend({ file: RecipeFileName }),
  /** Everything that is wrong with a recipe, each at its field, and what is odd about it. */
  checkRecipe: project.extend({ recipe: PlainRecipe, model: ModelChoice.optional(), data: DataChoice.optional() }),
  /** What would become of the model. Sizes are computed, times follow from a short measurement of the model alone. */
  estimateRecipe: project.extend({
    recipe: PlainRecipe,
    model: ModelChoice,
    data: DataChoice.optional(),
    limit: z.int().min(1).optional(),
  }),
  /** Some samples as they are stored and as the model would see them. */
  previewData: project.extend({
    data: DataChoice,
    model: ModelChoice.optional(),
    preprocessing: PlainRecipe.optional(),
    count: z.int().min(1).max(64).default(5),
    seed: z.int().default(42),
  }),
  /** How good the model is on some test samples, before anything is done to it; in a process of its own. */
  checkBaseline: project.extend({
    job: JobId,
    model: ModelChoice,
    data: DataChoice,
    preprocessing: PlainRecipe.optional(),
    samples: z.int().min(1).max(1_000_000).default(1000),
  }),

  /** Both nets of a step `distil` by their layers, and what its losses would compare or why they can't. */
  distilPairing: project.extend({ model: ModelChoice, options: PlainRecipe }),
  /** What could be the student of a model, or of the net that a step names as its teacher. What was measured is kept. */
  students: project.extend({
    job: JobId,
    model: ModelChoice,
    teacher: z.string().max(4096).optional(),
    measure: z.boolean().default(false),
  }),
  /** Makes unlabelled samples of a model whose data nobody has; they are a data set of the project then. */
  synthesizeData: project.extend({
    job: JobId,
    name: Title,
    model: ModelChoice,
    samples: z.int().min(2).max(1_000_000).default(1024),
    /** Noise alone is for models without batch normalizations. */
    method: z.enum(['statistics', 'noise']).default('statistics'),
  }),
  /** What the model of a run's step `factorize` takes with one layer at other ranks, measured now. */
  rankTimes: run.extend({
    job: JobId,
    stage: count,
    layer: z.string().max(10_000),
    method: z.string().max(100),
    ranks: z
      .array(z.array(z.int().min(1)).min(1).max(2))
      .min(1)
      .max(16),
  }),

  runs: z.strictObject({ project: ProjectId.optional() }),
  runDetail: run,
  /** Problems and disk space of a run that is not made yet. */
  checkRun: RunPlan,
  /** Makes a run and puts it at the end of the queue. */
  createRun: RunPlan,
  renameRun: run.extend({ title: Title }),
  /** All queued runs, in their new order. */
  reorderQueue: z.strictObject({ order: z.array(RunKey).max(10_000) }),
  /** While the queue is paused nothing new starts; what is running goes on. */
  pauseQueue: z.strictObject({ paused: z.boolean() }),
  queue: nothing,
  pauseRun: run,
  /** For paused and interrupted runs: goes on from the last checkpoint, exactly. Finished runs never change. */
  resumeRun: run,
  /** Ends the run with the best weights so far as its model; also for a paused or interrupted one. */
  stopRun: run,
  /** Ends the run and puts its folder in the bin. */
  discardRun: run,
  /** The same run anew, with changes. */
  cloneRun: run.extend({ title: Title.optional(), set: z.record(z.string().max(200), z.json()).default({}) }),

  /** Rows of a stream from a row on; at most `maxRows` of them. */
  metrics: run.extend({
    stream: z.string().regex(/^\d{1,4}-[\w.-]{1,64}$/, 'not the name of a stream'),
    fromRow: count.default(0),
    maxRows: z.int().min(1).max(1_000_000).default(250_000),
  }),
  /** Events of the run's journal after a sequence number; they survive the host. */
  runEvents: run.extend({ after: count.default(0), limit: z.int().min(1).max(10_000).default(5000) }),
  /** Lines from a line on; with `search`, only those that contain it (case-insensitive). */
  log: run.extend({
    fromLine: count.default(0),
    limit: z.int().min(1).max(5000).default(500),
    search: z.string().max(500).optional(),
  }),
  /** Inputs of the test split with what the teacher and the student say, computed now in a process of its own. */
  samples: run.extend({
    job: JobId,
    checkpoint: CheckpointId.optional(),
    count: z.int().min(1).max(64).default(16),
    offset: count.default(0),
  }),

  /** Samples of the data of a run by their numbers. */
  runPictures: run.extend({ split: Split.default('test'), indices: z.array(count).max(500) }),
  checkpoints: run,
  evaluateCheckpoint: checkpoint.extend({
    job: JobId,
    split: z.enum(['test', 'train', 'validation']).default('test'),
  }),
  /** A new run that goes on from a checkpoint, with changes to the recipe's remaining steps. */
  branchRun: checkpoint.extend({ title: Title.optional(), set: z.record(z.string().max(200), z.json()).default({}) }),
  /** Writes the model of a checkpoint; into the project unless `to` (desktop only) says where. */
  exportCheckpoint: checkpoint.extend({ job: JobId, to: Path.optional() }),
  /** Writes a copy of a model for the person; `to` is for the desktop shell. */
  exportModel: project.extend({ model: ModelId, to: Path.optional() }),
  /** Writes a model in another format into the project's exports, reads it back and compares it with its source. */
  exportAs: model.extend({
    job: JobId,
    format: z.enum(exportFormats),
    data: DataChoice.optional(),
    samples: count1.max(10_000).default(256),
  }),
  exports: project,
  /** The files of an export as one ZIP; `to` (desktop only) is a folder that they are copied to. */
  fetchExport: project.extend({ id: z.string().regex(/^[a-z0-9-]{1,100}$/), to: Path.optional() }),

  /** Moves an export to the bin. */
  deleteExport: project.extend({ id: z.string().regex(/^[a-z0-9-]{1,100}$/) }),

  /** Measures models one after the other, and their latencies in turn, in one process; what was measured is kept. */
  compareModels: z.strictObject({
    job: JobId,
    models: places,
    /** Without it only what needs no data is measured. */
    data: z.strictObject({ project: ProjectId, choice: DataChoice }).optional(),
    batch: count1.max(1024).default(1),
    runs: z.int().min(3).max(1000).default(50),
    threads: count1.max(1024).optional(),
  }),
  /** What each model says of every sample of a split, computed now in a process of its own. */
  predictions: z.strictObject({
    job: JobId,
    models: places,
    data: z.strictObject({ project: ProjectId, choice: DataChoice }),
    split: Split.default('test'),
  }),
  /** Some of those samples in a plane, by what the models say of them. */
  embedding: z.strictObject({
    job: JobId,
    models: places,
    data: z.strictObject({ project: ProjectId, choice: DataChoice }),
    split: Split.default('test'),
    indices: z.array(count).min(1).max(500),
  }),
  pictures: z.strictObject({
    data: z.strictObject({ project: ProjectId, choice: DataChoice }),
    split: Split.default('test'),
    indices: z.array(count).max(500),
  }),
  diffModels: z.strictObject({
    before: z.strictObject({ project: ProjectId, model: ModelId }),
    after: z.strictObject({ project: ProjectId, model: ModelId }),
  }),
  /** The settings of all runs, flat. */
  runFields: z.strictObject({ project: ProjectId.optional() }),

  devices: z.strictObject({ refresh: z.boolean().default(false) }),
  selfTest: z.strictObject({ job: JobId, device: DeviceId }),
  settings: nothing,
  setSettings: z.strictObject({ change: SettingsChange }),
  /** Chooses where everything is kept that no project owns, from the next start on. */
  setDataFolder: z.strictObject({ path: Path }),
  system: nothing,
  /** A ZIP of versions, settings, the machine, and the logs of recent runs; no models, no data. */
  diagnostics: z.strictObject({ job: JobId }),
} as const

export type StudioCall = keyof typeof studioCalls

/** What each call answers. */
export interface StudioResults {
  hello: Hello
  subscribe: { readonly session: string; readonly seq: number; readonly reset: boolean }
  projects: readonly Project[]
  createProject: Project
  openProject: Project
  renameProject: Project
  deleteProject: Discarded
  openSample: { readonly project: Project; readonly run?: RunSummary }
  bin: readonly Discarded[]
  restore: { readonly project: ProjectId; readonly run?: RunKey }
  emptyBin: { readonly bytes: number }
  browse: { readonly path?: string; readonly entries: readonly DirectoryEntry[] }
  startUpload: { readonly upload: JobId; readonly received: readonly number[] }
  scan: ScanReport
  importFound: ImportReport
  cancelJob: { readonly found: boolean }
  models: readonly ModelInfo[]
  renameModel: ModelInfo
  locateModel: ModelInfo
  deleteModel: Discarded
  modelSheet: ModelSheet
  modelNode: NodeFacts
  modelWeights: WeightHistogram
  modelNoise: WeightNoise
  modelReach: ModelReach
  modelTimes: LayerTimes
  modelActivations: Activations
  modelSensitivity: { readonly scan?: SensitivityScan }
  scanModel: SensitivityScan
  datasets: readonly DatasetInfo[]
  removeDataset: { readonly removed: boolean }
  locateDataset: DatasetInfo
  catalog: Catalog
  methods: Methods
  recipes: readonly (RecipeFileInfo & { readonly project: ProjectId })[]
  saveRecipe: RecipeFileInfo
  deleteRecipe: { readonly yaml: string }
  /** `layers` are names of weights, which rules may name. */
  checkRecipe: { readonly issues: readonly RecipeIssue[]; readonly layers: readonly string[] }
  estimateRecipe: RecipeEstimate
  previewData: PreviewReport
  checkBaseline: BaselineReport
  distilPairing: PairingPreview
  students: Students
  synthesizeData: DatasetInfo
  rankTimes: RankTimes
  /** `classes`: their names, where the data has some. */
  runPictures: { readonly pictures: readonly Picture[]; readonly classes?: readonly string[] }
  runs: readonly RunSummary[]
  runDetail: RunDetail
  checkRun: RunCheck
  createRun: RunSummary
  renameRun: RunSummary
  reorderQueue: Queue
  pauseQueue: Queue
  queue: Queue
  pauseRun: RunSummary
  resumeRun: RunSummary
  stopRun: RunSummary
  discardRun: Discarded
  cloneRun: RunSummary
  metrics: MetricRows
  runEvents: { readonly events: readonly RunEvent[]; readonly last: number }
  log: LogPage
  samples: SamplesReport
  checkpoints: readonly CheckpointInfo[]
  evaluateCheckpoint: Report
  branchRun: RunSummary
  exportCheckpoint: Written & { readonly model?: ModelId }
  exportModel: Written
  exportAs: ExportInfo
  exports: readonly ExportInfo[]
  fetchExport: Written
  deleteExport: Discarded
  compareModels: readonly ComparedModel[]
  predictions: Predictions
  embedding: Embedding
  pictures: readonly Picture[]
  diffModels: GraphDiff
  runFields: readonly RunFields[]
  devices: readonly Device[]
  selfTest: SelfTest
  settings: Settings
  setSettings: Settings
  setDataFolder: { readonly dataFolder: string }
  system: SystemStatus
  diagnostics: Written
}

/** Runs that wait, in their order, and those that go. */
export interface Queue {
  readonly order: readonly RunKey[]
  readonly running: readonly RunKey[]
  readonly paused: boolean
  readonly concurrency: number
}
