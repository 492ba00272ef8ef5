import { expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import { referenceExecutor } from '../../executors/reference/index.ts'
import { parse } from '../../graph/parse.ts'
import { arrayOf, f32, type Tensor } from '../../graph/tensor.ts'
import { BLOCK_OPSET, prepareForQuantization, quantizeWeights } from '../../passes/index.ts'
import { withNoise } from '../../testing/noise.ts'
import { randomFeeds } from '../../testing/onnxruntime.ts'
import { sqnr } from '../sqnr.ts'
import { convolutionGrams } from './gram.ts'

const convolution = (attributes: string, weight: string) =>
  prepareForQuantization(
    parse(
      withNoise(
        `graph (x: f32[3,4,7,6]) -> (y) opset 21 { const w: f32[${weight}] = noise y = Conv(x, w) {${attributes}} "c" }`,
      ),
    ),
    BLOCK_OPSET,
  )

test.each([
  ['strides = [2,1], pads = [1,0,2,1], dilations = [1,2]', '5,4,3,2'],
  ['group = 2, pads = [1,1,1,1]', '6,2,3,3'],
  ['group = 4', '4,1,3,3'],
  ['group = 1', '5,4,1,1'],
])(
  'a convolution’s output energy is its weight’s in the curvature of its patches: {%s} w[%s]',
  async (attributes, w) => {
    const graph = convolution(attributes, w)
    const feeds = randomFeeds(graph)
    const data = async function* () {
      yield { feeds, first: 0 }
      yield { feeds, first: 0 }
    }
    const grams = await convolutionGrams({ executor: ortCpu, threads: 1 }, graph, graph.nodes, data)
    const h = grams.get('c') as Float64Array
    const program = await referenceExecutor.compile(graph)
    const y = (await program.run(feeds))[graph.outputs[0]?.name ?? ''] as Tensor
    const out = arrayOf(y) as Float32Array
    const [, channels = 1, height = 1, width = 1] = y.dims
    const weight = arrayOf(graph.initializers.get('w') as Tensor) as Float32Array
    const columns = weight.length / channels
    const groups = h.length / columns ** 2
    for (let c = 0; c < channels; c++) {
      let energy = 0
      for (let n = 0; n < 3; n++) {
        for (let p = 0; p < height * width; p++) energy += (out[(n * channels + c) * height * width + p] as number) ** 2
      }
      const base = Math.floor((c * groups) / channels) * columns ** 2
      let found = 0
      for (let i = 0; i < columns; i++) {
        for (let j = 0; j < columns; j++) {
          found +=
            (weight[c * columns + i] as number) *
            (h[base + i * columns + j] as number) *
            (weight[c * columns + j] as number)
        }
      }
      // (2/n)·Σ(w·x)², every place of these small maps being looked at.
      expect(found).toBeCloseTo((2 * energy) / (3 * height * width), 3)
    }
  },
)

test('GPTQ of convolutions in 4 bits: less noise on the outputs than rounding to nearest, also with groups', async () => {
  for (const [attributes, weight] of [
    ['pads = [1,1,1,1]', '8,4,3,3'],
    ['pads = [1,1,1,1], group = 2', '8,2,3,3'],
  ] as const) {
    const graph = convolution(attributes, weight)
    // Neighbouring places and channels are alike, as in pictures: that is what errors can be traded across.
    const noise = arrayOf(randomFeeds(graph)['x'] as Tensor) as Float32Array
    const smooth = noise.map((v, i) => Math.sin((i % 42) / 5) + Math.cos(Math.floor(i / 168)) + 0.2 * v)
    const feeds = { x: f32(smooth, [3, 4, 7, 6]) }
    const data = async function* () {
      yield { feeds, first: 0 }
    }
    const hessians = await convolutionGrams({ executor: ortCpu, threads: 1 }, graph, graph.nodes, data)
    const output = async (of: typeof graph) => {
      const program = await ortCpu.compile(of, { threads: 1 })
      const result = (await program.run(feeds))[of.outputs[0]?.name ?? ''] as Tensor
      await program.dispose()
      return result
    }
    const options = { bits: 4, blockSize: 32, symmetric: true, format: 'dequantize', convolutions: true } as const
    const real = await output(graph)
    const of = async (method: 'rtn' | 'gptq') => {
      const { graph: quantized, report } = quantizeWeights(graph, { ...options, method, hessians })
      expect(report.layers.map(({ bits }) => bits)).toEqual([4])
      return sqnr(real, await output(quantized))
    }
    expect(await of('gptq')).toBeGreaterThan((await of('rtn')) + 3)
  }
})
