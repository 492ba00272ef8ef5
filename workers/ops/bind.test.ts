import { describe, expect, test } from 'vitest'
import { parse } from '../graph/parse.ts'
import { print } from '../graph/print.ts'
import { tensorType } from '../graph/types.ts'
import { bindDims, symbolsOf } from './bind.ts'

const graph = parse(`graph (x: f32[N,3,H,W], past: f32[N,"P + 1"]) -> (y: f32[N,8,out], z) {
  const w: f32[8,3,3,3] = 0
  c: f32[1,8,9,9] = Conv(x, w)
  f = Reshape(c, t)
  const t: i64[3] = [0, 8, -1]
  y = Relu(f)
  z = Concat(past, past) {axis=1}
}`)

describe('binding symbolic sizes', () => {
  test('everything that follows from a size is evaluated; stale types go', () => {
    expect(print(bindDims(graph, { N: 128, H: 32, W: 16, P: 9 }), { types: true })).toMatchInlineSnapshot(`
      "graph main (x: f32[128,3,32,16], past: f32[128,10]) -> (y: f32[128,8,420], z: f32[128,20]) opset 17 {
        const w: f32[8,3,3,3] = 0
        const t: i64[3] = [0, 8, -1]
        c: f32[128,8,30,14] = Conv(x, w)
        f: f32[128,8,420] = Reshape(c, t)
        y = Relu(f)
        z = Concat(past, past) {axis = 1}
      }"
    `)
  })

  test('a part of the sizes, and other names', () => {
    const bound = bindDims(graph, { N: 'B', P: 3 })
    expect(bound.inputs.map((v) => v.type)).toEqual([
      tensorType('f32', ['B', 3, 'H', 'W']),
      tensorType('f32', ['B', 4]),
    ])
    expect(bound.outputs[1]?.type).toEqual(tensorType('f32', ['B', 8]))
  })

  test('subgraphs are bound too', () => {
    const text = `graph (x: f32[N,4], c: bool[]) -> (y) {
      y = If(c) { then_branch=graph () -> (a: f32[N,4]) { a = Neg(x) }, else_branch=graph () -> (b) { b = Abs(x) } }
    }`
    expect(print(bindDims(parse(text), { N: 2 }), { types: true })).toMatchInlineSnapshot(`
      "graph main (x: f32[2,4], c: bool[]) -> (y: f32[2,4]) opset 17 {
        y = If(c) {
          else_branch = graph main () -> (b: f32[2,4]) {
            b = Abs(x)
          },
          then_branch = graph main () -> (a: f32[2,4]) {
            a = Neg(x)
          }
        }
      }"
    `)
  })

  test('the names are those of the inputs', () => {
    expect([...symbolsOf(graph)]).toEqual(['N', 'H', 'W', 'P + 1', 'P'])
    expect(() => bindDims(graph, { M: 1 })).toThrow(
      expect.objectContaining({ code: 'ops.unknown-dimension', message: 'no input has a dimension named "M"' }),
    )
    expect(() => bindDims(graph, { N: 1.5 })).toThrow(expect.objectContaining({ code: 'ops.dimension' }))
  })
})
