import type { Executor, Program } from '../executors/executor.ts'
import type { Graph } from '../graph/graph.ts'
import { byteLength } from '../graph/dtype.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { sizeOf, tensorOf, type Tensor } from '../graph/tensor.ts'
import { asTensor } from '../graph/types.ts'
import { AlambicError } from '../protocol/errors.ts'

/** Wall times of one inference, in milliseconds, after warm-up. */
export interface Latency {
  readonly medianMs: number
  /** 95 % confidence interval of the median, whatever the times' distribution. */
  readonly medianInterval: readonly [number, number]
  readonly p95Ms: number
  readonly minMs: number
  readonly n: number
  readonly batch: number
  readonly threads: number
  /** Runs before the timed ones. */
  readonly warmUpRuns: number
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
  const [latency] = await latenciesInTurn(executor, [graph], options)
  return latency as Latency
}

/**
 * Times several graphs run by run in turn, so that a machine that slows down slows all of them: only such times
 * compare.
 */
export async function latenciesInTurn(
  executor: Executor,
  graphs: readonly Graph[],
  options: LatencyOptions,
): Promise<readonly Latency[]> {
  const { batch, runs, threads } = options
  const programs: Program[] = []
  try {
    for (const graph of graphs) programs.push(await executor.compile(graph, { threads, reuseOutputs: true }))
    const feeds = graphs.map((graph) => randomInputs(graph, batch))
    const once = async (i: number) => {
      const started = performance.now()
      await programs[i]?.run(feeds[i] ?? {})
      return performance.now() - started
    }
    const warmUps = graphs.map(() => 0)
    for (const [i, graph] of graphs.entries()) {
      warmUps[i] = await warmUp(() => once(i)).catch((cause: unknown) => {
        throw openSizes(graph, cause) ?? cause
      })
    }
    const times = graphs.map((): number[] => [])
    for (let run = 0; run < runs; run++) for (const i of graphs.keys()) times[i]?.push(await once(i))
    return times.map((own, i) => ({ ...summarize(own), batch, threads, warmUpRuns: warmUps[i] ?? 0 }))
  } finally {
    for (const program of programs) await program.dispose()
  }
}

/** Why a model with open sizes beside the batch may fail on inputs that were made up. */
function openSizes(graph: Graph, cause: unknown): AlambicError | undefined {
  const dims = graph.requiredInputs.flatMap(({ type }) => asTensor(type)?.shape?.slice(1) ?? [])
  const open = [...new Set(dims.filter((dim) => typeof dim === 'string'))]
  if (open.length === 0 || !(cause instanceof AlambicError)) return undefined
  return new AlambicError(
    'model.open-sizes',
    `the model can not be measured with ${open.map((d) => `"${d}"`).join(' and ')} as 1`,
    {
      subject: open[0],
      expected: 'sizes that the model works with',
      found: cause.found ?? cause.message,
      fix: `Fix them first: alambic specialize --dim ${open[0] ?? ''}=…`,
      cause,
    },
  )
}

async function warmUp(once: () => Promise<number>): Promise<number> {
  const began = performance.now()
  let runs = 0
  for (; runs < WARM_RUNS || performance.now() - began < WARM_MS; runs++) await once()
  return runs
}

type Summary = Pick<Latency, 'medianMs' | 'medianInterval' | 'p95Ms' | 'minMs' | 'n'>

/**
 * Median, 95th percentile and least of some times. The median's interval is between two order statistics, by the normal
 * approximation of the binomial (Le Boudec 2010, "Performance Evaluation of Computer and Communication Systems",
 * theorem 2.1).
 */
export function summarize(times: readonly number[]): Summary {
  const sorted = times.toSorted((a, b) => a - b)
  const n = sorted.length
  const at = (i: number) => sorted[Math.max(0, Math.min(n - 1, i))] as number
  const half = n / 2
  const median = n % 2 ? at(Math.floor(half)) : (at(half - 1) + at(half)) / 2
  const spread = 0.98 * Math.sqrt(n)
  return {
    medianMs: median,
    medianInterval: [at(Math.floor(half - spread) - 1), at(Math.ceil(half + spread))],
    p95Ms: at(Math.floor(0.95 * n)),
    minMs: at(0),
    n,
  }
}

/** Inputs of the right shapes: normal noise for floats, zeros for all else. Open dimensions get the batch first, then 1. */
export function randomInputs(graph: Graph, batch: number, seed = 42): Record<string, Tensor> {
  return Object.fromEntries(
    graph.requiredInputs.map(({ name, type }) => {
      const tensor = asTensor(type)
      const dims = (tensor?.shape ?? []).map((d, axis) => (typeof d === 'number' ? d : axis === 0 ? batch : 1))
      const dtype = tensor?.dtype ?? 'f32'
      if (dtype !== 'f32') return [name, { dtype, dims, bytes: new Uint8Array(byteLength(dtype, sizeOf(dims))) }]
      const random = mulberry32(seed)
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
