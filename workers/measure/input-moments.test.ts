import { expect, test } from 'vitest'
import { ortCpu } from '../executors/ort/executor.ts'
import type { Graph } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { f32, numbersOf, type Tensor } from '../graph/tensor.ts'
import { inferTypes } from '../ops/infer.ts'
import { factorize, type LayerReport } from '../passes/factorize/factorize.ts'
import { matrixOf } from '../passes/factorize/matrix.ts'
import type { MethodId } from '../passes/factorize/methods.ts'
import { layerWeights } from '../passes/layer-weights.ts'
import { withNoise } from '../testing/noise.ts'
import { convolutionGrams } from './quantization/index.ts'

const [N, C, SIZE] = [24, 8, 8]

/** Images whose channels and neighbouring places go together: what kernels make of the rest hardly matters. */
function images(seed: number): Tensor {
  const [random, fixed] = [mulberry32(seed), mulberry32(9)]
  const mixing = Array.from({ length: C }, () => gaussian(fixed))
  const all = new Float32Array(N * C * SIZE * SIZE)
  for (let n = 0; n < N; n++) {
    const [a, b, fx, fy] = [gaussian(random), gaussian(random), random(), random()]
    for (let c = 0; c < C; c++) {
      for (let p = 0; p < SIZE * SIZE; p++) {
        const [y, x] = [Math.floor(p / SIZE), p % SIZE]
        const wave = a * Math.sin(fx * x + c) + b * Math.cos(fy * y - c * (mixing[c] as number))
        all[(n * C + c) * SIZE * SIZE + p] = wave + 0.05 * gaussian(random)
      }
    }
  }
  return f32(all, [N, C, SIZE, SIZE])
}

const netOf = (group: number): Graph =>
  inferTypes(
    parse(
      withNoise(`graph (x: f32[${N},${C},${SIZE},${SIZE}]) -> (y) opset 18 {
        const w: f32[12,${C / group},3,3] = noise
        const b: f32[12] = noise
        y = Conv(x, w, b) {pads = [1,1,1,1], group = ${group}} "conv"
      }`),
    ),
  )

async function outputs(graph: Graph, x: Tensor): Promise<number[]> {
  const program = await ortCpu.compile(graph, { threads: 1 })
  const values = numbersOf((await program.run({ x }))[graph.outputs[0]?.name ?? ''] as Tensor)
  await program.dispose()
  return values
}

/** √(Σ(y − ŷ)² / Σ(y − b)²). */
async function lost(graph: Graph, factored: Graph, x: Tensor): Promise<number> {
  const [real, own] = [await outputs(graph, x), await outputs(factored, x)]
  const bias = numbersOf(graph.initializers.get('b') as Tensor)
  let [noise, signal] = [0, 0]
  real.forEach((v, i) => {
    noise += (v - (own[i] as number)) ** 2
    signal += (v - (bias[Math.floor(i / SIZE ** 2) % 12] as number)) ** 2
  })
  return Math.sqrt(noise / signal)
}

test.each([
  ['tucker', [4, 3], 1],
  ['tucker', [3, 2], 2],
  ['spatial', [6], 1],
  ['cp', [10], 1],
] as const)(
  '%s of ranks %j with %i groups keeps what comes out, not the weight',
  async (method: MethodId, ranks, group) => {
    const graph = netOf(group)
    const x = images(1)
    const data = async function* () {
      yield { feeds: { x }, first: 0 }
    }
    const [weight] = layerWeights(graph)
    const grams = await convolutionGrams({ executor: ortCpu, threads: 1 }, graph, graph.nodes, data)
    const all = grams.get('conv') as Float64Array
    const size = (C / group) * 9
    const inputs = Array.from({ length: group }, (_, g) =>
      matrixOf(size, size, all.subarray(g * size ** 2, (g + 1) * size ** 2)),
    )
    const options = { conv: method, rank: { fixed: [...ranks] }, force: true }
    const plain = factorize(graph, options)
    const { graph: fitted, report } = factorize(graph, {
      ...options,
      inputs: new Map([[weight?.name ?? '', inputs]]),
    })
    const [before, after] = [await lost(graph, plain.graph, x), await lost(graph, fitted, x)]
    expect(after).toBeLessThan(0.7 * before)
    // Also on images that the moments were not taken from.
    expect(await lost(graph, fitted, images(2))).toBeLessThan(await lost(graph, plain.graph, images(2)))
    // What the report says is what happens; of groups it is weighted by their weights.
    const { error } = report.layers[0] as LayerReport & { error: number }
    if (group === 1) expect(error).toBeCloseTo(after, 3)
  },
)
