import { describe, expect, test } from 'vitest'
import { parse } from '../graph/parse.ts'
import { print } from '../graph/print.ts'
import { setBatch } from './batch.ts'

describe('changing a fixed batch size', () => {
  test('constant reshape targets are opened, the types follow', () => {
    const graph = parse(`graph (x: f32[1,3,8,8]) -> (y: f32[1,10]) {
      const w: f32[16,3,3,3] = 0
      const fc: f32[576,10] = 0
      const flat: i64[2] = [1, -1]
      const groups: i64[5] = [1, 2, 8, 6, 6]
      const back: i64[4] = [1, 16, 6, 6]
      c: f32[1,16,6,6] = Conv(x, w)
      g = Reshape(c, groups)
      t = Transpose(g) {perm=[0,2,1,3,4]}
      s = Reshape(t, back)
      f = Reshape(s, flat)
      y = MatMul(f, fc)
    }`)
    expect(print(setBatch(graph, 'N'), { types: true })).toMatchInlineSnapshot(`
      "graph main (x: f32[N,3,8,8]) -> (y: f32[N,10]) opset 17 {
        const w: f32[16,3,3,3] = 0
        const fc: f32[576,10] = 0
        const flat: i64[2] = [1, -1]
        const groups: i64[5] = [1, 2, 8, 6, 6]
        const back: i64[4] = [1, 16, 6, 6]
        const g_target: i64[5] = [-1, 2, 8, 6, 6]
        const s_target: i64[4] = [-1, 16, 6, 6]
        const f_target: i64[2] = [0, -1]
        c: f32[N,16,6,6] = Conv(x, w)
        g: f32[N,2,8,6,6] = Reshape(c, g_target)
        t: f32[N,8,2,6,6] = Transpose(g) {perm = [0, 2, 1, 3, 4]}
        s: f32[N,16,6,6] = Reshape(t, s_target)
        f: f32[N,576] = Reshape(s, f_target)
        y = MatMul(f, fc)
      }"
    `)
    expect(setBatch(graph, 4).outputs[0]?.type).toMatchObject({ shape: [4, 10] })
  })

  test('a batch that is folded into heads', () => {
    const graph = parse(`graph (x: f32[1,12,6,4]) -> (y) {
      const heads: i64[3] = [12, 6, 4]
      const back: i64[4] = [1, 12, 6, 4]
      h = Reshape(x, heads)
      r = Softmax(h)
      y = Reshape(r, back)
    }`)
    expect(setBatch(graph, 5).outputs[0]?.type).toMatchObject({ shape: [5, 12, 6, 4] })
  })

  test('a target that several nodes share is changed only where it must be', () => {
    const graph = parse(`graph (x: f32[1,4]) -> (y, z) {
      const t: i64[2] = [2, 2]
      const w: f32[4] = 0
      a = Reshape(w, t)
      z = Relu(a)
      y = Reshape(x, t)
    }`)
    const four = setBatch(graph, 4)
    expect(four.outputs.map((v) => v.type)).toMatchObject([{ shape: [8, 2] }, { shape: [2, 2] }])
  })

  test.each([
    [
      'a constant that is joined to the data',
      `graph (x: f32[1,4,8]) -> (y) { const token: f32[1,1,8] = 0  y = Concat(token, x) {axis=1} }`,
      /node "y" \(Concat\)/,
    ],
    [
      'a reshape that mixes the batch with other axes',
      `graph (x: f32[1,4,8]) -> (y) { const t: i64[2] = [4, 8]  p = Transpose(x) {perm=[1,0,2]}  y = Reshape(p, t) }`,
      /node "y" \(Reshape\): its constant target has the batch size built in/,
    ],
    [
      'an output that loses the batch',
      `graph (x: f32[1,4]) -> (y: f32[1,4]) { const s: i64[1] = [1]  y = ReduceSum(x, axes) {keepdims=1}  const axes: i64[1] = [0] }`,
      /output "y" does not follow it/,
    ],
  ])('%s is refused', (_, text, message) => {
    expect(() => setBatch(parse(text), 8)).toThrow(message)
    expect(() => setBatch(parse(text), 8)).toThrow(expect.objectContaining({ code: 'ops.fixed-batch' }))
  })
})
