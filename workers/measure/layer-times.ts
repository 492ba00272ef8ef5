import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import type { LayerTimes } from '../protocol/studio/sheet.ts'
import type { Graph, Node } from '../graph/graph.ts'
import { randomInputs } from './latency.ts'

export interface LayerTimesOptions {
  readonly batch: number
  readonly runs: number
  readonly threads?: number | undefined
}

const WARM_RUNS = 5

/**
 * How long each node takes inside runs of the whole graph on random inputs, as onnxruntime's own profiler tells: what
 * the runtime joins (a convolution, its normalization and activation) counts at the node whose kernel it is.
 *
 * @throws AlambicError `latency.no-profile` when the runtime wrote nothing that can be read
 */
export async function layerTimes(graph: Graph, options: LayerTimesOptions): Promise<LayerTimes> {
  // Native code: only when it is asked for, and only in a worker process.
  const { compileOrt, ortCpu } = await import('../executors/ort/executor.ts')
  const { batch, runs, threads = availableParallelism() } = options
  const folder = await mkdtemp(join(tmpdir(), 'alambic-profile-'))
  try {
    const program = await compileOrt(graph, { threads, profile: join(folder, 'p') })
    const feeds = randomInputs(graph, batch)
    for (let i = 0; i < WARM_RUNS + runs; i++) await program.run(feeds)
    await program.dispose()
    const [file] = await readdir(folder)
    const events = file === undefined ? [] : (JSON.parse(await readFile(join(folder, file), 'utf8')) as ProfileEvent[])
    return { ...byNode(graph, events), runs, batch, threads, runtime: ortCpu.runtime }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What is used of an event of the profile: trace event format, durations in microseconds. */
export interface ProfileEvent {
  readonly cat: string
  readonly name: string
  readonly dur: number
  readonly args?: { readonly op_name?: string }
}

const ENDING = '_kernel_time'

/** Sums up a profile by node; the first runs, which allocate, are left out. */
export function byNode(
  graph: Graph,
  events: readonly ProfileEvent[],
): Pick<LayerTimes, 'ms' | 'inside' | 'otherMs' | 'totalMs'> {
  const kernels = new Map<string, { readonly op: string; readonly times: number[] }>()
  for (const { cat, name, dur, args } of events) {
    if (cat !== 'Node' || !name.endsWith(ENDING)) continue
    const key = name.slice(0, -ENDING.length)
    const known = kernels.get(key) ?? { op: args?.op_name ?? '', times: [] }
    known.times.push(dur / 1000)
    kernels.set(key, known)
  }
  if (kernels.size === 0) {
    throw new AlambicError('latency.no-profile', 'the runtime told nothing of its layers', {
      expected: 'a profile with kernels',
      found: `${events.length} events`,
    })
  }
  const places = new Places(graph)
  const ms = new Float64Array(graph.nodes.length).fill(Number.NaN)
  const inside = new Int32Array(graph.nodes.length).fill(-1)
  let [otherMs, totalMs] = [0, 0]
  for (const [name, { op, times }] of kernels) {
    const median = medianOf(times.slice(Math.min(WARM_RUNS, times.length - 1)))
    totalMs += median
    const chain = places.chain(name, op)
    const [first, ...joined] = chain
    if (first === undefined) otherMs += median
    else {
      ms[first] = (Number.isNaN(ms[first]) ? 0 : (ms[first] as number)) + median
      for (const node of joined) inside[node] = first
    }
  }
  return { ms, inside, otherMs, totalMs }
}

function medianOf(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[half] ?? 0) : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2
}

/** Nodes that the runtime may have joined behind another. */
const MOST_JOINED = 6

/** Finds the nodes of a graph by what the runtime calls its kernels. */
class Places {
  readonly #graph: Graph
  readonly #byName = new Map<string, Node>()
  readonly #index = new Map<Node, number>()

  constructor(graph: Graph) {
    this.#graph = graph
    graph.nodes.forEach((node, i) => {
      this.#index.set(node, i)
      if (node.name !== '') this.#byName.set(node.name, node)
    })
  }

  /**
   * The node whose kernel it is, then those that were joined to it. A joined kernel has the name of the last node or
   * of its value, with an ending; which node it begins with, its operator tells.
   */
  chain(name: string, op: string): readonly number[] {
    const last = this.#find(name)
    if (!last) return []
    const wanted = op.replace(/^(Nhwc)?Fused/, '')
    const back: Node[] = [last]
    while (back[0] && back[0].op !== wanted && back.length <= MOST_JOINED) {
      const before = this.#graph.producer(back[0].inputs[0] ?? '')
      if (!before) break
      back.unshift(before)
    }
    const nodes = back[0]?.op === wanted ? back : [last]
    return nodes.flatMap((node) => this.#index.get(node) ?? [])
  }

  #find(name: string): Node | undefined {
    for (const candidate of [name, name.replace(/_nchwc(_token_\d+)?$/, ''), name.replace(/_token_\d+$/, '')]) {
      const found = this.#byName.get(candidate) ?? this.#graph.producer(candidate)
      if (found) return found
    }
    return undefined
  }
}
