import { expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import { parse } from '../../graph/parse.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { sqnr } from '../../measure/sqnr.ts'
import { withNoise } from '../../testing/noise.ts'
import { randomFeeds } from '../../testing/onnxruntime.ts'
import { toFloat16 } from './float16.ts'
import { prepareForQuantization } from './prepare.ts'

const net = prepareForQuantization(
  parse(
    withNoise(`graph (x: f32[2,3,8,8]) -> (y: f32[2,5]) opset 17 {
      const w: f32[4,3,3,3] = noise
      const b: f32[4] = noise
      const v: f32[5,144] = noise
      c = Conv(x, w, b)
      r = Relu(c)
      f = Flatten(r)
      z = Gemm(f, v) {transB = 1}
      y = Softmax(z)
    }`),
  ),
)

async function outputOf(graph: typeof net, feeds: Record<string, Tensor>): Promise<Tensor> {
  const program = await ortCpu.compile(graph, { threads: 1 })
  const results = await program.run(feeds)
  await program.dispose()
  return results['y'] as Tensor
}

test('stores weights in half, computes what is safe in half, keeps inputs and outputs', async () => {
  const { graph, report } = toFloat16(net)
  expect([...graph.initializers.values()].filter((t) => t.dtype === 'f32')).toEqual([])
  expect(report).toMatchObject({ nodes: 4, kept: { Softmax: 1 }, warnings: [] })
  expect(graph.nodes.map((n) => n.op)).toEqual(['Cast', 'Conv', 'Relu', 'Flatten', 'Gemm', 'Cast', 'Softmax'])
  const feeds = randomFeeds(net)
  expect(sqnr(await outputOf(net, feeds), await outputOf(graph, feeds))).toBeGreaterThan(50)
})

test('an excluded node keeps float32', () => {
  const { report } = toFloat16(net, new Set(['c']))
  expect(report.kept).toEqual({ Conv: 1, Softmax: 1 })
})

test('weights that float16 can not hold are clamped, and said so', () => {
  const { report, graph } = toFloat16(
    prepareForQuantization(
      parse('graph (x: f32[1,2]) -> (y) opset 17 { const w: f32[2,1] = [1e6, 1e-9] y = MatMul(x, w) }'),
    ),
  )
  expect(report.warnings).toEqual([
    '1 elements of "w" are beyond ±65504 and were clamped',
    '1 elements of "w" are too small for float16 and became zero',
  ])
  const half = [...graph.initializers.values()].find((t) => t.dtype === 'f16')
  expect(new Uint16Array(half?.bytes.slice().buffer ?? new ArrayBuffer())).toEqual(Uint16Array.of(0x7bff, 0))
})
