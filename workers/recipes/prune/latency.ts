import { attributesOf } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { sizeOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { asTensor, staticShape } from '../../graph/types.ts'
import type { Where } from '../../measure/accuracy.ts'
import { openDims } from '../../measure/assess.ts'
import { latencyOf } from '../../measure/latency.ts'
import { bindDims } from '../../ops/bind.ts'
import { inferTypes } from '../../ops/infer.ts'
import { cut } from '../../passes/prune/cut.ts'
import type { Groups } from '../../passes/prune/groups.ts'
import { plan, type PlanOptions, type Scores } from '../../passes/prune/plan.ts'
import { AlambicError } from '../../protocol/errors.ts'

/** Operators whose time depends on channels enough to be measured one by one. */
const measured: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'LSTM', 'GRU', 'RNN'])

const RUNS = 15

/** Milliseconds of single layers on this machine, by operator, attributes and shapes; each is measured once. */
export class LatencyTable {
  readonly #where: Where
  readonly #known = new Map<string, number>()
  #idle: number | undefined

  constructor(where: Where) {
    this.#where = where
  }

  get size(): number {
    return this.#known.size
  }

  /** The sum over the layers of a graph; shapes are all that counts. */
  async layersOf(graph: Graph): Promise<number> {
    const bound = bindDims(graph, openDims(graph))
    let sum = 0
    for (const node of bound.nodes) if (measured.has(node.op)) sum += await this.#layer(bound, node)
    return sum
  }

  /** The median of a whole model. */
  async whole(graph: Graph): Promise<number> {
    return this.#median(graph, 2 * RUNS)
  }

  async #layer(graph: Graph, node: Node): Promise<number> {
    const single = alone(graph, node)
    if (!single) return 0
    const key = keyOf(graph, node)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const time = Math.max(0, (await this.#median(single, RUNS)) - (await this.#overhead()))
    this.#known.set(key, time)
    return time
  }

  /** What any run takes, whatever it computes. */
  async #overhead(): Promise<number> {
    return (this.#idle ??= await this.#median(parse('graph (x: f32[1]) -> (y: f32[1]) { y = Identity(x) }'), 2 * RUNS))
  }

  async #median(graph: Graph, runs: number): Promise<number> {
    const { executor, threads = 1 } = this.#where
    return (await latencyOf(executor, graph, { batch: 1, runs, threads })).medianMs
  }
}

function keyOf(graph: Graph, node: Node): string {
  const shapes = node.inputs.map((name) => staticShape(graph.type(name))?.join('x') ?? '')
  const attributes = Object.entries(attributesOf(node)).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return [node.op, ...shapes, ...attributes].join(' ')
}

/** A graph of one node, its constants with small numbers; undefined where a shape is open. */
function alone(graph: Graph, node: Node): Graph | undefined {
  const initializers = new Map<string, Tensor>()
  const inputs = []
  for (const name of new Set(node.inputs)) {
    if (name === '') continue
    const dims = staticShape(graph.type(name))
    const dtype = asTensor(graph.type(name))?.dtype
    if (!dims || dtype !== 'f32') return undefined
    if (graph.initializers.has(name))
      initializers.set(name, tensorOf('f32', dims, new Float32Array(sizeOf(dims)).fill(0.01)))
    else inputs.push({ name, type: { kind: 'tensor', dtype, shape: dims } as const })
  }
  const outputs = node.outputs.filter((o) => o !== '').map((name) => ({ name, type: { kind: 'unknown' } as const }))
  return inferTypes(graph.with({ inputs, outputs, nodes: [node], initializers, types: new Map() }))
}

export interface LatencySolution {
  readonly ratio: number
  /** What the table says of the model that the ratio gives, in milliseconds. */
  readonly predictedMs: number
  readonly limitMs: number
  /** Shapes of layers that were measured. */
  readonly layers: number
}

/**
 * The smallest ratio whose predicted latency meets the limit: what layers take by a table that is measured as it is
 * needed, and what the rest of the model takes today (after Yang et al. 2018, NetAdapt, arXiv:1804.03230, section 3.2).
 * Throws `prune.latency` with how close it comes.
 */
export async function ratioForLatency(
  groups: Groups,
  scores: Scores,
  options: PlanOptions,
  limit: { readonly limit: number; readonly isShare: boolean },
  where: Where,
): Promise<LatencySolution> {
  const table = new LatencyTable(where)
  const { graph } = groups.coupling
  const whole = await table.whole(graph)
  const rest = Math.max(0, whole - (await table.layersOf(graph)))
  const limitMs = limit.isShare ? limit.limit * whole : limit.limit
  const predict = async (ratio: number): Promise<number> => {
    const { removal } = plan(groups, scores, { ...options, ratio, minimum: options.minimum ?? 1 })
    return rest + (await table.layersOf(cut(groups, removal, { shapesOnly: true })))
  }
  const least = await predict(1 - 1e-6)
  if (least > limitMs) {
    throw new AlambicError(
      'prune.latency',
      `pruning cannot bring this model to ${limitMs.toFixed(2)} ms on this machine`,
      {
        subject: 'latency',
        expected: `at least ${least.toFixed(2)} ms by the measured layers; today ${whole.toFixed(2)} ms`,
        found: `${limitMs.toFixed(2)} ms`,
        fix: 'Raise the limit, or allow fewer channels per layer.',
      },
    )
  }
  let [low, high, predictedMs] = [0, 1 - 1e-6, least]
  for (let i = 0; i < 8; i++) {
    const middle = (low + high) / 2
    const now = await predict(middle)
    if (now <= limitMs) [high, predictedMs] = [middle, now]
    else low = middle
  }
  return { ratio: high, predictedMs, limitMs, layers: table.size }
}
