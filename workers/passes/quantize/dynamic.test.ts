import { describe, expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import { referenceExecutor } from '../../executors/reference/index.ts'
import type { Executor } from '../../executors/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { i64, type Tensor } from '../../graph/tensor.ts'
import { sqnr } from '../../measure/sqnr.ts'
import { randomFeeds } from '../../testing/onnxruntime.ts'
import { withNoise } from '../../testing/noise.ts'
import { quantizeDynamic, type DynamicOptions } from './dynamic.ts'
import { prepareForQuantization } from './prepare.ts'

async function outputOf(executor: Executor, graph: Graph, feeds: Record<string, Tensor>): Promise<Tensor> {
  const program = await executor.compile(graph, { threads: 1 })
  const results = await program.run(feeds)
  await program.dispose()
  return results[graph.outputs[0]?.name ?? ''] as Tensor
}

const opsOf = (graph: Graph) => graph.nodes.map((node) => node.op)

async function check(text: string, least: number, options: DynamicOptions = {}, feeds?: Record<string, Tensor>) {
  const graph = prepareForQuantization(parse(withNoise(text)))
  const { graph: quantized, report } = quantizeDynamic(graph, { reduceRange: true, ...options })
  expect(report.layers).toHaveLength(1)
  const given = feeds ?? randomFeeds(graph)
  const [real, ours] = [await outputOf(ortCpu, graph, given), await outputOf(ortCpu, quantized, given)]
  expect(ours.dims).toEqual(real.dims)
  expect(sqnr(real, ours)).toBeGreaterThan(least)
  return { quantized, ours, given }
}

describe('dynamic quantization', () => {
  test('MatMul becomes MatMulInteger, and the reference agrees with onnxruntime', async () => {
    const { quantized, ours, given } = await check(
      'graph (x: f32[5,32]) -> (y) opset 17 { const w: f32[32,16] = noise y = MatMul(x, w) }',
      35,
    )
    expect(opsOf(quantized)).toEqual(['DynamicQuantizeLinear', 'MatMulInteger', 'Cast', 'Mul', 'Mul'])
    expect(sqnr(await outputOf(referenceExecutor, quantized, given), ours)).toBeGreaterThan(100)
  })

  test('Gemm with a transposed weight and a bias', async () =>
    void (await check(
      `graph (x: f32[5,32]) -> (y) opset 17 {
        const w: f32[16,32] = noise
        const b: f32[16] = noise
        y = Gemm(x, w, b) {transB = 1}
      }`,
      35,
    )))

  test('a product of batches', async () =>
    void (await check('graph (x: f32[3,5,32]) -> (y) opset 17 { const w: f32[3,32,16] = noise y = MatMul(x, w) }', 33)))

  test.each([true, false])(
    'Conv, per channel: %s',
    async (perChannel) =>
      void (await check(
        `graph (x: f32[2,8,9,9]) -> (y) opset 17 {
        const w: f32[12,8,3,3] = noise
        const b: f32[12] = noise
        y = Conv(x, w, b) {pads = [1,1,1,1], strides = [2,2]}
      }`,
        33,
        { ops: new Set(['Conv']), perChannel },
      )),
  )

  test('LSTM, both directions', async () =>
    void (await check(
      `graph (x: f32[7,2,16]) -> (y) opset 17 {
        const w: f32[2,32,16] = noise
        const r: f32[2,32,8] = noise
        const b: f32[2,64] = noise
        y = LSTM(x, w, r, b) {hidden_size = 8, direction = "bidirectional"}
      }`,
      30,
    )))

  test('embeddings are looked up as codes', async () =>
    void (await check(
      'graph (i: i64[2,3]) -> (y) opset 17 { const t: f32[50,16] = noise y = Gather(t, i) }',
      35,
      {},
      { i: i64([0, 3, 49, 7, 7, 1], [2, 3]) },
    )))

  test('an activation with several readers is quantized once', () => {
    const graph = prepareForQuantization(
      parse(
        withNoise(`graph (x: f32[5,8]) -> (y) opset 17 {
          const w: f32[8,4] = noise
          const v: f32[8,4] = noise
          a = MatMul(x, w)
          b = MatMul(x, v)
          y = Mul(a, b)
        }`),
      ),
    )
    const { graph: quantized } = quantizeDynamic(graph)
    expect(opsOf(quantized).filter((op) => op === 'DynamicQuantizeLinear')).toHaveLength(1)
  })

  test('what can not be quantized is named with the reason', () => {
    const graph = prepareForQuantization(
      parse('graph (x: f32[2,3], w: f32[3,4]) -> (y) opset 17 { y = MatMul(x, w) "product" }'),
    )
    const { graph: same, report } = quantizeDynamic(graph)
    expect(same).toBe(graph)
    expect(report.left).toEqual([
      { node: 'node "product" (MatMul)', reason: 'it has no float32 weight of two dimensions or more' },
    ])
  })
})
