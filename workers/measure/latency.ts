import type { Executor } from '../executors/executor.ts'
import type { Graph } from '../graph/graph.ts'
import { byteLength } from '../graph/dtype.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { sizeOf, tensorOf, type Tensor } from '../graph/tensor.ts'
import { asTensor } from '../graph/types.ts'

/** Wall times of one inference, in milliseconds, after warm-up. */
export interface Latency {
  readonly medianMs: number
  readonly p95Ms: number
  readonly minMs: number
  readonly n: number
  readonly batch: number
  readonly threads: number
}

export interface LatencyOptions {
  readonly batch: number
  readonly runs: number
  readonly threads: number
}

/** Warm up for at least this many runs and milliseconds: the first ones allocate and tune. */
const WARM_RUNS = 5
const WARM_MS = 150

/** Times single inferences on random inputs. */
export async function latencyOf(executor: Executor, graph: Graph, options: LatencyOptions): Promise<Latency> {
  const program = await executor.compile(graph, { threads: options.threads, reuseOutputs: true })
  try {
    const feeds = randomInputs(graph, options.batch)
    const once = async () => {
      const started = performance.now()
      await program.run(feeds)
      return performance.now() - started
    }
    const began = performance.now()
    for (let i = 0; i < WARM_RUNS || performance.now() - began < WARM_MS; i++) await once()
    const times: number[] = []
    for (let i = 0; i < options.runs; i++) times.push(await once())
    return { ...summarize(times), batch: options.batch, threads: options.threads }
  } finally {
    await program.dispose()
  }
}

function summarize(times: number[]): Pick<Latency, 'medianMs' | 'p95Ms' | 'minMs' | 'n'> {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] as number
  const half = sorted.length / 2
  const median = sorted.length % 2 ? at(0.5) : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2
  return { medianMs: median, p95Ms: at(0.95), minMs: sorted[0] as number, n: sorted.length }
}

/** Inputs of the right shapes: normal noise for floats, zeros for all else. Open dimensions get the batch first, then 1. */
export function randomInputs(graph: Graph, batch: number): Record<string, Tensor> {
  return Object.fromEntries(
    graph.requiredInputs.map(({ name, type }) => {
      const tensor = asTensor(type)
      const dims = (tensor?.shape ?? []).map((d, axis) => (typeof d === 'number' ? d : axis === 0 ? batch : 1))
      const dtype = tensor?.dtype ?? 'f32'
      if (dtype !== 'f32') return [name, { dtype, dims, bytes: new Uint8Array(byteLength(dtype, sizeOf(dims))) }]
      const random = mulberry32(42)
      return [
        name,
        tensorOf(
          'f32',
          dims,
          Float32Array.from({ length: sizeOf(dims) }, () => gaussian(random)),
        ),
      ]
    }),
  )
}
