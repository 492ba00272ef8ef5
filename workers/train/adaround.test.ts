import { expect, test } from 'vitest'
import { ortCpu } from '../executors/ort/executor.ts'
import { parse } from '../graph/parse.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { f32, type Tensor } from '../graph/tensor.ts'
import { codesOf, decodeWeight, quantizeWeight } from '../passes/index.ts'
import {
  buildRounding,
  inverseRectifiedSigmoid,
  LAYER_INPUT,
  LAYER_TARGET,
  rectifiedSigmoid,
  roundingPenalty,
  roundingSchedule,
} from './adaround.ts'

test('h starts at the fraction that rounding leaves', () => {
  expect(inverseRectifiedSigmoid(0.37)).toBeCloseTo(-0.44031, 5)
  expect(rectifiedSigmoid(inverseRectifiedSigmoid(0.37))).toBeCloseTo(0.37, 12)
  expect(roundingPenalty(0.37, 2)).toBeCloseTo(0.9324, 4)
})

test('β falls from 20 to 2 after a warm start', () => {
  expect(roundingSchedule(0, 100)).toEqual({ beta: 20, active: false })
  expect(roundingSchedule(20, 100).beta).toBeCloseTo(20, 10)
  expect(roundingSchedule(60, 100).beta).toBeCloseTo(11, 10)
  expect(roundingSchedule(100, 100).beta).toBeCloseTo(2, 10)
})

test('beats rounding to nearest on the output of a layer, and decides nearly every weight', async () => {
  const random = mulberry32(1)
  const [inputs, outputs, batch] = [24, 6, 128]
  const mix = Float64Array.from({ length: inputs * inputs }, () => gaussian(random))
  const x = new Float32Array(batch * inputs)
  for (let s = 0; s < batch; s++) {
    // Correlated inputs: what one weight loses another can give back.
    const source = Float64Array.from({ length: 4 }, () => gaussian(random))
    for (let i = 0; i < inputs; i++) {
      x[s * inputs + i] = source.reduce(
        (sum, v, k) => sum + v * (mix[i * inputs + k] as number),
        0.1 * gaussian(random),
      )
    }
  }
  const weight = Float32Array.from({ length: outputs * inputs }, () => 0.2 * gaussian(random))
  const product = (w: ArrayLike<number>) => {
    const y = new Float32Array(batch * outputs)
    for (let s = 0; s < batch; s++) {
      for (let o = 0; o < outputs; o++) {
        for (let i = 0; i < inputs; i++) {
          y[s * outputs + o] =
            (y[s * outputs + o] as number) + (x[s * inputs + i] as number) * (w[o * inputs + i] as number)
        }
      }
    }
    return y
  }
  const target = product(weight)
  const options = { type: 'i8', symmetric: true, axis: 0, codes: [-7, 7] } as const
  const nearest = quantizeWeight(weight, [outputs, inputs], options)
  const [node] = parse('graph (x: f32[1,2], w: f32[2,2]) -> (y) opset 18 { y = Gemm(x, w) {transB = 1} }').nodes
  if (!node) throw new Error('no node')
  const { step, schedule, codes, shares } = buildRounding(
    {
      node,
      weight: f32(weight, [outputs, inputs]),
      bias: undefined,
      affines: nearest.affines,
      axis: 0,
      codes: codesOf('i8', options),
      relu: false,
    },
    [batch, inputs],
    [batch, outputs],
  )
  const program = await ortCpu.compile(step.graph, { state: step.state, threads: 1 })
  await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
  const feeds: Record<string, Tensor> = {
    [LAYER_INPUT]: f32(x, [batch, inputs]),
    [LAYER_TARGET]: f32(target, [batch, outputs]),
  }
  const total = 3000
  for (let i = 0; i < total; i++) await program.run({ ...feeds, ...schedule(i, total), ...step.hyper(i + 1, 0.01) })
  const state = await program.readState()
  await program.dispose()
  const error = (w: ArrayLike<number>) => product(w).reduce((sum, v, i) => sum + (v - (target[i] as number)) ** 2, 0)
  const learned = decodeWeight({ ...nearest, codes: codes(state) })
  expect(error(learned)).toBeLessThan(0.5 * error(decodeWeight(nearest)))
  expect(shares(state).filter((h) => h > 0.02 && h < 0.98).length).toBeLessThanOrEqual(2)
  codes(state).forEach((code, i) => expect(Math.abs(code - (nearest.codes[i] as number))).toBeLessThanOrEqual(1))
})
