import type { Executor, Program, Tensors } from '../../executors/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import { nodeLabel } from '../../graph/graph.ts'
import { extract, Rewriter } from '../../graph/rewrite.ts'
import { arrayOf, sizeOf, type Tensor } from '../../graph/tensor.ts'
import { asTensor } from '../../graph/types.ts'
import { AlambicError } from '../../protocol/errors.ts'
import type { AffineOptions, QuantType, Range } from '../../passes/index.ts'
import { Histogram } from './histogram.ts'
import { entropyRange, leastSquaresRange, percentileRange } from './thresholds.ts'
import { memoryGroups } from '../memory-groups.ts'

export const calibrationMethods = ['min-max', 'moving-average', 'percentile', 'entropy', 'mse'] as const
export type CalibrationMethod = (typeof calibrationMethods)[number]

/** Some samples as the graph's inputs. */
export interface CalibrationBatch {
  readonly feeds: Tensors
  /** Position of its first sample, for messages. */
  readonly first: number
}

/** The calibration samples from the start, each time it is called: histogram methods read them twice. */
export type CalibrationData = () => AsyncIterable<CalibrationBatch>

export interface CalibrationOptions {
  readonly method: CalibrationMethod
  /** What the ranges are for; the MSE method needs to know. */
  readonly type?: QuantType
  readonly affine?: AffineOptions
  /** Share of |x| that a percentile keeps, in percent. */
  readonly percentile?: number
  readonly bins?: number
  /** Groups of the entropy method. */
  readonly quantizedBins?: number
  /** Weight of a new batch in a moving average. */
  readonly averaging?: number
  /** Bytes of activations that one run may put out. */
  readonly memory?: number
  readonly threads?: number | undefined
  /** How many batches are to come, for the progress. */
  readonly expected?: number
  /** Called after every run with the share that is done, 0 to 1. */
  readonly onProgress?: (share: number) => void
}

/** The range of a value that quantization should use, and what was seen. */
export interface Calibrated extends Range {
  readonly observed: Range
  /** Counts in equal bins over [−limit, limit]; absent where the method needs none. */
  readonly histogram?: Histogram
}

export interface Calibration {
  readonly ranges: ReadonlyMap<string, Calibrated>
  readonly batches: number
}

const DEFAULT_MEMORY = 128 * 2 ** 20
const usesHistogram = (method: CalibrationMethod) => method !== 'min-max' && method !== 'moving-average'

/**
 * Finds the ranges of float32 values of a graph over samples. Extremes are reduced inside the graph, so a first pass
 * brings back three numbers per value and batch. Methods that look at the distribution make a second pass, with the
 * values themselves as outputs, a group at a time so that no more than `memory` bytes are alive: memory is constant in
 * the number of samples, and nothing of a batch is kept.
 *
 * @throws AlambicError `calibrate.no-data`, or `calibrate.not-finite` naming the node and the sample
 */
export async function calibrate(
  executor: Executor,
  graph: Graph,
  values: readonly string[],
  data: CalibrationData,
  options: CalibrationOptions,
): Promise<Calibration> {
  const passes = usesHistogram(options.method) ? 2 : 1
  const progress = (pass: number) => (share: number) => options.onProgress?.((pass + share) / passes)
  const { ranges: observed, batches } = await findExtremes(executor, graph, values, data, options, progress(0))
  if (passes === 1) {
    return { batches, ranges: new Map([...observed].map(([name, range]) => [name, { ...range, observed: range }])) }
  }
  const histograms = await countValues(executor, graph, observed, data, { ...options, batches }, progress(1))
  const ranges = [...observed].map(([name, range]) => {
    const histogram = histograms.get(name) as Histogram
    return [name, { ...clipped(histogram, range, options), observed: range, histogram }] as const
  })
  return { batches, ranges: new Map(ranges) }
}

function clipped(histogram: Histogram, observed: Range, options: CalibrationOptions): Range {
  if (observed.min === 0 && observed.max === 0) return observed
  if (options.method === 'entropy') return entropyRange(histogram, observed, options.quantizedBins)
  if (options.method === 'mse') {
    return leastSquaresRange(histogram, observed, options.type ?? 'u8', options.affine ?? {})
  }
  return percentileRange(histogram, observed, options.percentile ?? 99.999, options.affine?.symmetric ?? true)
}

const reducers = ['ReduceMin', 'ReduceMax', 'ReduceSum'] as const
const tapName = (value: string, op: string) => `${value}/${op}`

/** The graph with the extremes and the sum of every value as its only outputs. */
export function withReductions(graph: Graph, values: readonly string[]): Graph {
  const part = extract(graph, inputsOf(graph), values)
  const rewriter = new Rewriter(part)
  for (const value of values) {
    for (const op of reducers) {
      const name = rewriter.builder.op(op, [value], { keepdims: 0 }, { names: [tapName(value, op)] })
      rewriter.builder.types.set(name, { kind: 'tensor', dtype: 'f32', shape: [] })
      rewriter.builder.output(name)
    }
    rewriter.removeOutput(value)
  }
  return rewriter.apply()
}

const inputsOf = (graph: Graph): string[] => graph.requiredInputs.map((v) => v.name)

async function findExtremes(
  executor: Executor,
  graph: Graph,
  values: readonly string[],
  data: CalibrationData,
  options: CalibrationOptions,
  onProgress: (share: number) => void,
): Promise<{ ranges: Map<string, Range>; batches: number }> {
  const program = await compile(executor, withReductions(graph, values), options)
  const ranges = new Map<string, Range>()
  let batches = 0
  try {
    for await (const batch of data()) {
      const results = await program.run(batch.feeds)
      const suspects: string[] = []
      for (const value of values) {
        const [min, max, sum] = reducers.map((op) => scalarOf(results[tapName(value, op)]))
        const isFinite = Number.isFinite(sum) && Number.isFinite(min) && Number.isFinite(max)
        if (!isFinite) suspects.push(value)
        ranges.set(value, merge(ranges.get(value), { min: min as number, max: max as number }, options))
      }
      if (suspects.length > 0) await findCulprit(executor, graph, suspects, batch, options)
      batches++
      onProgress(batches / Math.max(batches, options.expected ?? batches + 1))
    }
  } finally {
    await program.dispose()
  }
  if (batches === 0) {
    throw new AlambicError('calibrate.no-data', 'there are no samples to calibrate with', {
      expected: 'at least one sample',
      found: 'none',
      fix: 'Give data with --data.',
    })
  }
  return { ranges, batches }
}

const scalarOf = (tensor: Tensor | undefined): number => (tensor ? ((arrayOf(tensor) as Float32Array)[0] ?? NaN) : NaN)

function merge(old: Range | undefined, now: Range, { method, averaging = 0.01 }: CalibrationOptions): Range {
  if (!old) return now
  if (method !== 'moving-average') return { min: Math.min(old.min, now.min), max: Math.max(old.max, now.max) }
  return { min: old.min + averaging * (now.min - old.min), max: old.max + averaging * (now.max - old.max) }
}

/** Sums may overflow where every element is finite, so the elements themselves decide. */
async function findCulprit(
  executor: Executor,
  graph: Graph,
  suspects: readonly string[],
  { feeds, first }: CalibrationBatch,
  options: CalibrationOptions,
): Promise<void> {
  for (const value of suspects) {
    const tensor = feeds[value] ?? (await computed(executor, graph, value, feeds, options))
    const elements = arrayOf(tensor) as Float32Array
    const at = elements.findIndex((v) => !Number.isFinite(v))
    if (at < 0) continue
    const sample = first + Math.floor(at / sizeOf(tensor.dims.slice(1)))
    const node = graph.producer(value)
    throw new AlambicError(
      'calibrate.not-finite',
      `${node ? nodeLabel(node) : `the input "${value}"`} puts out ${elements[at]} for calibration sample ${sample}`,
      {
        subject: node?.name ?? value,
        expected: 'finite numbers',
        found: `${elements[at]} in "${value}", sample ${sample}`,
        fix: 'Check that sample and its preprocessing; leave the node in float if its values are meant to be infinite.',
      },
    )
  }
}

async function computed(
  executor: Executor,
  graph: Graph,
  value: string,
  feeds: Tensors,
  options: CalibrationOptions,
): Promise<Tensor> {
  const program = await compile(executor, extract(graph, inputsOf(graph), [value]), options)
  try {
    return (await program.run(feeds))[value] as Tensor
  } finally {
    await program.dispose()
  }
}

const compile = (executor: Executor, graph: Graph, { threads }: CalibrationOptions): Promise<Program> =>
  executor.compile(graph, threads === undefined ? {} : { threads })

async function countValues(
  executor: Executor,
  graph: Graph,
  observed: ReadonlyMap<string, Range>,
  data: CalibrationData,
  options: CalibrationOptions & { batches: number },
  onProgress: (share: number) => void,
): Promise<Map<string, Histogram>> {
  const histograms = new Map(
    [...observed].map(([name, { min, max }]) => [
      name,
      new Histogram(Math.max(Math.abs(min), Math.abs(max)), options.bins ?? 2048),
    ]),
  )
  const [batch, memory] = [await firstBatchSize(data), options.memory ?? DEFAULT_MEMORY]
  const groups = memoryGroups([...observed.keys()], (value) => bytesOf(graph, value, batch, memory), memory)
  for (const [g, group] of groups.entries()) {
    const outputs = group.filter((value) => graph.producer(value))
    const program =
      outputs.length > 0 ? await compile(executor, extract(graph, inputsOf(graph), outputs), options) : undefined
    try {
      let done = 0
      for await (const { feeds } of data()) {
        const results = { ...feeds, ...(await program?.run(feeds)) }
        for (const value of group) histograms.get(value)?.add(arrayOf(results[value] as Tensor) as Float32Array)
        onProgress((g + ++done / options.batches) / groups.length)
      }
    } finally {
      await program?.dispose()
    }
  }
  return histograms
}

async function firstBatchSize(data: CalibrationData): Promise<number> {
  for await (const { feeds } of data()) return Object.values(feeds)[0]?.dims[0] ?? 1
  return 1
}

/** Bytes of a value for a batch; a value of unknown shape takes an eighth of the room. */
function bytesOf(graph: Graph, value: string, batch: number, memory: number): number {
  const shape = asTensor(graph.type(value))?.shape
  const dims = shape?.map((d, axis) => (typeof d === 'number' ? d : axis === 0 ? batch : NaN))
  const bytes = dims ? 4 * sizeOf(dims) : NaN
  return Number.isNaN(bytes) ? memory / 8 : bytes
}

/** How many samples may run at once so that all values of interest fit the memory: at least 1, at most `most`. */
export function calibrationBatch(
  graph: Graph,
  values: readonly string[],
  most: number,
  memory: number = DEFAULT_MEMORY,
): number {
  const each = values.reduce((sum, value) => sum + bytesOf(graph, value, 1, memory), 0)
  return Math.max(1, Math.min(most, Math.floor(memory / Math.max(1, each))))
}
