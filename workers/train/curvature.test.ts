import { describe, expect, test } from 'vitest'
import { evaluate } from '../executors/reference/evaluate.ts'
import type { NdArray } from '../executors/reference/value.ts'
import type { Graph } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { numbersOf, sizeOf, f32 } from '../graph/tensor.ts'
import { Emitter } from '../ops/emit.ts'
import { inferTypes } from '../ops/infer.ts'
import { randomGraph } from '../testing/pruning.ts'
import { curvatureGraph } from './curvature.ts'
import { crossEntropy } from './losses.ts'

const noise = (dims: readonly number[], seed: number) => {
  const random = mulberry32(seed)
  return f32(
    Float32Array.from({ length: sizeOf(dims) }, () => gaussian(random)),
    dims,
  )
}

function curvaturesOf(graph: Graph, x: ReturnType<typeof noise>, of: readonly string[]): Record<string, number[]> {
  const { graph: made, curvatures } = curvatureGraph(graph, { batch: x.dims[0] ?? 1, of })
  const results = evaluate(made, { x }, { precision: 'f64' })
  return Object.fromEntries(
    [...curvatures].map(([name, output]) => [name, [...(results[output] as NdArray).data].map(Number)]),
  )
}

/** Central second differences of the mean cross-entropy by every element of a weight. */
function secondDifferences(graph: Graph, x: ReturnType<typeof noise>, weight: string): number[] {
  const g = new Emitter(inferTypes(graph))
  const loss = crossEntropy().build({ g, outputs: [graph.outputs[0]?.name ?? ''], feed: (n, t, s) => g.input(n, t, s) })
  g.outputs.length = 0
  g.output(loss)
  const built = g.build()
  const labels = {
    kind: 'tensor',
    dtype: 'i64',
    dims: [x.dims[0] ?? 1],
    data: new BigInt64Array(x.dims[0] ?? 1).fill(1n),
  } as const
  const own = graph.initializers.get(weight) ?? f32([])
  const values = Float64Array.from(numbersOf(own))
  const rest = built.with({
    inputs: [...built.inputs, { name: weight, type: { kind: 'tensor', dtype: 'f32', shape: own.dims } }],
    initializers: new Map([...built.initializers].filter(([name]) => name !== weight)),
  })
  const at = (data: Float64Array): number => {
    const feeds = { x, labels, [weight]: { kind: 'tensor', dtype: 'f32', dims: own.dims, data } as const }
    return Number((evaluate(rest, feeds, { precision: 'f64' })[loss] as NdArray).data[0])
  }
  const step = 1e-4
  return [...values].map(
    (v, i) => (at(values.with(i, v + step)) - 2 * at(values) + at(values.with(i, v - step))) / step ** 2,
  )
}

function expectClose(found: readonly number[] | undefined, expected: readonly number[], tolerance = 1e-5): void {
  expect(found).toHaveLength(expected.length)
  expected.forEach((v, i) => expect(Math.abs((found?.[i] ?? NaN) - v)).toBeLessThan(tolerance))
}

describe('diagonal second derivatives', () => {
  test('are exact for the last layer', () => {
    const graph = randomGraph(`graph (x: f32[6,3]) -> (y: f32[6,4]) opset 18 {
      const v: f32[3,5] = 1 h = MatMul(x, v) r = Relu(h) const w: f32[4,5] = 1 const b: f32[4] = 1 y = Gemm(r, w, b) {transB=1} }`)
    const x = noise([6, 3], 1)
    const found = curvaturesOf(graph, x, ['w', 'b'])
    for (const name of ['w', 'b']) expectClose(found[name], secondDifferences(graph, x, name))
  })

  test('and for γ and β of a batch normalization before a sum over each channel', () => {
    // Every channel has one position, and its own logit: nothing off the diagonal is lost.
    const graph = parse(`graph (x: f32[5,2]) -> (y: f32[5,2]) opset 18 {
      const s: f32[2] = [0.7, -1.2] const b: f32[2] = [0.1, 0.3] const m: f32[2] = [0.2, 0] const v: f32[2] = [1, 2]
      y = BatchNormalization(x, s, b, m, v) }`)
    const x = noise([5, 2], 2)
    const found = curvaturesOf(graph, x, ['s', 'b'])
    for (const name of ['s', 'b']) expectClose(found[name], secondDifferences(graph, x, name))
  })

  test('of a hidden layer are Σ w²h through the squared slope, by hand', () => {
    const graph = randomGraph(`graph (x: f32[1,2]) -> (y: f32[1,3]) opset 18 {
      const v: f32[2,4] = 1 h = MatMul(x, v) t = Tanh(h) const w: f32[4,3] = 1 y = MatMul(t, w) }`)
    const x = noise([1, 2], 3)
    const [v, w, xs] = [
      numbersOf(graph.initializers.get('v') ?? f32([])),
      numbersOf(graph.initializers.get('w') ?? f32([])),
      numbersOf(x),
    ]
    const t = [0, 1, 2, 3].map((j) => Math.tanh(xs.reduce((s, value, i) => s + value * (v[4 * i + j] as number), 0)))
    const z = [0, 1, 2].map((k) => t.reduce((s, value, j) => s + value * (w[3 * j + k] as number), 0))
    const total = z.reduce((s, value) => s + Math.exp(value), 0)
    const hz = z.map((value) => (Math.exp(value) / total) * (1 - Math.exp(value) / total))
    const hh = t.map(
      (value, j) => (1 - value ** 2) ** 2 * hz.reduce((s, h, k) => s + (w[3 * j + k] as number) ** 2 * h, 0),
    )
    const expected = xs.flatMap((value) => hh.map((h) => value ** 2 * h))
    expectClose(curvaturesOf(graph, x, ['v'])['v'], expected, 1e-7)
  })

  test('go through convolutions, pooling, joins and residual sums', () => {
    const graph = randomGraph(`graph (x: f32[2,3,6,6]) -> (y: f32[2,3]) opset 18 {
      const w1: f32[4,3,3,3] = 1 const b1: f32[4] = 1 a = Conv(x, w1, b1) {pads=[1,1,1,1]} const g1: f32[4] = 1 const e1: f32[4] = 1 const m1: f32[4] = 1 const var1: f32[4] = 2
      n = BatchNormalization(a, g1, e1, m1, var1) r = Relu(n) const w2: f32[4,4,1,1] = 1 c = Conv(r, w2) s = Add(c, r) p = MaxPool(s) {kernel_shape=[2,2], strides=[2,2]}
      q = AveragePool(p) {kernel_shape=[3,3]} j = Concat(q, q) {axis=1} f = Flatten(j) const w3: f32[8,3] = 1 y = Gemm(f, w3) {alpha=0.5} }`)
    const found = curvaturesOf(graph, noise([2, 3, 6, 6], 4), ['w1', 'b1', 'g1', 'e1', 'w2', 'w3'])
    for (const [name, values] of Object.entries(found)) {
      expect(values).toHaveLength(sizeOf(graph.initializers.get(name)?.dims ?? []))
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
      expect(Math.max(...values)).toBeGreaterThan(0)
    }
    expectClose(found['w3'], secondDifferences(graph, noise([2, 3, 6, 6], 4), 'w3'))
  })

  test('stop where a square is not known, and say so', () => {
    const graph = randomGraph(
      'graph (x: f32[2,3]) -> (y: f32[2,3]) opset 18 { const w: f32[3,3] = 1 h = MatMul(x, w) y = Softmax(h) "attention" }',
    )
    expect(() => curvatureGraph(graph, { batch: 2, of: ['w'] })).toThrow(
      expect.objectContaining({ code: 'curvature.unsupported', subject: 'attention' }),
    )
  })
})
