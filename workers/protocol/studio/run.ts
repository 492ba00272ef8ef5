import type { Choice } from '../files/record.ts'
import type { ExitReason, Progress, Report, RunState, WireError } from '../worker.ts'
import type { CheckpointId, ModelId, ProjectId, RunKey } from './names.ts'

/** Why a run is not going although nobody finished it. */
export interface Halt {
  /**
   * `person` paused it; `disk` is below the guard; `not-finite` the NaN guard; `host-gone` the studio ended under it;
   * `crashed` its process died; `crash-loop` it died twice at the same step, so it is not resumed by itself any more.
   */
  readonly cause: 'person' | 'disk' | 'not-finite' | 'host-gone' | 'crashed' | 'crash-loop'
  readonly error?: WireError
  readonly exit?: ExitReason
  /** ISO 8601. */
  readonly time: string
  /** The training step it was at, and the one that it will go on from. */
  readonly atStep?: number
  readonly savedStep?: number
}

/** A run as a list shows it. */
export interface RunSummary {
  readonly run: RunKey
  readonly project: ProjectId
  readonly title: string
  readonly state: RunState
  /** What is being prepared, while it is. */
  readonly preparing?: string
  /** Position in the queue from 0, while it is queued. */
  readonly queued?: number
  readonly created: string
  readonly updated: string
  readonly started?: string
  readonly finished?: string
  /** Milliseconds that it was going, over all its sessions. */
  readonly elapsed: number
  readonly recipe: { readonly name: string; readonly title: string }
  /** The steps of its recipe; `done` are finished, the next one is at hand. */
  readonly stages: readonly { readonly id: string; readonly title: string }[]
  readonly done: number
  readonly model: { readonly name: string; readonly model?: ModelId }
  readonly data: { readonly name: string }
  /** `ort · CPU · 2 threads`. */
  readonly device: string
  readonly progress?: Progress
  readonly lastCheckpoint?: { readonly checkpoint: CheckpointId; readonly time: string }
  readonly halt?: Halt
  readonly error?: WireError
  /** How many times its process died. */
  readonly crashes: number
  readonly clonedFrom?: RunKey
  readonly branchedFrom?: { readonly run: RunKey; readonly checkpoint: CheckpointId }
  /** What was measured of the model that it made; keys as of `compress --json`. */
  readonly result?: Report
  /** The model that it made, in the project. */
  readonly output?: ModelId
}

/** A table of numbers of a run: `0-train`, `0-evaluation`, `0-clock`. */
export interface StreamInfo {
  readonly stream: string
  /** The recipe's step that it belongs to. */
  readonly stage: number
  /** `step` first. In `<stage>-clock` they are `step`, `time` (Unix milliseconds) and `elapsed` (milliseconds). */
  readonly columns: readonly string[]
  readonly rows: number
}

export interface RunDetail extends RunSummary {
  readonly folder: string
  /** Everything that the run was asked with, defaults written out. */
  readonly request: Report
  /** How its device was chosen, where that was left open. */
  readonly choice?: Choice
  /** The recipe as YAML, and as a plain value. */
  readonly yaml: string
  readonly plain: Report
  /** Of finished steps: what each says of itself, and what its model costs where that was measured (`Stage`). */
  readonly reports: readonly { readonly id: string; readonly report: Report; readonly stage?: Report }[]
  /** What the run's own model costs, measured as its stages are. */
  readonly input?: Report
  readonly streams: readonly StreamInfo[]
  readonly checkpoints: readonly CheckpointInfo[]
  /** Lines of its log, and the sequence number of its last event. */
  readonly logLines: number
  readonly lastEvent: number
  /** Lines that curves are compared with, each a value of the accuracy axis. */
  readonly references: readonly { readonly name: 'teacher' | 'baseline'; readonly accuracy: number }[]
}

/**
 * Rows of a stream. `values` is row-major, `rows × columns.length`. A resumed run writes its rows after the checkpoint
 * again, with the same numbers: when `total` is less than what is held, drop the rest and go on from `total`.
 */
export interface MetricRows {
  readonly run: RunKey
  readonly stream: string
  readonly columns: readonly string[]
  readonly fromRow: number
  readonly rows: number
  /** Rows that are there now. */
  readonly total: number
  readonly values: Float64Array
}

export interface LogPage {
  /** Lines that are there now. */
  readonly total: number
  readonly lines: readonly LogLine[]
}

export interface LogLine {
  /** From 0. */
  readonly line: number
  readonly time?: string
  readonly level: 'info' | 'warn' | 'error' | 'output'
  readonly text: string
}

export interface CheckpointInfo {
  readonly checkpoint: CheckpointId
  readonly stage: number
  readonly step: number
  readonly time: string
  readonly bytes: number
  readonly last: boolean
  readonly best: boolean
  /** Validation accuracy that its best weights reached. */
  readonly score?: number
  /** It does not match its manifest. */
  readonly problem?: WireError
}

/** A sample as a person sees it. */
export interface SampleImage {
  readonly width: number
  readonly height: number
  readonly channels: number
  /** `height × width × channels`, 0–255. */
  readonly pixels: Uint8Array
}

/** One input with what was said of it. Probabilities are softmax outputs, by class. */
export interface SamplePrediction {
  readonly index: number
  readonly image?: SampleImage
  readonly label?: number
  readonly teacher?: Float32Array
  readonly student: Float32Array
}

export interface SamplesReport {
  readonly run: RunKey
  readonly checkpoint?: CheckpointId
  /** Names of the classes, by number, where the data names them. */
  readonly classes?: readonly string[]
  readonly samples: readonly SamplePrediction[]
}

/** What would stop a run or make it fail, before it starts. */
export interface RunCheck {
  readonly problems: readonly WireError[]
  readonly disk: { readonly needed: number; readonly free: number; readonly floor: number; readonly enough: boolean }
}

/** A file that was made for the person. */
export interface Written {
  /** On the machine of the host. */
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  /** Path to fetch it from the studio's own server, once; absent in the desktop shell. */
  readonly download?: string
}
