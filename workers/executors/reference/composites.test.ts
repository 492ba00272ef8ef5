import { describe, expect, test } from 'vitest'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { parse } from '../../graph/parse.ts'
import { sizeOf } from '../../graph/tensor.ts'
import { evaluate } from './evaluate.ts'
import { floatArray, type NdArray, type Values } from './value.ts'

const random = mulberry32(42)
const noise = (...dims: number[]): NdArray =>
  floatArray(
    'f32',
    dims,
    Float64Array.from({ length: sizeOf(dims) }, () => gaussian(random)),
  )

const numbersOf = (value: Values[string] | undefined): number[] => [...((value as NdArray).data as Float64Array)]

/** Runs one call, `y = Op(a, b) {…}`, in float64. */
function call(node: string, feeds: Record<string, NdArray>, outputs = ['y']): Values {
  const inputs = Object.keys(feeds).join(', ')
  return evaluate(parse(`graph (${inputs}) -> (${outputs.join(', ')}) { ${node} }`), feeds, { precision: 'f64' })
}

/** Central differences of Σ weights·f(x) by every element of one feed. */
function differences(
  f: (feeds: Record<string, NdArray>) => number[],
  feeds: Record<string, NdArray>,
  wrt: string,
  weights: ArrayLike<number>,
): number[] {
  const step = 1e-4
  const x = feeds[wrt] as NdArray
  const loss = (i: number, by: number) => {
    const data = (x.data as Float64Array).slice()
    data[i] = (data[i] as number) + by
    return f({ ...feeds, [wrt]: { ...x, data } }).reduce((sum, y, k) => sum + y * (weights[k] as number), 0)
  }
  return Array.from({ length: x.data.length }, (_, i) => (loss(i, step) - loss(i, -step)) / (2 * step))
}

function expectClose(found: readonly number[], expected: readonly number[], tolerance = 1e-7): void {
  const scale = Math.max(1, ...expected.map(Math.abs))
  const worst = Math.max(...found.map((v, i) => Math.abs(v - (expected[i] as number))))
  expect(found).toHaveLength(expected.length)
  expect(worst / scale).toBeLessThan(tolerance)
}

/** Attributes, the input's and the weight's shape: 1 to 3 axes, groups, and every way to pad. */
const convolutions: readonly (readonly [string, number[], number[]])[] = [
  ['', [2, 3, 7], [4, 3, 3]],
  ['strides=[2], pads=[2,0], dilations=[2]', [2, 3, 9], [4, 3, 3]],
  ['', [2, 3, 5, 6], [4, 3, 3, 2]],
  ['strides=[2,3], pads=[1,0,2,1]', [1, 2, 7, 8], [3, 2, 3, 2]],
  ['dilations=[2,1], pads=[2,1,2,1]', [1, 2, 6, 5], [3, 2, 3, 3]],
  ['group=2, pads=[1,1,1,1]', [1, 4, 5, 5], [6, 2, 3, 3]],
  ['group=4, strides=[2,2], pads=[1,1,1,1]', [2, 4, 6, 6], [4, 1, 3, 3]],
  ['auto_pad="SAME_UPPER", strides=[2,2]', [1, 2, 5, 6], [2, 2, 4, 3]],
  ['auto_pad="SAME_LOWER", strides=[2,2]', [1, 2, 5, 6], [2, 2, 4, 3]],
  ['auto_pad="VALID"', [1, 2, 5, 6], [2, 2, 3, 3]],
  ['group=2, strides=[1,2,2], pads=[1,0,1,0,1,1]', [1, 4, 3, 5, 4], [2, 2, 2, 3, 2]],
]

describe('the gradients of Conv', () => {
  test.each(convolutions)('{%s} x%j w%j', (attributes, xDims, wDims) => {
    const feeds = { x: noise(...xDims), w: noise(...wDims) }
    const conv = (given: Record<string, NdArray>) => call(`y = Conv(x, w) {${attributes}}`, given)
    const y = conv(feeds)['y'] as NdArray
    const dy = noise(...y.dims)
    const weights = dy.data as Float64Array
    const forward = (given: Record<string, NdArray>) => numbersOf(conv(given)['y'])
    const dx = call(`y = ai.alambic.ConvInputGrad(dy, w, x) {${attributes}}`, { ...feeds, dy })
    const dw = call(`y = ai.alambic.ConvFilterGrad(dy, x, w) {${attributes}}`, { ...feeds, dy })
    expectClose(numbersOf(dx['y']), differences(forward, feeds, 'x', weights))
    expectClose(numbersOf(dw['y']), differences(forward, feeds, 'w', weights))
  })
})

const poolings: readonly (readonly [string, number[]])[] = [
  ['kernel_shape=[3]', [2, 2, 8]],
  ['kernel_shape=[2,3], strides=[2,2]', [1, 2, 6, 7]],
  ['kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]', [2, 2, 6, 5]],
  ['kernel_shape=[3,3], strides=[2,2], ceil_mode=1', [1, 2, 6, 6]],
  ['kernel_shape=[2,2], dilations=[2,2]', [1, 2, 6, 6]],
  ['kernel_shape=[3,2], strides=[2,2], auto_pad="SAME_UPPER"', [1, 2, 5, 6]],
  ['kernel_shape=[2,2,2], strides=[2,1,2]', [1, 2, 4, 3, 4]],
]

describe('the gradients of pooling', () => {
  test.each(poolings)('MaxPool {%s} x%j', (attributes, dims) => {
    const feeds = { x: noise(...dims) }
    const pool = (given: Record<string, NdArray>) => call(`y = MaxPool(x) {${attributes}}`, given)
    const y = pool(feeds)['y'] as NdArray
    const dy = noise(...y.dims)
    const dx = call(`g = ai.alambic.MaxPoolGrad(dy, x, y) {${attributes}}`, { dy, ...feeds, y }, ['g'])
    const expected = differences((given) => numbersOf(pool(given)['y']), feeds, 'x', dy.data as Float64Array)
    expectClose(numbersOf(dx['g']), expected)
  })

  test('of equal maxima the first in row-major order gets all, as Indices say', () => {
    const x = floatArray('f32', [1, 1, 2, 4], Float64Array.of(1, 1, 2, 5, 1, 1, 5, 5))
    const pooled = call('y, i = MaxPool(x) {kernel_shape=[2,2], strides=[2,2]}', { x }, ['y', 'i'])
    const dy = floatArray('f32', [1, 1, 1, 2], Float64Array.of(3, 7))
    const attributes = '{kernel_shape=[2,2], strides=[2,2]}'
    const y = pooled['y'] as NdArray
    const { g } = call(`g = ai.alambic.MaxPoolGrad(dy, x, y) ${attributes}`, { dy, x, y }, ['g'])
    expect(numbersOf(g)).toEqual([3, 0, 0, 7, 0, 0, 0, 0])
    expect([...(pooled['i'] as NdArray).data]).toEqual([0n, 3n])
  })

  test.each([
    ...poolings,
    ['kernel_shape=[3,3], strides=[2,2], pads=[1,0,1,2], count_include_pad=1', [1, 2, 6, 5]],
    ['kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], count_include_pad=1, ceil_mode=1', [1, 2, 6, 6]],
  ] as const)('AveragePool {%s} x%j', (attributes, dims) => {
    const feeds = { x: noise(...dims) }
    const pool = (given: Record<string, NdArray>) => call(`y = AveragePool(x) {${attributes}}`, given)
    const dy = noise(...(pool(feeds)['y'] as NdArray).dims)
    const dx = call(`g = ai.alambic.AveragePoolGrad(dy, x) {${attributes}}`, { dy, ...feeds }, ['g'])
    const expected = differences((given) => numbersOf(pool(given)['y']), feeds, 'x', dy.data as Float64Array)
    expectClose(numbersOf(dx['g']), expected)
  })
})

describe('batch normalisation in training', () => {
  const outputs = ['y', 'mean2', 'var2', 'saved', 'inverse']
  const node =
    'y, mean2, var2, saved, inverse = ai.alambic.BatchNormTraining(x, s, b, m, v) {epsilon=0.015625, momentum=0.75}'
  const feeds = { x: noise(3, 2, 2, 2), s: noise(2), b: noise(2), m: noise(2), v: noise(2) }

  test('is BatchNormalization in training_mode, and puts out what its gradient needs', () => {
    const ours = call(node, feeds, outputs)
    const attributes = '{epsilon=0.015625, momentum=0.75, training_mode=1}'
    const onnx = call(`y, mean2, var2 = BatchNormalization(x, s, b, m, v) ${attributes}`, feeds, outputs.slice(0, 3))
    for (const name of outputs.slice(0, 3)) expectClose(numbersOf(ours[name]), numbersOf(onnx[name]), 1e-12)
    const x = feeds.x.data as Float64Array
    const channel = [...x].filter((_, i) => Math.floor(i / 4) % 2 === 1)
    const mean = channel.reduce((a, b) => a + b, 0) / channel.length
    const variance = channel.reduce((a, b) => a + (b - mean) ** 2, 0) / channel.length
    expect(numbersOf(ours['saved'])[1]).toBeCloseTo(mean, 12)
    expect(numbersOf(ours['inverse'])[1]).toBeCloseTo(1 / Math.sqrt(variance + 0.015625), 12)
  })

  test('its gradients are those of finite differences', () => {
    const forward = call(node, feeds, outputs)
    const dy = noise(3, 2, 2, 2)
    const gradient = call(
      'dx, ds, db = ai.alambic.BatchNormGrad(dy, x, s, saved, inverse)',
      { dy, x: feeds.x, s: feeds.s, saved: forward['saved'] as NdArray, inverse: forward['inverse'] as NdArray },
      ['dx', 'ds', 'db'],
    )
    const y = (given: Record<string, NdArray>) => numbersOf(call(node, given, outputs)['y'])
    for (const [name, wrt] of [
      ['dx', 'x'],
      ['ds', 's'],
      ['db', 'b'],
    ] as const) {
      expectClose(numbersOf(gradient[name]), differences(y, feeds, wrt, dy.data as Float64Array), 1e-6)
    }
  })
})

describe('FakeQuant', () => {
  test('rounds halves to even and clamps', () => {
    const x = floatArray('f32', [7], Float64Array.of(-3, -1.2, 0.25, 0.75, 0.3, 0.9, 5))
    const s = floatArray('f32', [], Float64Array.of(0.5))
    const { y } = call('y = ai.alambic.FakeQuant(x, s) {quant_min=-4, quant_max=3}', { x, s })
    expect(numbersOf(y)).toEqual([-2, -1, 0, 1, 0.5, 1, 1.5])
  })

  test('per channel it is QuantizeLinear and back', () => {
    const feeds = { x: noise(3, 4, 2), s: floatArray('f32', [4], Float64Array.of(0.1, 0.2, 0.05, 0.4)) }
    const z = { kind: 'tensor', dtype: 'i8', dims: [4], data: Int8Array.of(3, -7, 0, 10) } as const
    const reals = floatArray('f32', [4], Float64Array.from(z.data))
    const ours = call('y = ai.alambic.FakeQuant(x, s, z) {axis=1, quant_min=-128, quant_max=127}', {
      ...feeds,
      z: reals,
    })
    const onnx = call('q = QuantizeLinear(x, s, z) {axis=1} y = DequantizeLinear(q, s, z) {axis=1}', { ...feeds, z })
    expect(numbersOf(ours['y'])).toEqual(numbersOf(onnx['y']))
  })
})
