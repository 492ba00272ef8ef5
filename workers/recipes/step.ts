import type { z } from 'zod'
import type { Dataset } from '../datasets/index.ts'
import type { Executor, Tensors } from '../executors/executor.ts'
import type { Model } from '../graph/graph.ts'
import type { AlambicError } from '../protocol/errors.ts'
import type { Progress } from '../protocol/worker.ts'
import { pages, type MethodId } from './help/index.ts'
import type { Costs } from './optimize/target.ts'

/** Everything that a step needs to go on exactly where it was: kept by the journal as a checkpoint. */
export interface Snapshot {
  /** Steps done. */
  readonly step: number
  /** Named tensors: the resident state, the best weights so far. */
  readonly tensors: Tensors
  /** Small facts beside them (the best score, history of evaluations); must survive JSON. */
  readonly facts: Readonly<Record<string, unknown>>
}

/** Where a step leaves its trace; the run folder implements it (`workers/jobs`). */
export interface Journal {
  /** The last snapshot that an earlier process of this run saved in this step. */
  resume(): Promise<Snapshot | undefined>
  /** Writes a checkpoint atomically. */
  save(snapshot: Snapshot): Promise<void>
  /** True when it is time for a periodic checkpoint. */
  due(): boolean
  /** Appends one row of numbers to a stream (`train`, `evaluation`); rows after a resumed snapshot are dropped first. */
  metrics(stream: string, columns: readonly string[], row: readonly number[]): void
  event(kind: string, data: Readonly<Record<string, unknown>>): void
  progress(progress: Progress): void
}

/** What a recipe step works with. */
export interface StepContext {
  /** What the step before it made, or the run's input. */
  readonly model: Model
  /** The run's unmodified input: the natural teacher of whatever is made of it. */
  readonly source: Model
  readonly data: Dataset
  readonly seed: number
  readonly threads: number | undefined
  readonly executor: Executor
  readonly journal: Journal
  /** Opens another model that the options name: a file, or a zoo id. */
  readonly open: (reference: string) => Promise<Model>
  /** True once the person asked to stop: finish the step at hand, keep the best, return. */
  readonly stopping: () => boolean
  /** For a step that tries recipes out; absent where a step is only asked for its model. */
  readonly trials?: TrialRunner & { readonly folder: string }
}

/** Runs whole recipes in folders of their own, and measures what they make. */
export interface TrialRunner {
  /** Goes on with what is in the folder. `made`: it has a model of it; `refused`: why the model is not made for it. */
  run(
    steps: readonly object[],
    model: string,
    folder: string,
    progress?: (progress: Progress) => void,
  ): Promise<{ readonly made: boolean; readonly refused?: AlambicError }>
  costs(path: string): Promise<Costs>
}

export interface StepResult {
  readonly model: Model
  /** What the step says of itself: JSON, shown to the person and kept with the run. */
  readonly report: Readonly<Record<string, unknown>>
  readonly stopped?: boolean
  /** More files, by name and in pieces: kept with the step; those of the last steps lie beside the resulting model. */
  readonly artifacts?: Readonly<Record<string, readonly Uint8Array[]>>
}

/** A method, described once: command line, forms, help, defaults and the recipe schema come from this. */
export interface StepDescription<Options extends z.ZodType = z.ZodType> {
  readonly id: string
  readonly family: 'training' | 'distillation' | 'pruning' | 'quantization' | 'factorization' | 'clustering' | 'search'
  /** In English; `pages` has both languages and more. */
  readonly title: string
  readonly help: string
  /** The paper or specification it follows. */
  readonly source: string
  readonly options: Options
  /** Problems that would surface later, found before anything runs: one sentence each. */
  readonly preflight?: (model: Model, options: z.output<Options>) => readonly string[]
  readonly run: (context: StepContext, options: z.output<Options>) => Promise<StepResult>
}

/**
 * Keeps the options' type between the schema and `run`. What is said of a method is in the table of `help`, by its id:
 * every shell shows the same words, in both languages.
 */
export const step = <Options extends z.ZodType>({
  id,
  ...description
}: Omit<StepDescription<Options>, 'id' | 'title' | 'help'> & { readonly id: MethodId }): StepDescription<Options> => ({
  id,
  title: pages[id].title.en,
  help: pages[id].help.en,
  ...description,
})
