import { expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import { bindDims } from '../../ops/bind.ts'
import { parse } from '../../graph/parse.ts'
import {
  defaultScheme,
  planQuantization,
  prepareForQuantization,
  quantizeStatic,
  rangesNeeded,
  withBiases,
} from '../../passes/index.ts'
import { withNoise } from '../../testing/noise.ts'
import { randomFeeds } from '../../testing/onnxruntime.ts'
import { calibrate } from '../calibrate/index.ts'
import { channelMeans, correctBiases } from './bias.ts'

const net = withBiases(
  bindDims(
    prepareForQuantization(
      parse(
        withNoise(`graph (x: f32[N,3,8,8]) -> (y: f32[N,4]) opset 17 {
          const w: f32[6,3,3,3] = noise
          const b: f32[6] = noise
          const u: f32[5,6,1,1] = noise
          const v: f32[4,5] = noise
          c = Conv(x, w, b) {pads = [1,1,1,1]} "c"
          r = Relu(c)
          d = Conv(r, u) "d"
          s = Relu(d)
          p = GlobalAveragePool(s)
          f = Flatten(p)
          y = Gemm(f, v) {transB = 1} "y"
        }`),
      ),
    ),
    { N: 32 },
  ),
)

test.each(['int32', 'float'] as const)(
  'channel means are those of the float net afterwards, bias in %s',
  async (bias) => {
    const where = { executor: ortCpu, threads: 1 }
    const feeds = randomFeeds(net)
    const data = async function* () {
      yield { feeds, first: 0 }
    }
    const plan = planQuantization(net)
    const { ranges } = await calibrate(ortCpu, plan.source, rangesNeeded(plan), data, { method: 'min-max' })
    const scheme = { ...defaultScheme, perChannel: false, weightBits: 4, bias }
    const { graph: quantized } = quantizeStatic(plan, { ranges, scheme })
    const layers = plan.weights.map((site) => site.node)
    const { graph, layers: report } = await correctBiases(where, plan.source, quantized, layers, data)
    expect(report.map(({ layer }) => layer)).toEqual(['c', 'd', 'y'])
    expect(Math.max(...report.map(({ error }) => error))).toBeGreaterThan(0.02)
    const values = [
      ['c', 4],
      ['d', 4],
      ['y', 2],
    ] as const
    const ranks = new Map<string, number>(values)
    const wanted = await channelMeans(where, plan.source, [...ranks.keys()], ranks, data)
    const again = await correctBiases(where, plan.source, graph, layers, data)
    // An int32 bias moves in steps of s_x·s_w, which 4-bit weights make large.
    for (const { error } of again.layers) expect(error).toBeLessThan(bias === 'float' ? 1e-4 : 3e-3)
    expect(wanted.get('c')).toHaveLength(6)
  },
)
