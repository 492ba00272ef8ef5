import { expect, test } from 'vitest'
import { optimizedByOrt } from '../../executors/ort/optimized.ts'
import { modelOf } from '../../graph/graph.ts'
import { encodeForRuntime } from '../../onnx/index.ts'
import { buildZoo } from '../../zoo/index.ts'
import { planQuantization, rangesNeeded } from './plan.ts'
import { prepareForQuantization } from './prepare.ts'
import { defaultScheme, quantizeStatic } from './static.ts'

const plan = planQuantization(prepareForQuantization(buildZoo('mobilenet-v2', { seed: 1 }).graph))
const ranges = new Map(rangesNeeded(plan).map((name) => [name, { min: -1, max: 3 }]))

// torchvision's quantized MobileNetV2 has 3.63 MB, PyTorch's static per-channel recipe 3.98 MB; the float net 13.96 MB.
test.each([
  [false, 3.63e6],
  [true, 3.98e6],
])('MobileNetV2 per channel: %s is below %d bytes, every layer in integers', async (perChannel, most) => {
  const { graph, report } = quantizeStatic(plan, { ranges, scheme: { ...defaultScheme, perChannel } })
  expect(encodeForRuntime(modelOf(graph)).byteLength).toBeLessThanOrEqual(most)
  expect(report.absorbed).toHaveLength(35)
  const ops = (await optimizedByOrt(graph)).nodes.map((node) => node.op)
  expect(ops.filter((op) => op === 'QLinearConv')).toHaveLength(52)
  expect(ops.filter((op) => ['Conv', 'Gemm', 'MatMul', 'FusedConv'].includes(op))).toEqual([])
})
