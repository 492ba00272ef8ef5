import { z } from 'zod'
import { DeviceChoice } from './devices.ts'

/*
 * What crosses the border between a host (the studio, the browser's server, the command line) and a worker process:
 * two interfaces, one per direction. Every message is checked here. A call has no time-out: runs take days.
 */

/** How a run stands. Finished states never change. */
export const RunState = z.enum([
  'queued',
  'preparing',
  'running',
  'pausing',
  'paused',
  'interrupted',
  'succeeded',
  'stopped',
  'failed',
])
export type RunState = z.infer<typeof RunState>

/** How far a run is. Times in milliseconds. */
export const Progress = z.object({
  /** What is being done, in the field's words: `train`, `teacher logits`, `evaluate`. */
  activity: z.string(),
  done: z.number(),
  total: z.number(),
  epoch: z.number().optional(),
  epochs: z.number().optional(),
  /** Samples per second over the last seconds. */
  throughput: z.number().optional(),
  /** Share of the last steps' time that was spent on waiting for samples, 0–1. */
  waiting: z.number().optional(),
  elapsed: z.number(),
  /** Least and most that is left; absent until enough steps were seen. */
  left: z.tuple([z.number(), z.number()]).optional(),
  /** The newest values worth a glance: loss, accuracy, learning rate. */
  values: z.record(z.string(), z.number()),
})
export type Progress = z.infer<typeof Progress>

/** Something that happened in a run and is kept in its journal. */
export const RunEvent = z.object({
  /** Position in the run's journal, from 1, without gaps. */
  seq: z.number().int(),
  /** ISO 8601. */
  time: z.string(),
  kind: z.string(),
  data: z.record(z.string(), z.unknown()),
})
export type RunEvent = z.infer<typeof RunEvent>

/** What all jobs take: where to compute and with how much. */
const Compute = z.object({
  threads: z.number().int().min(1).optional(),
  /** The processor unless given; a run that goes on stays on the device that it began on. */
  device: DeviceChoice.optional(),
})

/** A reference to a model is a path of an ONNX file or a zoo id; to data, a data set's name or a path. */
const Reference = z.string().min(1)

export const RunRequest = Compute.extend({
  /** A recipe as a plain value, a built-in's name, or a path of a YAML file. */
  recipe: z.union([z.string(), z.record(z.string(), z.unknown())]),
  /** Changes to the recipe: dotted path to value. */
  set: z.record(z.string(), z.unknown()).default({}),
  model: Reference,
  /** Steps that neither train nor measure need none. */
  data: Reference.optional(),
  /** Where the resulting model goes; kept only in the run folder when absent. */
  output: z.string().optional(),
  /** The run's folder; made when new. */
  folder: z.string(),
  /** Go on with the run that is in the folder. */
  resume: z.boolean().default(false),
  seed: z.number().int().default(42),
  /** Use only so many training samples. */
  limit: z.number().int().min(1).optional(),
  /** Seconds between periodic checkpoints. */
  checkpointEvery: z.number().positive().default(60),
  /** Beside the best and the newest checkpoints, keep the first one after every so many training steps. */
  keepEvery: z.number().int().min(1).optional(),
})
export type RunRequest = z.input<typeof RunRequest>

export const EvaluateRequest = Compute.extend({
  model: Reference,
  data: Reference,
  split: z.enum(['test', 'train', 'validation']).default('test'),
  limit: z.number().int().min(1).optional(),
})
export type EvaluateRequest = z.input<typeof EvaluateRequest>

export const MeasureRequest = Compute.extend({
  model: Reference,
  batch: z.number().int().min(1).default(1),
  /** Timed runs, after warm-up. */
  runs: z.number().int().min(3).default(50),
})
export type MeasureRequest = z.input<typeof MeasureRequest>

export const InspectRequest = z.object({
  model: Reference,
  text: z.boolean().default(false),
  /** Also what of it can be pruned, group by group. */
  groups: z.boolean().default(false),
})
export type InspectRequest = z.input<typeof InspectRequest>

/** A model in columns, for a screen. */
export const SheetRequest = z.object({ model: Reference })

/** One node of it, by its place. */
export const NodeRequest = SheetRequest.extend({ node: z.number().int().min(0) })

/** The distribution of a constant's elements, also of each slice of an axis. */
export const WeightsRequest = SheetRequest.extend({ tensor: z.string(), axis: z.number().int().min(0).default(0) })

/** How long each node takes inside a run of the whole. */
export const LayerTimesRequest = Compute.extend({
  model: Reference,
  batch: z.number().int().min(1).default(1),
  runs: z.number().int().min(3).default(30),
})

/** How the outputs of one node are distributed over samples. */
export const ActivationsRequest = Compute.extend({
  model: Reference,
  node: z.number().int().min(0),
  data: Reference,
  samples: z.number().int().min(1).max(4096).default(64),
})

/** What each technique costs on each layer alone, in accuracy. */
export const SensitivityRequest = Compute.extend({
  model: Reference,
  data: Reference,
  samples: z.number().int().min(1).default(500),
  /** After so many it stops, with what there is. */
  seconds: z.number().positive().default(120),
  seed: z.number().int().default(42),
})

export const CompareRequest = Compute.extend({
  models: z.array(Reference).min(1),
  data: Reference.optional(),
  batch: z.number().int().min(1).default(1),
  /** Timed runs of each model, in turn. */
  runs: z.number().int().min(3).default(50),
  limit: z.number().int().min(1).optional(),
})
export type CompareRequest = z.input<typeof CompareRequest>

/** What several models say of the same samples; the first is the baseline. Typed arrays, for the studio. */
export const PredictionsRequest = Compute.extend({
  models: z.array(Reference).min(1),
  data: Reference,
  split: EvaluateRequest.shape.split,
})
export type PredictionsRequest = z.input<typeof PredictionsRequest>

/** Some samples in a plane, near each other when the models say alike of them. */
export const EmbeddingRequest = PredictionsRequest.extend({
  indices: z.array(z.number().int().min(0)).min(1).max(500),
})

/** Samples of a split by their numbers, as pictures where they are some. */
export const PicturesRequest = z.object({
  data: Reference,
  split: EvaluateRequest.shape.split,
  indices: z.array(z.number().int().min(0)).max(500),
})
export type PicturesRequest = z.input<typeof PicturesRequest>

/** How one model became another: nodes with their counterparts, layers side by side, channels that went together. */
export const DiffRequest = z.object({ before: Reference, after: Reference })
export type DiffRequest = z.input<typeof DiffRequest>

export const exportFormats = ['onnx', 'fp16', 'qdq', 'qoperator', 'cmpz', 'ort', 'folder'] as const
export type ExportFormat = (typeof exportFormats)[number]

/** Writes a model in another format, with a checksum and model cards, and proves that what was written works. */
export const ExportRequest = Compute.extend({
  model: Reference,
  format: z.enum(exportFormats),
  /** The file; for `folder` a folder, which must be new or empty. */
  output: z.string().min(1),
  /** Samples that the export is verified with, and quantization is calibrated with. */
  data: Reference.optional(),
  /** Samples on which outputs are compared; accuracy is measured on the whole test split. */
  samples: z.number().int().min(1).max(10_000).default(256),
  name: z.string().min(1).optional(),
  /** What the model cards say of where the model comes from, by its name in the card. */
  origin: z.record(z.string(), z.string()).default({}),
  seed: z.number().int().default(42),
})
export type ExportRequest = z.input<typeof ExportRequest>

/** Pruning by the weights alone; with data it is a recipe of one step. */
export const PruneRequest = Compute.extend({
  model: Reference,
  output: z.string(),
  /** Fields of the step `prune`. */
  options: z.record(z.string(), z.unknown()).default({}),
  seed: z.number().int().default(42),
})
export type PruneRequest = z.input<typeof PruneRequest>

/** A search for the recipe that meets a target. */
export const OptimizeRequest = Compute.extend({
  model: Reference,
  data: Reference,
  /** `macs=50%`, `latency=1.5` (ms), `bytes=25%`, `packed=30000`, `params=100000`. */
  target: z.string(),
  /** Largest accuracy that may be lost, 0 to 1. */
  maxDrop: z.number().min(0).max(1).default(0.01),
  /** How long the search may take; a trial that runs is finished. */
  seconds: z.number().positive().default(600),
  /** Epochs of the first rung that trains; each further one has three times as many. */
  epochs: z.number().int().min(1).default(1),
  /** Rungs that train. */
  rungs: z.number().int().min(0).max(5).default(2),
  /** Samples that the map of single layers is made with. */
  samples: z.number().int().min(1).default(512),
  /** Where everything is kept; a search goes on with what is there. */
  folder: z.string(),
  output: z.string().optional(),
  seed: z.number().int().default(42),
  limit: z.number().int().min(1).optional(),
})
export type OptimizeRequest = z.input<typeof OptimizeRequest>

/** A finished run once more, in another folder. */
export const ReplayRequest = z.object({ run: z.string().min(1), folder: z.string().min(1) })
export type ReplayRequest = z.input<typeof ReplayRequest>

/** What the model takes when one layer of a run's step `factorize` has other ranks: exact counts, measured times. */
export const RankTimesRequest = z.object({
  folder: z.string().min(1),
  stage: z.number().int().min(0),
  /** Its weight. */
  layer: z.string().min(1),
  method: z.string().min(1),
  /** Ranks to try, one for each mode that the method has. */
  ranks: z
    .array(z.array(z.number().int().min(1)).min(1).max(2))
    .min(1)
    .max(16),
  runs: z.number().int().min(3).max(1000).default(20),
})
export type RankTimesRequest = z.input<typeof RankTimesRequest>

/** Low-rank factors by the weights alone; with data it is a recipe of one step. */
export const FactorizeRequest = Compute.extend({
  model: Reference,
  output: z.string(),
  /** Fields of the step `factorize`. */
  options: z.record(z.string(), z.unknown()).default({}),
  seed: z.number().int().default(42),
})
export type FactorizeRequest = z.input<typeof FactorizeRequest>
/** Makes a model for one way of using it. */
export const SpecializeRequest = z.object({
  model: Reference,
  output: z.string(),
  /** Inputs that get one number for good. */
  inputs: z.record(z.string(), z.number()).default({}),
  /** Symbolic sizes that become numbers. */
  dims: z.record(z.string(), z.number().int().min(0)).default({}),
  /** Axis 0 of the data: a number, or a name for any. */
  batch: z.union([z.number().int().min(1), z.string().min(1)]).optional(),
})
export type SpecializeRequest = z.input<typeof SpecializeRequest>

/** Makes a student of a teacher's own graph. */
export const StudentRequest = Compute.extend({
  model: Reference,
  /** `thin:0.5`, `shallow`, `separable`, …, several with `+` between, or `auto`. */
  make: z.string().min(1),
  output: z.string().min(1),
  seed: z.number().int().default(42),
})
export type StudentRequest = z.input<typeof StudentRequest>

/** What could be a model's student, with counts and, unless told otherwise, latency. */
export const StudentsRequest = MeasureRequest.extend({
  seed: z.number().int().default(42),
  measure: z.boolean().default(true),
})
export type StudentsRequest = z.input<typeof StudentsRequest>

/** Makes unlabelled samples for a model without data: noise, or noise that fits its batch normalizations. */
export const SynthesizeRequest = Compute.extend({
  model: Reference,
  /** A folder; made when new. It is a data set then. */
  output: z.string().min(1),
  samples: z.number().int().min(1).max(1_000_000).default(1024),
  method: z.enum(['statistics', 'noise']).default('statistics'),
  /** Samples whose statistics are compared together. */
  batch: z.number().int().min(2).default(64),
  iterations: z.number().int().min(1).default(300),
  lr: z.number().positive().default(0.1),
  classWeight: z.number().min(0).default(0.1),
  smoothness: z.number().min(0).default(0.01),
  seed: z.number().int().default(42),
})
export type SynthesizeRequest = z.input<typeof SynthesizeRequest>

/** The layers of two nets, and which of them losses would compare. */
export const PairingRequest = z.object({
  teacher: Reference,
  /** A model, or how it is made of the teacher: `thin:0.5`. */
  student: Reference,
  /** Answers with what is wrong beside both nets' layers, instead of failing. */
  explain: z.boolean().default(false),
  /** As the step `distil` takes them. */
  losses: z
    .array(z.union([z.string(), z.record(z.string(), z.unknown())]))
    .min(1)
    .optional(),
  pairs: z
    .array(z.object({ student: z.string(), teacher: z.string() }))
    .min(1)
    .optional(),
})
export type PairingRequest = z.input<typeof PairingRequest>

export const PackRequest = z.object({
  model: Reference,
  /** The container; beside the model, with the ending .cmpz, when absent. */
  output: z.string().optional(),
  /** Index bits of sparse tensors; the best for each tensor when absent. */
  indexBits: z.number().int().min(1).max(11).optional(),
})
export type PackRequest = z.input<typeof PackRequest>

export const UnpackRequest = z.object({
  file: z.string().min(1),
  /** The ONNX file; beside the container when absent. */
  output: z.string().optional(),
})
export type UnpackRequest = z.input<typeof UnpackRequest>

/** Opens a recipe as a run would, and looks for what would stop it, without running anything. */
export const PlanRequest = z.object({
  recipe: RunRequest.shape.recipe,
  set: RunRequest.shape.set,
  model: Reference.optional(),
})
export type PlanRequest = z.input<typeof PlanRequest>

/** Looks for everything that is wrong with a recipe: of its text, of the model, and of the data by its counts. */
export const CheckRequest = z.object({
  recipe: z.record(z.string(), z.unknown()),
  model: Reference.optional(),
  /** Samples by split. */
  samples: z.record(z.string(), z.number()).optional(),
})
export type CheckRequest = z.input<typeof CheckRequest>

/** How fast a step of a recipe trained a net of so many MACs on this machine. */
const ObservedSpeed = z.object({
  step: z.string(),
  macs: z.number().positive(),
  millisecondsPerSample: z.number().positive(),
})
export type ObservedSpeed = z.infer<typeof ObservedSpeed>

/** What would become of a model; `samples` is how many there are to train with. */
export const EstimateRequest = Compute.extend({
  recipe: RunRequest.shape.recipe,
  set: RunRequest.shape.set,
  model: Reference,
  samples: z.number().int().min(1).optional(),
  /** Runs of before, which time is told from where they did the same. */
  observed: z.array(ObservedSpeed).max(10_000).default([]),
  seed: z.number().int().default(42),
})
export type EstimateRequest = z.input<typeof EstimateRequest>

/** Some samples as they are stored and as a model would see them. */
export const PreviewRequest = z.object({
  data: Reference,
  model: Reference.optional(),
  preprocessing: z.record(z.string(), z.unknown()).optional(),
  count: z.number().int().min(1).max(64).default(5),
  seed: z.number().int().default(42),
})
export type PreviewRequest = z.input<typeof PreviewRequest>

/** How good a model is before anything is done to it. */
export const BaselineRequest = Compute.extend({
  model: Reference,
  data: Reference,
  preprocessing: z.record(z.string(), z.unknown()).optional(),
  samples: z.number().int().min(1).default(1000),
})
export type BaselineRequest = z.input<typeof BaselineRequest>

export const DescribeRequest = z.object({ data: Reference, limit: z.number().int().min(1).optional() })
export type DescribeRequest = z.input<typeof DescribeRequest>

/** A point of a run: a stage of its recipe (the one at hand unless given), and a training step that was saved. */
const Point = z.object({
  folder: z.string().min(1),
  stage: z.number().int().min(0).optional(),
  step: z.number().int().min(0).optional(),
})

export const ExportPointRequest = Point.extend({ output: z.string().min(1) })
export type ExportPointRequest = z.input<typeof ExportPointRequest>

export const EvaluatePointRequest = Point.extend({ split: EvaluateRequest.shape.split })
export type EvaluatePointRequest = z.input<typeof EvaluatePointRequest>

export const SamplesRequest = Point.extend({
  count: z.number().int().min(1).max(1000).default(16),
  offset: z.number().int().min(0).default(0),
})
export type SamplesRequest = z.input<typeof SamplesRequest>

/** Gets a data set of the list through a package registry and keeps it on this machine. */
export const AddDatasetRequest = z.object({ name: z.string().min(1) })
export type AddDatasetRequest = z.input<typeof AddDatasetRequest>

/** Gets the libraries of an engine that is too large to come with Alambic. */
export const AddEngineRequest = z.object({ name: z.enum(['cuda', 'tf']) })
export type AddEngineRequest = z.input<typeof AddEngineRequest>

/** A JSON document; its keys are documented in README.md and stable. */
export type Report = Readonly<Record<string, unknown>>

/** Every call a worker answers, with the schema of its request. Results are reports. */
export const calls = {
  run: RunRequest,
  evaluate: EvaluateRequest,
  measure: MeasureRequest,
  inspect: InspectRequest,
  sheet: SheetRequest,
  node: NodeRequest,
  weights: WeightsRequest,
  noise: SheetRequest,
  reach: SheetRequest,
  layerTimes: LayerTimesRequest,
  activations: ActivationsRequest,
  sensitivity: SensitivityRequest,
  compare: CompareRequest,
  predictions: PredictionsRequest,
  embedding: EmbeddingRequest,
  pictures: PicturesRequest,
  diff: DiffRequest,
  export: ExportRequest,
  prune: PruneRequest,
  optimize: OptimizeRequest,
  replay: ReplayRequest,
  factorize: FactorizeRequest,
  rankTimes: RankTimesRequest,
  specialize: SpecializeRequest,
  student: StudentRequest,
  students: StudentsRequest,
  pairing: PairingRequest,
  synthesize: SynthesizeRequest,
  pack: PackRequest,
  unpack: UnpackRequest,
  datasets: z.object({}),
  addDataset: AddDatasetRequest,
  zoo: z.object({}),
  recipes: z.object({}),
  methods: z.object({}),
  check: CheckRequest,
  estimate: EstimateRequest,
  preview: PreviewRequest,
  baseline: BaselineRequest,
  doctor: z.object({}),
  engines: z.object({}),
  addEngine: AddEngineRequest,
  plan: PlanRequest,
  describe: DescribeRequest,
  exportPoint: ExportPointRequest,
  evaluatePoint: EvaluatePointRequest,
  samples: SamplesRequest,
  selfTest: z.object({ device: DeviceChoice.default('cpu') }),
} as const

export type CallName = keyof typeof calls

/** An error as it crosses the border (`AlambicError.toJSON`). */
export interface WireError {
  readonly code: string
  readonly message: string
  readonly subject?: string | undefined
  readonly expected?: string | undefined
  readonly found?: string | undefined
  readonly fix?: string | undefined
}

/** How a call ended. */
export type Outcome = { readonly ok: true; readonly report: Report } | { readonly ok: false; readonly error: WireError }

/** What the host may ask of a worker. */
export interface WorkerApi {
  call(name: CallName, request: unknown): Promise<Outcome>
  /** Asks the job at hand to finish its step, keep the best, save and return. */
  stop(): void
  /** Asks the job at hand to finish its step, save and return, so that it can go on later. */
  pause(): void
}

/** What a worker tells its host. */
export interface HostApi {
  progress(progress: Progress): void
  event(event: RunEvent): void
}

/** Why a worker process ended: as the operating system and the worker itself tell it. */
export type ExitReason =
  | { readonly kind: 'finished' }
  /** Ended by us. */
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly code: number }
  | { readonly kind: 'crashed'; readonly signal: string }
  | { readonly kind: 'out-of-memory' }
  /** By somebody else: `kill -9`, the task manager. */
  | { readonly kind: 'killed'; readonly signal: string }
