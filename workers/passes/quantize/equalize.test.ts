import { describe, expect, test } from 'vitest'
import { parse } from '../../graph/parse.ts'
import { arrayOf, numbersOf, type Tensor } from '../../graph/tensor.ts'
import { withNoise } from '../../testing/noise.ts'
import { largestDifference, randomFeeds, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { absorbHighBias } from './absorb.ts'
import { equalizeLayers } from './equalize.ts'
import { prepareForQuantization } from './prepare.ts'

const valuesOf = (tensor: Tensor | undefined) => (tensor ? numbersOf(tensor) : [])

async function difference(text: string, options = {}) {
  const graph = prepareForQuantization(parse(withNoise(text, { spread: 1 })))
  const { graph: equal, report } = equalizeLayers(graph, options)
  const feeds = randomFeeds(graph)
  const [before, after] = [await runInOnnxruntime(graph, feeds), await runInOnnxruntime(equal, feeds)]
  return { worst: largestDifference(before['y']?.values ?? [], after['y']?.values ?? []), report, equal }
}

describe('cross-layer equalization', () => {
  test('gives both sides the same ranges', () => {
    const graph = prepareForQuantization(
      parse(`graph (x: f32[1,2]) -> (y) opset 17 {
        const w: f32[2,2] = [10, -4, 0.1, 0.05]
        const b: f32[2] = [1, 1]
        const v: f32[2,2] = [0.5, 8, -1, 4]
        h = Gemm(x, w, b) {transB = 1}
        r = Relu(h)
        y = Gemm(r, v) {transB = 1}
      }`),
    )
    const { graph: equal, report } = equalizeLayers(graph)
    const [first, second] = report.pairs[0]?.factors ?? []
    expect(first).toBeCloseTo(3.1623, 4)
    expect(second).toBeCloseTo(0.1118, 4)
    const w = valuesOf(equal.initializers.get('w'))
    const v = valuesOf(equal.initializers.get('v'))
    expect(Math.max(...w.slice(0, 2).map(Math.abs))).toBeCloseTo(3.1623, 4)
    expect(Math.max(...w.slice(2).map(Math.abs))).toBeCloseTo(0.8944, 4)
    expect(Math.max(Math.abs(v[0] ?? 0), Math.abs(v[2] ?? 0))).toBeCloseTo(3.1623, 4)
    expect(Math.max(Math.abs(v[1] ?? 0), Math.abs(v[3] ?? 0))).toBeCloseTo(0.8944, 4)
    expect(valuesOf(equal.initializers.get('b'))[0]).toBeCloseTo(1 / 3.1623, 4)
  })

  test('leaves the function as it was through convolutions, depthwise and grouped, and pools', async () => {
    const { worst, report } = await difference(`graph (x: f32[2,4,8,8]) -> (y) opset 17 {
      const w: f32[6,4,3,3] = noise
      const b: f32[6] = noise
      const d: f32[6,1,3,3] = noise
      const e: f32[6] = noise
      const g: f32[4,3,1,1] = noise
      const v: f32[5,4,1,1] = noise
      a = Conv(x, w, b) {pads = [1,1,1,1]}
      r = Relu(a)
      c = Conv(r, d, e) {pads = [1,1,1,1], group = 6}
      l = LeakyRelu(c) {alpha = 0.2}
      p = MaxPool(l) {kernel_shape = [2,2], strides = [2,2]}
      f = Conv(p, g) {group = 2}
      y = Conv(f, v)
    }`)
    expect(report.pairs).toHaveLength(3)
    expect(report.rounds).toBeGreaterThan(1)
    expect(worst).toBeLessThan(1e-4)
  })

  test('stops at what does not scale, and at values that are read twice', async () => {
    const { report } = await difference(`graph (x: f32[2,4]) -> (y) opset 17 {
      const w: f32[4,4] = noise
      const v: f32[4,4] = noise
      const u: f32[4,4] = noise
      a = MatMul(x, w)
      s = Sigmoid(a)
      b = MatMul(s, v)
      c = MatMul(b, u)
      y = Add(b, c)
    }`)
    expect(report.pairs).toEqual([])
  })

  test('Relu6 stays unless told', async () => {
    const text = `graph (x: f32[1,2,4,4]) -> (y) opset 17 {
      const w: f32[3,2,1,1] = noise
      const v: f32[3,3,1,1] = noise
      const lo: f32[] = [0]
      const hi: f32[] = [6]
      a = Conv(x, w)
      c = Clip(a, lo, hi) "clip"
      y = Conv(c, v)
    }`
    expect((await difference(text)).report.pairs).toEqual([])
    const { report, worst } = await difference(text, { replaceRelu6: true })
    expect(report.pairs).toHaveLength(1)
    expect(report.replaced).toEqual(['clip'])
    // None of these inputs reaches 6.
    expect(worst).toBeLessThan(1e-4)
  })
})

describe('high-bias absorption', () => {
  const graph = prepareForQuantization(
    parse(
      withNoise(`graph (x: f32[4,3,4,4]) -> (y) opset 17 {
        const w: f32[2,3,1,1] = [0.1, 0.1, 0.1, 0.1, -0.1, 0.1]
        const b: f32[2] = [5, -0.2]
        const v: f32[3,2,1,1] = noise
        a = Conv(x, w, b)
        r = Relu(a)
        y = Conv(r, v)
      }`),
    ),
  )

  test('moves what is always there to the next layer, exactly', async () => {
    const moments = new Map([['a', { mean: [5, -0.2], deviation: [0.4, 0.4] }]])
    const { graph: absorbed, report } = absorbHighBias(graph, moments)
    expect(report.absorbed).toEqual([{ layer: 'a', channels: 1 }])
    expect(valuesOf(absorbed.initializers.get('b'))[0]).toBeCloseTo(5 - 3.8, 5)
    const feeds = randomFeeds(graph)
    expect(Math.max(...(arrayOf(feeds['x'] as Tensor) as Float32Array).map(Math.abs))).toBeLessThan(10)
    const [before, after] = [await runInOnnxruntime(graph, feeds), await runInOnnxruntime(absorbed, feeds)]
    expect(largestDifference(before['y']?.values ?? [], after['y']?.values ?? [])).toBeLessThan(1e-5)
  })

  test('does nothing where nothing is high', () => {
    const moments = new Map([['a', { mean: [1, -0.2], deviation: [0.4, 0.4] }]])
    expect(absorbHighBias(graph, moments).graph).toBe(graph)
  })
})
