import type { ExportFormat, Report } from '../worker.ts'
import type { ModelId, ProjectId, RunKey } from './names.ts'
import type { SampleImage } from './run.ts'

/** A model anywhere in the studio. */
export interface ModelPlace {
  readonly project: ProjectId
  readonly model: ModelId
}

/** A model with what was measured of it, under the same conditions as all others of the answer. */
export interface ComparedModel extends ModelPlace {
  /** Keys as of `compress --json`. */
  readonly measured: Report
}

export type FieldValue = string | number | boolean

/** A run's settings, flat: `seed`, `data`, `1 prune.ratio`; and its validation accuracy, best and last. */
export interface RunFields {
  readonly run: RunKey
  readonly fields: Readonly<Record<string, FieldValue>>
  readonly best?: number
  readonly last?: number
}

/** How two models differ on the same samples. Shares from 0 to 1. */
export interface PairedComparison {
  readonly n: number
  /** Accuracy of the first minus that of the second. */
  readonly drop: number
  /** 95 % confidence interval of the drop. */
  readonly interval: readonly [number, number]
  /** Samples that only the first, and only the second, has right. */
  readonly onlyFirst: number
  readonly onlySecond: number
  /** Probability of a difference this large if there were none (McNemar 1947, exact binomial, two-sided). */
  readonly p: number
}

/** What one model says of every sample, in the split's order. */
export interface ModelPredictions extends ModelPlace {
  readonly predictions: Int32Array
  /** Probability that each answer was given. */
  readonly confidences: Float32Array
  readonly accuracy: number
  readonly error: number
  /** Against the first model. */
  readonly paired?: PairedComparison
}

export interface Predictions {
  readonly data: string
  readonly dataHash: string
  readonly split: string
  readonly n: number
  readonly classes?: readonly string[]
  readonly labels: Int32Array
  readonly models: readonly ModelPredictions[]
}

/** Samples in a plane: those that models say alike of are near each other. Coordinates have no unit. */
export interface Embedding {
  readonly data: string
  readonly indices: Int32Array
  readonly x: Float64Array
  readonly y: Float64Array
}

export interface Picture {
  readonly index: number
  readonly label?: number
  readonly image?: SampleImage
}

/** How a node differs from its counterpart. */
export interface Change {
  readonly what: 'operator' | 'attribute' | 'weight shape' | 'weight type' | 'weight values' | 'input' | 'output shape'
  /** The attribute, or the tensor. */
  readonly name: string
  readonly before: string
  readonly after: string
}

/**
 * `changed`: its own definition differs (operator, attributes, shape or type of its weights, where its inputs come
 * from); `weights`: only values of weights do; `reshaped`: it is the same, but works on tensors of other shapes.
 */
export const nodeStatuses = ['same', 'reshaped', 'weights', 'changed', 'added', 'removed'] as const
export type NodeStatus = (typeof nodeStatuses)[number]

/** A node and its counterpart; `before` and `after` are places in the nodes of the graphs. */
export interface NodeDiff {
  readonly status: NodeStatus
  readonly name: string
  readonly op: string
  readonly before?: number
  readonly after?: number
  readonly changes: readonly Change[]
}

/** What a layer is in one of the graphs. Sizes are counts, `bits` those of an element of its weight. */
export interface LayerSide {
  readonly node: string
  /** Its place in the nodes of its graph. */
  readonly place: number
  readonly op: string
  readonly weight: string
  readonly bits: number
  /** Channels that it puts out, where its output has any. */
  readonly channels?: number
  readonly params: number
  readonly macs?: number
  /** Bytes of its weight. */
  readonly bytes: number
}

export interface LayerDiff {
  readonly name: string
  readonly status: NodeStatus
  readonly before?: LayerSide
  readonly after?: LayerSide
  /** Index in `groups`: what its output channels went together with. */
  readonly group?: number
}

/** Channels that went together, and why. */
export interface GroupDiff {
  readonly name: string
  readonly units: number
  readonly left: number
  readonly members: readonly {
    readonly tensor: string
    readonly use: string
    readonly before: number
    readonly after: number
  }[]
  readonly because: readonly string[]
}

export interface GraphDiff {
  readonly nodes: readonly NodeDiff[]
  readonly counts: Readonly<Record<NodeStatus, number>>
  readonly layers: readonly LayerDiff[]
  readonly groups: readonly GroupDiff[]
  /** Why there is no word on what went together, where there is none. */
  readonly groupsProblem?: string
}

/** How far outputs of an export may be from the source's, and what is to be kept of its answers. */
export interface Tolerance {
  /** Largest error of an output, as a share of the largest output. */
  readonly relative?: number
  /** Share of predictions that must be the source's; accuracy may fall by what is left. */
  readonly agreement?: number
}

/** What a written file does, read back from the disk and run by the runtime that its users have. */
export interface Verification {
  readonly passed: boolean
  /** Inputs on which outputs were compared, and where they came from. */
  readonly samples: number
  readonly inputs: 'data' | 'random'
  /** Largest and mean absolute difference of an output, and the largest output of the source. */
  readonly maxError: number
  readonly meanError: number
  readonly largestOutput: number
  /** Share of samples whose largest output is the same one; of outputs `[N, classes]`. */
  readonly agreement?: number
  /** On the whole test split, of the source and of the file. */
  readonly accuracy?: {
    readonly source: number
    readonly exported: number
    readonly n: number
    readonly drop: number
    readonly interval: readonly [number, number]
  }
  readonly limit: Tolerance
  /** What was not kept, in sentences. */
  readonly problems: readonly string[]
  readonly runtime: string
  readonly data?: string
  readonly dataHash?: string
}

/** What an export wrote, and what became of it when it was read back. */
export interface ExportReport {
  readonly format: ExportFormat
  readonly output: string
  readonly bytes: number
  readonly sha256: string
  readonly files: readonly string[]
  readonly notes: readonly string[]
  readonly verification: Verification
  readonly latency?: { readonly medianMs: number; readonly p95Ms: number; readonly n: number }
}

/** An export that a project keeps. */
export interface ExportInfo {
  /** The name of its folder in the project's `exports`. */
  readonly id: string
  readonly model: ModelId
  readonly name: string
  readonly created: string
  readonly report: ExportReport
}
