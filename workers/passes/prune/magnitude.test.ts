import { expect, test } from 'vitest'
import { parse } from '../../graph/parse.ts'
import { arrayOf, f32, type Tensor } from '../../graph/tensor.ts'
import { layerWeights } from '../layer-weights.ts'
import { lampScores, pruneMagnitude } from './magnitude.ts'

const graph = parse(`
  graph (x: f32[N,2]) -> (y) opset 18 {
    const a: f32[2,3] = [1, -2, 3, -4, 5, -6]
    const b: f32[3,2] = [0.1, 0.2, -0.3, 0.4, 0.5, 0.6]
    const bias: f32[3] = [9, 9, 9]
    h = Gemm(x, a, bias)
    y = MatMul(h, b)
  }`)
const layers = layerWeights(graph)
const weightsOf = (g: typeof graph, name: string) =>
  [...(arrayOf(g.initializers.get(name) as Tensor) as Float32Array)].map((v) => Number(v.toFixed(4)))

test('the same share of each layer; biases stay', () => {
  const result = pruneMagnitude(graph, layers, { keep: 0.5, scope: 'layer' })
  expect(weightsOf(result.graph, 'a')).toEqual([0, 0, 0, -4, 5, -6])
  expect(weightsOf(result.graph, 'b')).toEqual([0, 0, 0, 0.4, 0.5, 0.6])
  expect(weightsOf(result.graph, 'bias')).toEqual([9, 9, 9])
  expect(result.layers).toEqual([
    { name: 'a', elements: 6, kept: 3 },
    { name: 'b', elements: 6, kept: 3 },
  ])
})

test('one threshold empties the layer of small weights, the LAMP score does not', () => {
  expect(weightsOf(pruneMagnitude(graph, layers, { keep: 0.5, scope: 'global' }).graph, 'b')).toEqual([
    0, 0, 0, 0, 0, 0,
  ])
  const lamp = pruneMagnitude(graph, layers, { keep: 0.5 })
  expect(weightsOf(lamp.graph, 'b').filter((w) => w !== 0).length).toBeGreaterThan(1)
})

test('LAMP scores: w² over the squares of what is at least as large, 1 for the largest', () => {
  const scores = lampScores(f32([1, -3, 2, 0]))
  expect([...scores]).toEqual([1 / 14, 1, 4 / 13, 0])
})

test('by layer, with patterns; what is zero stays zero', () => {
  const once = pruneMagnitude(graph, layers, { keep: { 'a*': 2 / 6 } }).graph
  expect(weightsOf(once, 'a')).toEqual([0, 0, 0, 0, 5, -6])
  expect(weightsOf(once, 'b')).toEqual([0.1, 0.2, -0.3, 0.4, 0.5, 0.6])
  const again = pruneMagnitude(once, layerWeights(once), { keep: { a: 1 } }).graph
  expect(weightsOf(again, 'a')).toEqual([0, 0, 0, 0, 5, -6])
})

test('a pattern that fits no layer is named', () => {
  expect(() => pruneMagnitude(graph, layers, { keep: { 'conv*': 0.5 } })).toThrow(
    expect.objectContaining({ code: 'model.no-layer', found: 'conv*' }) as Error,
  )
})
