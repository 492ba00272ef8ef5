import type { Graph } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'

/** Tensors by value name. */
export type Tensors = Readonly<Record<string, Tensor>>

/** A value that stays where the program runs: what it puts out under `output` is what it reads as `input` next time. */
export interface StateLink {
  readonly input: string
  readonly output: string
}

export interface CompileOptions {
  /** State that stays resident between runs; it must be written once before the first run. */
  readonly state?: readonly StateLink[]
  /** Threads inside one operator; the executor's own default when absent. */
  readonly threads?: number
  /**
   * True for a graph that runs many times with the same shapes (a training step): outputs are allocated once and
   * reused, so a caller must copy what it wants to keep beyond the next run.
   */
  readonly reuseOutputs?: boolean
  /** Take little memory, for a few percent of the time. */
  readonly compact?: boolean
}

/** A compiled graph. Not reentrant: one run at a time. */
export interface Program {
  /** Feeds are the graph's inputs but for state and those with default values; results are its outputs but for state. */
  run(feeds: Tensors): Promise<Tensors>
  /**
   * Several runs one after the other, whose results are read once they are all done. Present where the device works
   * beside this process, and waiting for it after each run would leave it idle.
   */
  runAll?(feeds: readonly Tensors[]): Promise<readonly Tensors[]>
  /** A copy of the resident state, by input name. */
  readState(): Promise<Tensors>
  writeState(state: Tensors): Promise<void>
  dispose(): Promise<void>
}

/** A program without state that runs beside others. */
export interface AsideProgram extends Program {
  /** How long all runs took by themselves; the time between asking and answering includes other work. */
  readonly milliseconds: number
}

/** Something that runs graphs. The reference executor is the definition; the others agree with it. */
export interface Executor {
  /** `reference`, `ort-cpu`, `ort-webgpu`, … */
  readonly id: string
  /** Runtime name and version, for provenance: `onnxruntime 1.30.0`. */
  readonly runtime: string
  compile(graph: Graph, options?: CompileOptions): Promise<Program>
  /** The same in a thread of its own, so that it works while other programs do; absent where runs never block. */
  compileAside?(graph: Graph, options?: CompileOptions): Promise<AsideProgram>
}
