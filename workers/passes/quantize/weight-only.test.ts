import { describe, expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import { referenceExecutor } from '../../executors/reference/index.ts'
import type { Executor } from '../../executors/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { sqnr } from '../../measure/sqnr.ts'
import { withNoise } from '../../testing/noise.ts'
import { randomFeeds } from '../../testing/onnxruntime.ts'
import { prepareForQuantization } from './prepare.ts'
import { BLOCK_OPSET, matrixLayers, quantizeWeights, type WeightOnlyOptions } from './weight-only.ts'

async function outputOf(executor: Executor, graph: Graph, feeds: Record<string, Tensor>): Promise<Tensor> {
  const program = await executor.compile(graph, { threads: 1 })
  const results = await program.run(feeds)
  await program.dispose()
  return results[graph.outputs[0]?.name ?? ''] as Tensor
}

const usual: WeightOnlyOptions = {
  bits: 4,
  blockSize: 32,
  symmetric: true,
  method: 'rtn',
  format: 'matmulnbits',
  convolutions: false,
}

const gemm = withNoise(`graph (x: f32[3,80]) -> (y) opset 17 {
  const w: f32[24,80] = noise
  const b: f32[24] = noise
  y = Gemm(x, w, b) {transB = 1}
}`)
const matmul = withNoise('graph (x: f32[2,3,80]) -> (y) opset 17 { const w: f32[80,24] = noise y = MatMul(x, w) }')

describe('weights in blocks', () => {
  const cases = [gemm, matmul].flatMap((text, i) =>
    (['matmulnbits', 'dequantize'] as const).flatMap((format) =>
      ([4, 8] as const).flatMap((bits) =>
        [true, false].map((symmetric) => ({ text, op: i ? 'MatMul' : 'Gemm', format, bits, symmetric })),
      ),
    ),
  )
  test.each(cases)(
    '$op as $format, $bits bits, symmetric: $symmetric',
    async ({ text, op, format, bits, symmetric }) => {
      const graph = prepareForQuantization(parse(text), BLOCK_OPSET)
      const { graph: quantized, report } = quantizeWeights(graph, { ...usual, format, bits, symmetric })
      expect(report.layers).toHaveLength(1)
      const feeds = randomFeeds(graph)
      const real = await outputOf(ortCpu, graph, feeds)
      const ours = await outputOf(ortCpu, quantized, feeds)
      expect(sqnr(real, ours)).toBeGreaterThan(bits === 4 ? 15 : 38)
      // onnxruntime turns DequantizeLinear and MatMul into its own kernel, which rounds activations to int8.
      const agreement = op === 'MatMul' && format === 'dequantize' ? 44 : 90
      expect(sqnr(await outputOf(referenceExecutor, quantized, feeds), ours)).toBeGreaterThan(agreement)
      expect(10 * Math.log10(1 / (report.layers[0]?.error ?? 1))).toBeGreaterThan(bits === 4 ? 17 : 40)
    },
  )

  test('the least-squares clip has a smaller error than the extremes, GPTQ the smallest on the outputs', async () => {
    const graph = prepareForQuantization(parse(matmul))
    const feeds = randomFeeds(graph)
    const x = new Float32Array((feeds['x'] as Tensor).bytes.slice().buffer)
    const h = new Float64Array(80 * 80)
    for (let s = 0; s < 6; s++) {
      for (let i = 0; i < 80; i++) {
        for (let j = 0; j < 80; j++)
          h[i * 80 + j] = (h[i * 80 + j] as number) + (x[s * 80 + i] as number) * (x[s * 80 + j] as number)
      }
    }
    const real = await outputOf(ortCpu, graph, feeds)
    const ratio = async (options: Partial<WeightOnlyOptions>) =>
      sqnr(real, await outputOf(ortCpu, quantizeWeights(graph, { ...usual, ...options }).graph, feeds))
    const hessians = new Map([[matrixLayers(graph)[0]?.name ?? '', h]])
    expect(await ratio({ method: 'gptq', hessians })).toBeGreaterThan((await ratio({ method: 'rtn' })) + 3)
    const errorOf = (method: 'rtn' | 'mse') => quantizeWeights(graph, { ...usual, method }).report.layers[0]?.error ?? 0
    expect(errorOf('mse')).toBeLessThan(errorOf('rtn'))
  })

  test('convolutions are stored as int8 when told, and named when not', async () => {
    const graph = prepareForQuantization(
      parse(withNoise('graph (x: f32[1,4,6,6]) -> (y) opset 17 { const w: f32[8,4,3,3] = noise y = Conv(x, w) "c" }')),
    )
    expect(quantizeWeights(graph, usual).report.left).toEqual([
      { node: 'node "c" (Conv)', reason: 'convolutions stay in float unless told' },
    ])
    const { graph: quantized } = quantizeWeights(graph, { ...usual, convolutions: true })
    const feeds = randomFeeds(graph)
    expect(sqnr(await outputOf(ortCpu, graph, feeds), await outputOf(ortCpu, quantized, feeds))).toBeGreaterThan(38)
  })
})
