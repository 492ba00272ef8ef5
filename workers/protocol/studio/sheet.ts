import type { WireError } from '../worker.ts'
import type { Words } from './recipe.ts'

/*
 * A model as the screens show it. Large models have tens of thousands of nodes, so what there is one of per node comes
 * in columns, and texts that repeat come once.
 */

/** A column of texts: `values[index[i]]` is that of row i. */
export interface Texts {
  readonly values: readonly string[]
  readonly index: Uint32Array
}

/** Numbers per node; NaN where there is none or it is unknown. */
export interface ModelSheet {
  readonly name: string
  readonly producer: string
  readonly opsets: Readonly<Record<string, number>>
  readonly inputs: readonly { readonly name: string; readonly type: string }[]
  readonly outputs: readonly { readonly name: string; readonly type: string }[]
  readonly count: number
  /** The node's name, or that of its first output. */
  readonly names: readonly string[]
  readonly ops: Texts
  /** Type of the first output: `f32[N,64,56,56]`. */
  readonly types: Texts
  /** `kernel_shape=[3,3] strides=[2,2]`. */
  readonly attributes: Texts
  /** Names and dims of the constants that it reads: `weight [64,3,7,7]`. */
  readonly weights: Texts
  readonly params: Float64Array
  /** Multiply-accumulates of one sample. */
  readonly macs: Float64Array
  /** Bytes of its weights as they are stored; shared ones count at their first reader. */
  readonly bytes: Float64Array
  /** Share of its weights' elements that are zero. */
  readonly sparsity: Float64Array
  /** Bits of an element of its largest weight. */
  readonly bits: Float64Array
  readonly edges: {
    /** Nodes by index; `-1 - i` is input i of the graph. */
    readonly from: Int32Array
    /** Nodes by index; `-1 - i` is output i of the graph. */
    readonly to: Int32Array
    /** Type of the value that flows. */
    readonly types: Texts
  }
  readonly totals: { readonly params: number; readonly macs?: number; readonly bytes: number }
  /** Why `totals.macs` is absent, in sentences. */
  readonly unknown: readonly string[]
  readonly trainable: { readonly parameters: number; readonly problem?: string }
}

/** One thing that a node reads. */
export interface NodeInput {
  readonly value: string
  readonly type: string
  /** The parameter's name in the operator's definition. */
  readonly role?: string
  readonly kind: 'value' | 'weight' | 'none'
}

/** A constant of a node, with what can be counted. */
export interface WeightFacts {
  readonly tensor: string
  readonly dtype: string
  readonly dims: readonly number[]
  readonly bytes: number
  readonly bits: number
  /** Absent for elements that are no real numbers. */
  readonly numbers?: {
    readonly min: number
    readonly max: number
    readonly mean: number
    readonly deviation: number
    readonly zeros: number
  }
  /** Signal over the noise of rounding, in dB, with one scale per output channel: at 8 and at 4 bits. */
  readonly noise?: readonly { readonly bits: number; readonly decibels: number }[]
}

export interface NodeFacts {
  readonly node: number
  readonly doc?: string
  readonly attributes: readonly { readonly name: string; readonly kind: string; readonly text: string }[]
  readonly inputs: readonly NodeInput[]
  readonly outputs: readonly { readonly value: string; readonly type: string }[]
  readonly weights: readonly WeightFacts[]
  /** Graphs inside it: branches, loop bodies. */
  readonly subgraphs: readonly { readonly name: string; readonly nodes: number }[]
}

/** Counts between edges: one more edge than counts. */
export interface Counts {
  readonly edges: Float64Array
  readonly counts: Float64Array
}

export interface WeightHistogram extends Counts {
  readonly tensor: string
  readonly axis: number
  /** Of each slice of the axis; at most `MOST_CHANNELS` of them, evenly chosen, `index` says which. */
  readonly channels: {
    readonly index: Uint32Array
    readonly of: number
    readonly min: Float64Array
    readonly max: Float64Array
    readonly mean: Float64Array
    /** Counts in the same bins, channel after channel. */
    readonly counts: Uint32Array
  }
}

export interface ActivationHistogram extends Counts {
  readonly value: string
  readonly min: number
  readonly max: number
  readonly mean?: number
}

export interface Activations {
  readonly node: number
  readonly values: readonly ActivationHistogram[]
  readonly samples: number
  readonly data: string
  readonly dataHash: string
  readonly runtime: string
}

/** How long each node takes inside a run of the whole model, as the runtime itself tells. */
export interface LayerTimes {
  /** Median milliseconds; NaN for a node that the runtime does not run by itself. */
  readonly ms: Float64Array
  /** For a node that the runtime has joined to another: that node; −1 for all others. */
  readonly inside: Int32Array
  /** Median milliseconds of what belongs to no node: changes of layout, casts. */
  readonly otherMs: number
  readonly totalMs: number
  readonly runs: number
  readonly batch: number
  readonly threads: number
  readonly runtime: string
}

/** Of the weights of each node, in dB; NaN for nodes without. */
export interface WeightNoise {
  readonly bits: readonly number[]
  /** One column for each entry of `bits`. */
  readonly decibels: readonly Float64Array[]
}

/** What one method can do with a model. */
export interface MethodReach {
  readonly step: string
  readonly title: Words
  readonly family: string
  readonly touches: Uint32Array
  /** Nodes that it cannot touch, by reason. */
  readonly refused: readonly { readonly reason: string; readonly nodes: Uint32Array }[]
  /** What stands against the whole method on this model. */
  readonly problems: readonly string[]
}

/** Channels that can only be cut together, as data: what `inspect --groups --json` and the studio show. */
export interface GroupFacts {
  readonly id: number
  readonly name: string
  readonly units: number
  readonly members: readonly {
    readonly tensor: string
    readonly axis: number
    readonly indices: number
    readonly use: string
  }[]
  /** One sentence for each join. */
  readonly because: readonly string[]
}

/** A group with the nodes that it touches. */
export interface CouplingGroup extends GroupFacts {
  readonly nodes: Uint32Array
}

export interface ModelReach {
  readonly methods: readonly MethodReach[]
  readonly groups: readonly CouplingGroup[]
  /** Why there are no groups. */
  readonly problem?: WireError
}
