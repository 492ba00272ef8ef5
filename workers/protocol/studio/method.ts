import type { Pairing } from '../files/methods.ts'
import type { WireError } from '../worker.ts'

/** Both nets of a step `distil` and what its losses compare; `problem` says why nothing fits. */
export type PairingPreview = Pairing & { readonly problem?: WireError }

/** Milliseconds of one inference of one sample. */
export interface Timing {
  readonly medianMs: number
  readonly minMs: number
}

/** A net that could be a model's student, before any training. */
export interface StudentRow {
  /** As the step `distil` takes it: `thin:0.5`, `mobilenet-v2@0.5`. */
  readonly student: string
  /** In English. */
  readonly title: string
  /** Of the teacher's own graph; else of the zoo. */
  readonly made: boolean
  readonly params: number
  readonly macs?: number
  /** Measured here; absent unless it was asked for. */
  readonly latency?: Timing
}

export interface Students {
  readonly teacher: { readonly params: number; readonly macs?: number; readonly latency?: Timing }
  readonly students: readonly StudentRow[]
  /** Those that this model is not made for, with the reason. */
  readonly refused: readonly { readonly student: string; readonly because: string }[]
}

/** The whole model with one layer at other ranks. */
export interface RankTimes {
  readonly before: { readonly params: number; readonly macs?: number; readonly latency: Timing }
  readonly points: readonly {
    readonly ranks: readonly number[]
    readonly params: number
    readonly macs?: number
    readonly latency: Timing
  }[]
}
