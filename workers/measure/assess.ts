import { readFile, stat } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { gzipSync } from 'node:zlib'
import { preprocessingFor, settingsHash, type Dataset, type Split } from '../datasets/index.ts'
import type { Graph, Model } from '../graph/graph.ts'
import { asTensor } from '../graph/types.ts'
import { readModel } from '../onnx/index.ts'
import { costOf } from '../ops/cost.ts'
import { evaluate, type Evaluation, type Where } from './accuracy.ts'
import { latencyOf, type Latency } from './latency.ts'
import { withPeakMemory } from './memory.ts'

/** What a model file costs, wherever it runs. */
export interface Size {
  /** Trained parameters. */
  readonly params: number
  /** Multiply-accumulates of one sample; absent where a shape is open. */
  readonly macs: number | undefined
  /** Bytes of the file, and of the file after gzip. */
  readonly bytes: number
  readonly gzipBytes: number
}

export interface Assessment extends Size {
  readonly latency: Latency
  /** Bytes of memory that loading the model and running it took at the peak, beyond the program's own. */
  readonly peakMemoryBytes: number
  /** Share of right answers on the test split, its standard error and its count; absent without labelled test data. */
  readonly accuracy?: number
  readonly accuracyError?: number
  readonly n?: number
  /** What was measured with: without it a number means little. */
  readonly provenance: Provenance
}

export interface Provenance {
  readonly executor: string
  readonly runtime: string
  readonly threads: number
  /** The processor, as it calls itself. */
  readonly processor: string
  readonly data?: string | undefined
  readonly dataHash?: string | undefined
  /** SHA-256 of how samples were preprocessed. */
  readonly preprocessing?: string | undefined
}

/** Parameters, multiply-accumulates at one sample, and bytes of a model file. */
export async function sizeOfFile(path: string, graph: Graph): Promise<Size> {
  const { params, macs } = costOf(graph, openDims(graph))
  const { size } = await stat(path)
  return { params, macs, bytes: size, gzipBytes: gzipSync(await readFile(path), { level: 6 }).byteLength }
}

/** Every symbolic dimension of the inputs as 1: the cost of a single sample. */
export function openDims(graph: Graph): Record<string, number> {
  const symbols = graph.requiredInputs
    .flatMap((v) => asTensor(v.type)?.shape ?? [])
    .filter((d) => typeof d === 'string')
  return Object.fromEntries(symbols.filter((s) => s !== '?').map((s) => [s, 1]))
}

export interface AssessOptions extends Where {
  readonly batch?: number
  readonly runs?: number
  readonly split?: keyof Dataset['splits']
}

/** Measures a written model: what it weighs, how long it takes, and how often it is right. */
export async function assess(path: string, data: Dataset | undefined, options: AssessOptions): Promise<Assessment> {
  const { model } = await readModel(path)
  const { graph } = model
  const threads = options.threads ?? availableParallelism()
  const { value: latency, bytes: peakMemoryBytes } = await withPeakMemory(() =>
    latencyOf(options.executor, graph, { batch: options.batch ?? 1, runs: options.runs ?? 50, threads }),
  )
  const split = data?.splits[options.split ?? 'test']
  const scored = data && split?.labels ? await score(model, data, split, options) : undefined
  return {
    ...(await sizeOfFile(path, graph)),
    latency,
    peakMemoryBytes,
    ...(scored ? { accuracy: scored.accuracy, accuracyError: scored.error, n: scored.n } : {}),
    provenance: {
      executor: options.executor.id,
      runtime: options.executor.runtime,
      threads,
      processor: cpus()[0]?.model.trim() ?? 'unknown',
      data: data?.id,
      dataHash: split?.hash,
      ...(scored && data ? { preprocessing: settingsHash(preprocessingFor(data, model)) } : {}),
    },
  }
}

const score = (model: Model, data: Dataset, split: Split, where: Where): Promise<Evaluation> =>
  evaluate(model.graph, split, preprocessingFor(data, model), where)
