import type { Report, WireError } from '../worker.ts'
import type { RunState } from '../worker.ts'
import type { DatasetId, JobId, ModelId, ProjectId, RunKey } from './names.ts'

/** Who has a project open for writing. */
export interface Holder {
  readonly pid: number
  readonly host: string
  /** What it is: `desktop`, `browser` or `command line`. */
  readonly shell: string
  /** ISO 8601. */
  readonly since: string
}

/** A project as a card or a row shows it. A project is a folder; everything here is read from it. */
export interface Project {
  readonly project: ProjectId
  readonly name: string
  readonly path: string
  readonly created: string
  readonly updated: string
  /** The sample that comes with Alambic. */
  readonly sample: boolean
  /** What its models do, as far as it is known. */
  readonly task?: 'imageClassification' | 'classification'
  /** The best accuracy of an unmodified model, measured. */
  readonly baseline?: { readonly accuracy: number; readonly error: number; readonly n: number; readonly model: ModelId }
  readonly bytes: number
  readonly models: number
  readonly datasets: number
  readonly runs: number
  readonly active: number
  readonly lastRun?: {
    readonly run: RunKey
    readonly title: string
    readonly state: RunState
    readonly updated: string
  }
  /** Another program has it open: it can be looked at, not changed. */
  readonly heldBy?: Holder
  /** Why it cannot be read: folder gone, `project.json` damaged. */
  readonly problem?: WireError
}

/** Something in the bin; it comes back with `restore`. */
export interface Discarded {
  readonly id: string
  readonly kind: 'project' | 'run' | 'model' | 'export'
  readonly name: string
  readonly project?: ProjectId
  readonly bytes: number
  readonly deleted: string
}

/** Where a model came from. */
export type Origin =
  | { readonly kind: 'import'; readonly from: string }
  | { readonly kind: 'run'; readonly run: RunKey; readonly recipe: string; readonly checkpoint?: string }

/** A model of a project. The file is content-addressed: the same bytes are there once. */
export interface ModelInfo {
  readonly model: ModelId
  readonly name: string
  readonly file: string
  readonly bytes: number
  readonly added: string
  readonly origin: Origin
  /** The model that it was made from. */
  readonly parent?: ModelId
  readonly producer?: string
  readonly opset?: number
  readonly inputs: readonly { readonly name: string; readonly type: string }[]
  readonly outputs: readonly { readonly name: string; readonly type: string }[]
  readonly nodes?: number
  readonly params?: number
  readonly macs?: number
  /** What was measured of it, by the run that made it or by an evaluation. */
  readonly measured?: Report
  /** It was linked, and the file is not where it was; or it cannot be read. */
  readonly problem?: WireError
}

/** A data set that a project knows. */
export interface DatasetInfo {
  readonly dataset: DatasetId
  readonly name: string
  /** What `--data` takes: a name or a path. */
  readonly reference: string
  readonly kind: 'named' | 'folder' | 'file'
  /** `MNIST (IDX)`, `image folder`, `CSV`. */
  readonly format: string
  readonly samples: Readonly<Record<string, number>>
  readonly classes?: readonly string[]
  /** Dims of one sample, `28 × 28 × 1`. */
  readonly shape?: readonly number[]
  readonly bytes?: number
  readonly hash?: string
  readonly linked: boolean
  readonly problem?: WireError
}

/** A recipe that can be run: built in, or a file of the project. */
export interface RecipeInfo {
  /** What `createRun` takes. */
  readonly recipe: string
  readonly name: string
  readonly title: string
  readonly kind: 'built in' | 'file'
  readonly steps: readonly string[]
  readonly yaml: string
}

/** What a run can be made of in a project. */
export interface Catalog {
  readonly recipes: readonly RecipeInfo[]
  /** Data sets by name; those that are not here must be added first. */
  readonly datasets: readonly {
    readonly id: string
    readonly title: string
    readonly source: string
    readonly present: boolean
  }[]
  /** Networks that come with Alambic. */
  readonly zoo: readonly {
    readonly id: string
    readonly title: string
    readonly input: readonly number[]
    readonly classes: number
    readonly params: number
    readonly macs: number
  }[]
}

/** One thing that a scan found. */
export interface Found {
  readonly id: string
  readonly kind: 'model' | 'dataset' | 'recipe' | 'unknown'
  readonly name: string
  /** From the dropped thing, with forward slashes. */
  readonly path: string
  /** `ONNX, opset 17`, `image folder, 10 classes`, `recipe of 3 steps`. */
  readonly format: string
  readonly bytes: number
  /** Files that belong to it: external weights, label files. */
  readonly companions: readonly string[]
  /** Files that it needs and that are not there. */
  readonly missing: readonly string[]
  /** What its bytes are in the project already. */
  readonly already?: ModelId
  /** What is known without opening it further. */
  readonly details: Report
  /** Why it cannot be imported as it is; the others still can. */
  readonly problem?: WireError
}

/** What a scan found, complete or until it was cancelled. */
export interface ScanReport {
  readonly scan: JobId
  readonly found: readonly Found[]
  /** Files that are nothing Alambic knows: counted, first ones named. */
  readonly ignored: { readonly count: number; readonly names: readonly string[] }
  readonly cancelled: boolean
}

export interface ImportReport {
  readonly imported: readonly { readonly id: string; readonly as: ModelId }[]
  readonly failed: readonly { readonly id: string; readonly error: WireError }[]
  readonly cancelled: boolean
}

/** One entry of a folder under a chosen root. */
export interface DirectoryEntry {
  readonly name: string
  readonly path: string
  readonly kind: 'folder' | 'file'
  readonly bytes?: number
}
