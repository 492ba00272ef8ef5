import { AlambicError } from '../../protocol/errors.ts'
import type { ActivationHistogram, Activations } from '../../protocol/studio/sheet.ts'
import { evaluationLoader, openDataset, preprocessingFor, subset, type Split } from '../../datasets/index.ts'
import type { Executor } from '../../executors/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import { asTensor } from '../../graph/types.ts'
import { calibrate, type CalibrationBatch } from '../../measure/calibrate/index.ts'
import { nodeAt, type Opened } from './open.ts'

export interface ActivationsOptions {
  readonly node: number
  readonly data: string
  readonly samples: number
  readonly executor: Executor
  readonly threads?: number | undefined
  readonly onProgress: (share: number) => void
}

const BATCH = 16
const BINS = 160
const SEED = 42

/** How the outputs of one node are distributed over samples of a data set, preprocessed as for the model. */
export async function activationsOf(opened: Opened, options: ActivationsOptions): Promise<Activations> {
  const { graph, model } = opened
  const node = nodeAt(opened, options.node)
  const values = node.outputs.filter((name) => name !== '' && asTensor(graph.type(name))?.dtype === 'f32')
  if (values.length === 0) {
    throw new AlambicError('model.no-activations', 'this node puts out no float32 values', {
      subject: node.name,
      expected: 'a float32 output',
      found: node.outputs.map((name) => asTensor(graph.type(name))?.dtype ?? 'unknown').join(', '),
      fix: 'Choose a node before the quantization, or one that computes in float32.',
    })
  }
  const data = await openDataset(options.data)
  const split = data.splits.train ?? data.splits.validation ?? data.splits.test
  if (!split) throw new AlambicError('data.empty', `the data set "${data.id}" has no samples`, { subject: data.id })
  const { executor, threads, onProgress } = options
  const { batches, count } = batchesOf(graph, split, preprocessingFor(data, model), options.samples)
  const found = await calibrate(executor, graph, values, batches, {
    method: 'percentile',
    bins: BINS,
    threads,
    expected: Math.ceil(count / BATCH),
    onProgress,
  })
  const rows = values.flatMap((value): ActivationHistogram[] => {
    const range = found.ranges.get(value)
    if (!range?.histogram) return []
    const { observed, histogram } = range
    return [{ value, min: observed.min, max: observed.max, ...trimmed(histogram, observed) }]
  })
  return {
    node: options.node,
    values: rows,
    samples: count,
    data: data.id,
    dataHash: split.hash,
    runtime: executor.runtime,
  }
}

function batchesOf(
  graph: Graph,
  split: Split,
  preprocessing: ReturnType<typeof preprocessingFor>,
  samples: number,
): { readonly batches: () => AsyncIterable<CalibrationBatch>; readonly count: number } {
  const [input] = graph.requiredInputs
  const fixed = asTensor(input?.type)?.shape?.[0]
  const batch = typeof fixed === 'number' ? fixed : BATCH
  const count = Math.max(batch, Math.floor(Math.min(samples, split.count) / batch) * batch)
  const loader = evaluationLoader(subset(split, count, SEED), { batch, preprocessing })
  return {
    count,
    async *batches() {
      for (let i = 0; i < loader.stepsPerEpoch; i++) {
        const { x } = await loader.batchAt(i)
        yield { feeds: { [input?.name ?? '']: x }, first: i * batch }
      }
    },
  }
}

/** Without the empty bins on the side where nothing was seen: after a Relu that is half of them. */
function trimmed(
  histogram: { readonly counts: Float64Array; readonly bins: number; edge: (bin: number) => number },
  { min, max }: { readonly min: number; readonly max: number },
): { readonly edges: Float64Array; readonly counts: Float64Array } {
  const { counts, bins } = histogram
  let [from, to] = [0, bins]
  while (from < bins - 1 && histogram.edge(from + 1) <= min && counts[from] === 0) from++
  while (to > from + 1 && histogram.edge(to - 1) >= max && counts[to - 1] === 0) to--
  return {
    edges: Float64Array.from({ length: to - from + 1 }, (_, i) => histogram.edge(from + i)),
    counts: counts.slice(from, to),
  }
}
