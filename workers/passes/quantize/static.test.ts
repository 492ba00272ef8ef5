import { describe, expect, test } from 'vitest'
import { print } from '../../graph/print.ts'
import { parse } from '../../graph/parse.ts'
import { planQuantization, rangesNeeded } from './plan.ts'
import { prepareForQuantization } from './prepare.ts'
import { defaultScheme, quantizeStatic } from './static.ts'

const plan = (text: string, options = {}) => planQuantization(prepareForQuantization(parse(text)), options)

const chain = `graph (x: f32[N,1,2,2]) -> (y: f32[N,2,1,1]) opset 17 {
  const w: f32[2,1,2,2] = [1, 2, 3, 4, -1, -2, -3, -8]
  const b: f32[2] = [0.5, -0.25]
  c = Conv(x, w, b)
  y = Relu(c)
}`

describe('static quantization', () => {
  test('writes a convolution with its Relu absorbed', () => {
    const ranges = new Map([
      ['x', { min: -1, max: 1 }],
      ['y', { min: 0, max: 2 }],
    ])
    const p = plan(chain)
    expect(rangesNeeded(p)).toEqual(['x', 'y'])
    const { graph, report } = quantizeStatic(p, { ranges })
    expect(report.absorbed).toEqual(['y'])
    expect(`\n${print(graph)}`).toMatchInlineSnapshot(`
      "
      graph main (x: f32[N,1,2,2]) -> (y: f32[N,2,1,1]) opset 17 {
        const x_scale: f32[] = 0.007843138
        const x_zero_point: u8[] = 128
        const y_scale: f32[] = 0.007843138
        const y_zero_point: u8[] = 0
        const w_quantized: i8[2,1,2,2] = [32, 64, 95, 127, -16, -32, -48, -127]
        const w_scale: f32[2] = [0.031496063, 0.062992126]
        const w_zero_point: i8[2] = 0
        const b_quantized: i32[2] = [2024, -506]
        const b_quantized_scale: f32[2] = [0.00024702796, 0.0004940559]
        const b_quantized_zero_point: i32[2] = 0
        x_q = QuantizeLinear(x, x_scale, x_zero_point)
        x_dq = DequantizeLinear(x_q, x_scale, x_zero_point)
        w_dq = DequantizeLinear(w_quantized, w_scale, w_zero_point) {axis = 0}
        b_dq = DequantizeLinear(b_quantized, b_quantized_scale, b_quantized_zero_point) {axis = 0}
        y_1 = Conv(x_dq, w_dq, b_dq) "c"
        y_q = QuantizeLinear(y_1, y_scale, y_zero_point)
        y = DequantizeLinear(y_q, y_scale, y_zero_point) "y_dq"
      }"
    `)
  })

  test('keeps the Relu where activations are symmetric', () => {
    const p = plan(chain, { symmetric: true })
    expect(p.absorbed).toEqual([])
    expect(Object.fromEntries(p.activations)).toEqual({ x: 'x', c: 'y', y: 'y' })
  })

  test('shares scales through what only moves values', () => {
    const p = plan(`graph (x: f32[1,1,4,4]) -> (z: f32[1,2]) opset 17 {
      const w: f32[2,1,1,1] = [1, 2]
      const v: f32[2,8] = [1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8]
      c = Conv(x, w)
      p = MaxPool(c) {kernel_shape = [2,2], strides = [2,2]}
      f = Flatten(p)
      z = Gemm(f, v) {transB = 1}
    }`)
    expect(Object.fromEntries(p.activations)).toEqual({ x: 'x', c: 'c', p: 'c', f: 'c' })
    expect(rangesNeeded(p)).toEqual(['x', 'c'])
  })

  test('a Clip between positive numbers is not what a clamp does', () => {
    const clip = (low: number) =>
      plan(`graph (x: f32[1,1,2,2]) -> (y) opset 17 {
        const w: f32[1,1,1,1] = [2]
        const lo: f32[] = [${low}]
        const hi: f32[] = [6]
        c = Conv(x, w)
        y = Clip(c, lo, hi)
      }`).absorbed
    expect(clip(0)).toEqual(['y'])
    expect(clip(1)).toEqual([])
  })

  test('an excluded layer stays in float, and says so', () => {
    const p = plan(chain, { exclude: new Set(['c']) })
    expect(p.weights).toEqual([])
    expect(p.left[0]?.reason).toBe('it was told to stay in float')
  })

  test('folds α and β of a Gemm into its constants', () => {
    const graph = prepareForQuantization(
      parse(`graph (x: f32[1,2]) -> (y) opset 17 {
        const w: f32[2,2] = [1,2,3,4]
        const b: f32[1,2] = [1,2]
        y = Gemm(x, w, b) {alpha = 2.0, beta = 0.5}
      }`),
    )
    expect(print(graph)).toContain('b: f32[2] = [0.5, 1]')
    expect(print(graph)).toContain('w: f32[2,2] = [2, 4, 6, 8]')
  })

  test('a missing range is an error that names the value', () => {
    expect(() => quantizeStatic(plan(chain), { ranges: new Map(), scheme: defaultScheme })).toThrow(
      expect.objectContaining({ code: 'quantize.no-range', subject: 'x' }),
    )
  })
})
