import type { Executor } from '../executors/executor.ts'
import { referenceExecutor } from '../executors/reference/index.ts'
import type { Graph } from '../graph/graph.ts'
import { mulberry32 } from '../graph/random.ts'
import { arrayOf, tensorOf, type Tensor, sizeOf } from '../graph/tensor.ts'
import { Emitter } from '../ops/emit.ts'
import type { Report } from '../protocol/worker.ts'

/** Longest time that speed is measured for, in milliseconds. */
const MEASURE = 3000
/** Largest difference from the reference that single precision explains for these sums of 288 products. */
const TOLERANCE = 1e-3

const CHANNELS = 32

function random(dims: readonly number[], seed: number): Tensor {
  const next = mulberry32(seed)
  return tensorOf(
    'f32',
    dims,
    Float32Array.from({ length: sizeOf(dims) }, () => next() - 0.5),
  )
}

/** A 3×3 convolution of `CHANNELS` to `CHANNELS` channels, and a ReLU. */
function convolution(size: number): Graph {
  const g = new Emitter()
  g.input('x', 'f32', [1, CHANNELS, size, size])
  const w = g.constant('w', random([CHANNELS, CHANNELS, 3, 3], 2))
  const y = g.op('Conv', ['x', w], { pads: [1, 1, 1, 1] })
  g.output(g.op('Relu', [y]))
  return g.build()
}

/** Compares an engine with the reference on a small convolution, and measures its speed on a large one. */
export async function selfTest(executor: Executor): Promise<Report> {
  const started = performance.now()
  const maxError = await compare(executor, 8)
  const gmacs = await speed(executor, 112)
  const ok = maxError <= TOLERANCE
  const milliseconds = performance.now() - started
  return {
    device: executor.id,
    ok,
    milliseconds,
    maxError,
    gmacs,
    summary: ok
      ? `A convolution agrees with the reference to ${maxError.toExponential(1)}.`
      : `A convolution differs from the reference by ${maxError.toExponential(1)}; at most ${TOLERANCE} is rounding.`,
  }
}

async function compare(executor: Executor, size: number): Promise<number> {
  const graph = convolution(size)
  const x = random([1, CHANNELS, size, size], 1)
  const [a, b] = [await once(executor, graph, x), await once(referenceExecutor, graph, x)]
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0)
}

async function once(executor: Executor, graph: Graph, x: Tensor): Promise<Float32Array> {
  const program = await executor.compile(graph)
  try {
    const [result] = Object.values(await program.run({ x }))
    return (arrayOf(result as Tensor) as Float32Array).slice()
  } finally {
    await program.dispose()
  }
}

/** 10⁹ multiply-accumulates per second. */
async function speed(executor: Executor, size: number): Promise<number> {
  const program = await executor.compile(convolution(size), { reuseOutputs: true })
  const x = random([1, CHANNELS, size, size], 1)
  try {
    for (let i = 0; i < 3; i++) await program.run({ x })
    const started = performance.now()
    let runs = 0
    while (performance.now() - started < MEASURE && runs < 500) {
      await program.run({ x })
      runs++
    }
    const seconds = (performance.now() - started) / 1000
    return (runs * CHANNELS * CHANNELS * 9 * size * size) / seconds / 1e9
  } finally {
    await program.dispose()
  }
}
