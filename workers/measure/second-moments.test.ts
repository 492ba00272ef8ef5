import { expect, test } from 'vitest'
import { makeSplit, Preprocessing } from '../datasets/index.ts'
import { referenceExecutor } from '../executors/reference/index.ts'
import type { Graph } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { numbersOf, type Tensor, sizeOf } from '../graph/tensor.ts'
import { factorize } from '../passes/factorize/factorize.ts'
import { layerWeights } from '../passes/layer-weights.ts'
import { randomTensor } from '../testing/onnxruntime.ts'
import { inferTypes } from '../ops/infer.ts'
import { outputMoments } from './second-moments.ts'

/** Inputs that lie near a few directions: what a layer makes of the others hardly matters. */
function correlated(count: number, size: number): Float32Array {
  const random = mulberry32(4)
  const directions = Array.from({ length: 3 * size }, () => gaussian(random))
  const all = new Float32Array(count * size)
  for (let n = 0; n < count; n++) {
    const weights = [gaussian(random), gaussian(random), gaussian(random)]
    for (let i = 0; i < size; i++) {
      const value = weights.reduce((sum, w, d) => sum + w * (directions[d * size + i] as number), 0)
      all[n * size + i] = value + 0.05 * gaussian(random)
    }
  }
  return all
}

const splitOf = (dims: readonly number[], count: number) =>
  makeSplit(
    {
      sample: { dims, dtype: 'f32' },
      data: correlated(count, sizeOf(dims)),
    },
    'a test',
  )

const preprocessing = Preprocessing.parse({ scale: 1, layout: 'flat' })
const where = { executor: referenceExecutor, threads: undefined, samples: 64, seed: 1 }

const dense = (): Graph => {
  const graph = parse(`graph (x: f32[N,16]) -> (y) opset 18 {
    const w: f32[1] = [0]
    const b: f32[12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    y = Gemm(x, w, b) {transB = 1}
  }`)
  return inferTypes(graph.with({ initializers: new Map([...graph.initializers, ['w', randomTensor([12, 16], 3)]]) }))
}

async function outputs(graph: Graph, x: Tensor): Promise<number[]> {
  const program = await referenceExecutor.compile(graph)
  return numbersOf(Object.values(await program.run({ x }))[0] as Tensor)
}

test('moments are E[(y − b)(y − b)ᵀ] over the samples', async () => {
  const graph = dense()
  const split = splitOf([16], 64)
  const moments = await outputMoments(graph, layerWeights(graph), split, preprocessing, where)
  const x: Tensor = { dtype: 'f32', dims: [64, 16], bytes: new Uint8Array((split.data as Float32Array).slice().buffer) }
  const y = await outputs(graph, x)
  for (const [i, j] of [
    [0, 0],
    [2, 7],
    [11, 5],
  ] as const) {
    let sum = 0
    for (let n = 0; n < 64; n++) sum += ((y[n * 12 + i] ?? 0) - (i + 1)) * ((y[n * 12 + j] ?? 0) - (j + 1))
    expect(moments.get('w')?.data[i * 12 + j]).toBeCloseTo(sum / 64, 3)
  }
})

test('ranks that keep outputs lose far less of them than ranks that keep weights', async () => {
  const graph = dense()
  const split = splitOf([16], 64)
  const moments = await outputMoments(graph, layerWeights(graph), split, preprocessing, where)
  const x: Tensor = { dtype: 'f32', dims: [64, 16], bytes: new Uint8Array((split.data as Float32Array).slice().buffer) }
  const y = await outputs(graph, x)
  const loss = async (options: Parameters<typeof factorize>[1]) => {
    const { graph: factored, report } = factorize(graph, { ...options, force: true })
    const found = await outputs(factored, x)
    const energy = y.reduce((sum, v, i) => sum + (v - ((i % 12) + 1)) ** 2, 0)
    const lost = Math.sqrt(y.reduce((sum, v, i) => sum + (v - (found[i] ?? 0)) ** 2, 0) / energy)
    return { lost, layer: report.layers[0] }
  }
  const byWeights = await loss({ rank: { fixed: 3 } })
  const byOutputs = await loss({ rank: { fixed: 3 }, moments })
  expect(byOutputs.lost).toBeLessThan(0.2 * byWeights.lost)
  // What the report says is what is measured.
  expect('error' in (byOutputs.layer ?? {}) && (byOutputs.layer as { error: number }).error).toBeCloseTo(
    byOutputs.lost,
    4,
  )
  const few = await loss({ rank: { energy: 0.95 }, moments })
  expect(few.layer).toMatchObject({ ranks: [3] })
})

test('convolutions: channels, positions and bias', async () => {
  const parsed = parse(`graph (x: f32[4,3,6,5]) -> (y) opset 18 {
    const w: f32[1] = [0]
    const b: f32[8] = [1, 2, 3, 4, 5, 6, 7, 8]
    y = Conv(x, w, b) {pads = [1,1,1,1], strides = [2,1]}
  }`)
  const weights = new Map([...parsed.initializers, ['w', randomTensor([8, 3, 3, 3], 5)] as const])
  const graph = inferTypes(parsed.with({ initializers: weights }))
  const split = splitOf([3, 6, 5], 10)
  const settings = Preprocessing.parse({ scale: 1 })
  const moments = await outputMoments(graph, layerWeights(graph), split, settings, { ...where, samples: 10 })
  const { report } = factorize(graph, { conv: 'channel', rank: { energy: 0.9 }, moments, force: true })
  const [layer] = report.layers
  expect(layer).toMatchObject({ method: 'channel' })
  expect(layer && 'error' in layer && layer.error ** 2).toBeLessThanOrEqual(0.1)
  expect(layer && 'ranks' in layer && layer.ranks[0]).toBeLessThan(8)
})
