import { describe, expect, test } from 'vitest'
import { parse } from '../../graph/parse.ts'
import { print } from '../../graph/print.ts'
import { i64, tensorOf } from '../../graph/tensor.ts'
import { verify } from '../../graph/verify.ts'
import { largestDifference, randomFeeds, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { resolveBranches, simplify, specialize } from '../index.ts'

describe('an If that sizes decide', () => {
  // Exporters write this for `if x.dim() == 1` and `if x.size(0) == 1`.
  const graph = parse(`graph (x: f32[1,3]) -> (y) {
    s = Shape(x)  const zero: i64[] = 0  const one: i64[] = 1
    rows = Gather(s, zero)  c = Equal(rows, one)
    h = If(c) {
      then_branch = graph () -> (a) { const w: f32[3] = [1, 2, 3]  const k: i64[1] = [0]  m = Mul(x, w)  a = Squeeze(m, k) },
      else_branch = graph () -> (b) { const w: f32[3] = [4, 5, 6]  b = Mul(x, w) }
    }
    y = Neg(h)
  }`)

  test('becomes its branch', () => {
    const after = simplify(graph)
    verify(after)
    expect(print(after)).toMatchInlineSnapshot(`
      "graph main (x: f32[1,3]) -> (y) opset 17 {
        const w_1: f32[3] = [1, 2, 3]
        const k: i64[1] = [0]
        m = Mul(x, w_1)
        a = Squeeze(m, k)
        y = Neg(a)
      }"
    `)
  })

  test('computes the same', async () => {
    const feeds = randomFeeds(graph)
    const [before, after] = [await runInOnnxruntime(graph, feeds), await runInOnnxruntime(simplify(graph), feeds)]
    expect(largestDifference(before['y']?.values ?? [], after['y']?.values ?? [NaN])).toBe(0)
  })

  test('stays while the size is open', () => {
    const open = parse(print(graph).replace('f32[1,3]', 'f32[N,3]'))
    expect(resolveBranches(open).report.modified).toBe(false)
  })
})

test('branches inside branches, outputs that are outer values, and several outputs', async () => {
  const graph = parse(`graph (x: f32[2,3]) -> (y, z) {
    const yes: bool[] = 1  const no: bool[] = 0
    y, z = If(yes) {
      then_branch = graph () -> (a, b) {
        a = Identity(x)
        b = If(no) {
          then_branch = graph () -> (p) { p = Neg(x) },
          else_branch = graph () -> (q) { const v: f32[3] = 2  q = Mul(x, v) }
        }
      },
      else_branch = graph () -> (c, d) { c = Neg(x)  d = Neg(x) }
    }
  }`)
  const after = simplify(graph)
  verify(after)
  expect(after.nodes.map((n) => n.op)).toEqual(['Mul', 'Identity'])
  const feeds = { x: tensorOf('f32', [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)) }
  const outputs = await runInOnnxruntime(after, feeds)
  expect(outputs['y']?.values).toEqual([1, 2, 3, 4, 5, 6])
  expect(outputs['z']?.values).toEqual([2, 4, 6, 8, 10, 12])
})

test('a condition that is an input with a default is not decided', () => {
  const graph = parse(`graph (c: bool[], x: f32[2]) -> (y) {
    const c: bool[] = 1
    y = If(c) { then_branch = graph () -> (a) { a = Neg(x) }, else_branch = graph () -> (b) { b = Abs(x) } }
  }`)
  expect(resolveBranches(graph).report.modified).toBe(false)
})

describe('specialize', () => {
  const graph = parse(`graph (x: f32[N,3], rate: i64[], scale: f32[3]) -> (y) {
    const fast: i64[] = 16  c = Equal(rate, fast)
    h = If(c) {
      then_branch = graph () -> (a) { const w: f32[3] = 1  a = Add(x, w) },
      else_branch = graph () -> (b) { const w: f32[3] = 2  b = Add(x, w) }
    }
    y = Mul(h, scale)
  }`)

  test('makes constants of inputs, numbers of sizes, and decides what they decide', async () => {
    const after = specialize(graph, { inputs: { rate: 8, scale: 0.5 }, dims: { N: 2 } })
    verify(after)
    expect(after.inputs).toMatchObject([{ name: 'x', type: { shape: [2, 3] } }])
    expect(after.nodes.map((n) => n.op)).toEqual(['Add', 'Mul'])
    const x = tensorOf('f32', [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))
    const feeds = { x, rate: i64([8], []), scale: tensorOf('f32', [3], Float32Array.of(0.5, 0.5, 0.5)) }
    expect((await runInOnnxruntime(after, { x }))['y']).toEqual((await runInOnnxruntime(graph, feeds))['y'])
  })

  test('frees a fixed batch', () => {
    const fixed = parse('graph (x: f32[1,3,2]) -> (y) { const s: i64[2] = [1, 6]  y = Reshape(x, s) }')
    expect(specialize(fixed, { batch: 'N' }).outputs).toMatchObject([{ type: { shape: ['N', 6] } }])
  })

  test.each([
    ['graph.no-input', { inputs: { speed: 1 } }],
    ['graph.open-input', { inputs: { x: 0 } }],
    ['ops.unknown-dimension', { dims: { M: 1 } }],
  ])('says what it can not do: %s', (code, wanted) => {
    expect(() => specialize(graph, wanted)).toThrow(expect.objectContaining({ code }))
  })
})
