import { Builder } from '../graph/builder.ts'
import { modelOf, type Graph, type Model } from '../graph/graph.ts'
import { mulberry32 } from '../graph/random.ts'
import { i64, tensorOf, sizeOf } from '../graph/tensor.ts'
import { problemsOf } from '../graph/verify.ts'
import { decodeModel, encodeModel } from '../onnx/index.ts'
import { inferTypes } from '../ops/infer.ts'
import { head, machine, row } from './pairs.ts'

/*
 * `npm run bench -- open`: how long it takes to open large models. Each has residual blocks (Conv, Relu, Add) with the
 * shape arithmetic of an exported reshape between them, as PyTorch writes it.
 */

const RUNS = 5
const NODES_PER_BLOCK = 10

/** A model of about so many nodes whose weights take about so many bytes. */
export function largeModel(nodes: number, bytes: number): Model {
  const g = new Builder()
  let x = g.input('x', 'f32', ['batch', 8, 16, 16])
  const blocks = Math.ceil(nodes / NODES_PER_BLOCK)
  const channels = Math.max(1, Math.round(bytes / blocks / 4 / (8 * 9 * 2)))
  const random = mulberry32(1)
  const weight = (name: string, dims: readonly number[]) => {
    const size = sizeOf(dims)
    const values = Float32Array.from({ length: size }, () => random() - 0.5)
    return g.constant(name, tensorOf('f32', dims, values))
  }
  const index = g.constant('first', i64([0], []))
  const zero = g.constant('axis', i64([0]))
  const rest = g.constant('rest', i64([8, 16, 16]))
  for (let i = 0; i < blocks; i++) {
    const wide = g.op('Conv', [x, weight(`layer.${i}.up`, [channels, 8, 3, 3])], { pads: [1, 1, 1, 1] })
    const back = g.op('Conv', [g.op('Relu', [wide]), weight(`layer.${i}.down`, [8, channels, 3, 3])], {
      pads: [1, 1, 1, 1],
    })
    const batch = g.op('Unsqueeze', [g.op('Gather', [g.op('Shape', [x]), index]), zero])
    const shape = g.op('Concat', [batch, rest], { axis: 0 })
    x = g.op('Relu', [g.op('Add', [x, g.op('Reshape', [back, shape])])])
  }
  g.output(x)
  return modelOf(g.build())
}

export interface OpenTimes {
  readonly nodes: number
  readonly bytes: number
  /** Milliseconds, the least of some runs. */
  readonly parse: number
  readonly verify: number
  readonly infer: number
  readonly write: number
}

/** Milliseconds that this process has computed: other work on the machine does not count. */
export const cpuTime = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Reads, verifies, types and writes a file, timed by the wall clock unless told. Throws when a type stays unknown. */
export function timeOpening(bytes: Uint8Array, runs = RUNS, clock: () => number = () => performance.now()): OpenTimes {
  const best = { parse: Infinity, verify: Infinity, infer: Infinity, write: Infinity }
  const timed = <T>(what: keyof typeof best, work: () => T): T => {
    const started = clock()
    const result = work()
    best[what] = Math.min(best[what], clock() - started)
    return result
  }
  let graph: Graph | undefined
  for (let i = 0; i < runs; i++) {
    const model = timed('parse', () => decodeModel(bytes))
    timed('verify', () => problemsOf(model.graph))
    graph = timed('infer', () => inferTypes(model.graph))
    timed('write', () => encodeModel(model))
  }
  const last = graph?.outputs[0]?.name ?? ''
  if (graph?.type(last)?.kind !== 'tensor') throw new Error('the output has no type')
  return { nodes: graph.nodes.length, bytes: bytes.length, ...best }
}

const MB = 1e6

/** The table for people. */
export function benchmarkOpening(): void {
  console.log(`${machine()}; milliseconds, the least of ${RUNS} runs\n`)
  head('nodes', 'MB', 'parse', 'verify', 'infer types', 'write')
  for (const [nodes, size] of [
    [5_000, 100 * MB],
    [20_000, 100 * MB],
    [80_000, 100 * MB],
    [1_000, 500 * MB],
  ] as const) {
    const { bytes, parse, verify, infer, write, nodes: count } = timeOpening(encodeModel(largeModel(nodes, size)))
    row(String(count), (bytes / MB).toFixed(0), ...[parse, verify, infer, write].map((ms) => ms.toFixed(0)))
  }
}
