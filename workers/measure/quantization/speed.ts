import { availableParallelism } from 'node:os'
import type { Executor, Program } from '../../executors/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import { randomInputs } from '../latency.ts'

/** Wall time of one inference, in milliseconds. */
export interface Timing {
  readonly medianMs: number
  readonly minMs: number
  readonly n: number
}

export interface SpeedOptions {
  readonly executor: Executor
  readonly threads: number | undefined
  readonly batch?: number
  readonly runs?: number
  /** Milliseconds after which no more rounds are begun. */
  readonly budgetMs?: number
}

const WARM_RUNS = 3

/**
 * Times graphs in turn, run by run, so that a machine that slows down slows all of them: only such pairs compare.
 * Inputs are random, of batch 1 unless told.
 */
export async function timeInTurn(graphs: readonly Graph[], options: SpeedOptions): Promise<readonly Timing[]> {
  const { executor, threads = availableParallelism(), batch = 1, runs = 31, budgetMs = 4000 } = options
  const programs: Program[] = []
  try {
    for (const graph of graphs) programs.push(await executor.compile(graph, { threads, reuseOutputs: true }))
    const feeds = graphs.map((graph) => randomInputs(graph, batch))
    const times = graphs.map((): number[] => [])
    const began = performance.now()
    for (let run = -WARM_RUNS; run < runs && (run < 5 || performance.now() - began < budgetMs); run++) {
      for (const [i, program] of programs.entries()) {
        const started = performance.now()
        await program.run(feeds[i] ?? {})
        if (run >= 0) times[i]?.push(performance.now() - started)
      }
    }
    return times.map(timing)
  } finally {
    for (const program of programs) await program.dispose()
  }
}

function timing(times: readonly number[]): Timing {
  const sorted = times.toSorted((a, b) => a - b)
  return { medianMs: sorted[sorted.length >> 1] ?? 0, minMs: sorted[0] ?? 0, n: sorted.length }
}
