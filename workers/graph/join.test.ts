import { describe, expect, test } from 'vitest'
import { parse } from './parse.ts'
import { print } from './print.ts'
import { extract, merge } from './rewrite.ts'

const net = parse(`graph net (x: f32[N,4]) -> (p: f32[N,2]) {
  const w: f32[4,2] = 1
  const b: f32[2] = 0
  h: f32[N,2] = MatMul(x, w)
  logits: f32[N,2] = Add(h, b)
  p = Softmax(logits)
}`)

describe('extract', () => {
  test('cuts before the last node', () => {
    expect(print(extract(net, ['x'], ['logits']), { types: true })).toMatchInlineSnapshot(`
      "graph net (x: f32[N,4]) -> (logits: f32[N,2]) opset 17 {
        const w: f32[4,2] = 1
        const b: f32[2] = 0
        h: f32[N,2] = MatMul(x, w)
        logits: f32[N,2] = Add(h, b)
      }"
    `)
  })

  test('starts in the middle and takes a constant as an input', () => {
    expect(print(extract(net, ['h', 'b'], ['p']), { types: true })).toMatchInlineSnapshot(`
      "graph net (h: f32[N,2], b: f32[2]) -> (p: f32[N,2]) opset 17 {
        logits: f32[N,2] = Add(h, b)
        p = Softmax(logits)
      }"
    `)
  })

  test('adds taps', () => {
    expect(extract(net, ['x'], ['p', 'h']).outputs.map((v) => v.name)).toEqual(['p', 'h'])
  })

  test('brings what subgraphs capture', () => {
    const graph = parse(`graph (c, x) -> (y, z) {
      h = Relu(x)  k = Neg(x)
      y = If(c) {then_branch = graph t () -> (a) { a = Neg(h) }}
      z = Relu(k)
    }`)
    expect(extract(graph, ['c', 'x'], ['y']).nodes.map((node) => node.name)).toEqual(['h', 'y'])
    expect(extract(graph, ['c', 'h'], ['y']).nodes.map((node) => node.name)).toEqual(['y'])
  })

  test('says what is missing', () => {
    expect(() => extract(net, ['b'], ['p'])).toThrow('computing "p" also takes the input "x"')
    expect(() => extract(net, ['x'], ['q'])).toThrow('graph "net" has no value "q"')
    expect(() => extract(net, ['q'], ['p'])).toThrow('graph "net" has no value "q"')
  })
})

describe('merge', () => {
  const student = parse(`graph student (image: f32[batch,4]) -> (logits: f32[batch,2]) opset 17, ai.alambic 1 {
    const w: f32[4,2] = 2
    logits = MatMul(image, w) "fc"
  }`)

  test('joins a student and its teacher on one input', () => {
    expect(print(merge(student, net, { prefix: 'teacher.', bind: { x: 'image' } }), { types: true }))
      .toMatchInlineSnapshot(`
      "graph student (image: f32[batch,4]) -> (logits: f32[batch,2], teacher.p: f32[batch,2]) opset 17, ai.alambic 1 {
        const w: f32[4,2] = 2
        const teacher.w: f32[4,2] = 1
        const teacher.b: f32[2] = 0
        logits = MatMul(image, w) "fc"
        teacher.h: f32[batch,2] = MatMul(image, teacher.w)
        teacher.logits: f32[batch,2] = Add(teacher.h, teacher.b)
        teacher.p = Softmax(teacher.logits)
      }"
    `)
  })

  test('feeds one graph with the output of another', () => {
    const head = parse('graph head (z: f32[M,2], t: f32[]) -> (y: f32[M,2]) { const t: f32[] = 2  y = Mul(z, t) }')
    expect(print(merge(net, head, { prefix: 'h/', bind: { z: 'logits' } }))).toMatchInlineSnapshot(`
      "graph net (x: f32[N,4], "h/t": f32[]) -> (p: f32[N,2], "h/y": f32[N,2]) opset 17 {
        const w: f32[4,2] = 1
        const b: f32[2] = 0
        const "h/t": f32[] = 2
        h = MatMul(x, w)
        logits = Add(h, b)
        p = Softmax(logits)
        "h/y" = Mul(logits, "h/t")
      }"
    `)
  })

  test('renames inside subgraphs, and what they capture', () => {
    const branching = parse(`graph (c, v) -> (y) { y = If(c) {then_branch = graph t () -> (a) { a = Neg(v) }} }`)
    const joined = merge(branching, branching, { prefix: 'b.', bind: { v: 'v' } })
    expect(print(joined)).toMatchInlineSnapshot(`
      "graph main (c, v, b.c) -> (y, b.y) opset 17 {
        y = If(c) {
          then_branch = graph t () -> (a) {
            a = Neg(v)
          }
        }
        b.y = If(b.c) {
          then_branch = graph t () -> (b.a) {
            b.a = Neg(v)
          }
        }
      }"
    `)
  })

  test('refuses what does not fit', () => {
    const twice = (options: Parameters<typeof merge>[2]) => () => merge(student, net, options)
    expect(twice({ prefix: 't.', bind: { y: 'image' } })).toThrow('graph "net" has no input "y" to bind')
    expect(twice({ prefix: 't.', bind: { x: 'pixels' } })).toThrow(
      'graph "student" has no value "pixels" for input "x"',
    )
    expect(twice({ prefix: 't.', bind: { x: 'logits' } })).toThrow('"logits" does not fit input "x" of graph "net"')
    expect(twice({ prefix: '', bind: { x: 'image' } })).toThrow('both graphs have a value "w"')
    const newer = net.with({ opsets: new Map([['ai.onnx', 20]]) })
    expect(() => merge(student, newer, { prefix: 't.' })).toThrow('the graphs use different opsets of domain "ai.onnx"')
  })
})
