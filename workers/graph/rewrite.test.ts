import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomGraphs } from '../testing/random-graph.ts'
import { Graph, type Node } from './graph.ts'
import { parse } from './parse.ts'
import { print } from './print.ts'
import { removeDead, renameValues, Rewriter, sortNodes } from './rewrite.ts'
import { f32 } from './tensor.ts'

/** The node that computes a value. */
function producerOf(graph: Graph, value: string): Node {
  const node = graph.producer(value)
  if (!node) throw new Error(`nothing computes ${value}`)
  return node
}

/** Rewrites a text and compares with another text. */
function expectRewrite(
  before: string,
  edit: (r: Rewriter, node: (value: string) => Node) => void,
  after: string,
): void {
  const graph = parse(before)
  const text = print(graph, { types: true })
  const r = new Rewriter(graph)
  edit(r, (value) => producerOf(graph, value))
  expect(print(r.apply(), { types: true })).toBe(print(parse(after), { types: true }))
  // Graphs are values.
  expect(print(graph, { types: true })).toBe(text)
}

describe('bypass and remove', () => {
  test('a node in the middle', () => {
    expectRewrite(
      'graph (x) -> (y) { a = Relu(x)  b = Dropout(a)  y = Neg(b) }',
      (r, node) => r.bypass(node('b')),
      'graph (x) -> (y) { a = Relu(x)  y = Neg(a) }',
    )
  })

  test('the last node: the output keeps its name', () => {
    expectRewrite(
      'graph (x) -> (y: f32[N]) { a: f32[N] = Relu(x) "act"  y = Dropout(a) }',
      (r, node) => r.bypass(node('y')),
      'graph (x) -> (y: f32[N]) { y: f32[N] = Relu(x) "act" }',
    )
  })

  test('the only node: an Identity stands for it', () => {
    expectRewrite(
      'graph (x) -> (y) { y = Dropout(x) }',
      (r, node) => r.bypass(node('y')),
      'graph (x) -> (y) { y = Identity(x) }',
    )
  })

  test('a chain of nodes, and what it leaves unread', () => {
    expectRewrite(
      'graph (x) -> (y) { const k: f32[] = 2  a = Mul(x, k)  b = Mul(a, k)  c = Mul(b, k)  y = Relu(c) }',
      (r, node) => ['a', 'b', 'c'].forEach((value) => r.bypass(node(value))),
      'graph (x) -> (y) { y = Relu(x) }',
    )
  })

  test('another input than the first', () => {
    expectRewrite(
      'graph (c, x) -> (y) { a = Foo(c, x)  y = Relu(a) }',
      (r, node) => r.bypass(node('a'), 1),
      'graph (c, x) -> (y) { y = Relu(x) }',
    )
  })

  test('a node whose value is still read', () => {
    const graph = parse('graph (x) -> (y) { a = Relu(x)  y = Neg(a) }')
    const r = new Rewriter(graph)
    r.remove(producerOf(graph, 'a'))
    expect(() => r.apply()).toThrow('node "y" (Neg) reads "a", which nothing defines')
  })
})

describe('replace', () => {
  test('a node by several, which land where they are needed', () => {
    expectRewrite(
      'graph (x) -> (z) { y = Gelu(x) "act"  z = Neg(y) }',
      (r, node) => {
        const { builder } = r
        const gate = builder.op('Sigmoid', ['x'])
        r.replace(node('y'), builder.op('Mul', ['x', gate]))
      },
      'graph (x) -> (z) { sigmoid = Sigmoid(x)  mul = Mul(x, sigmoid)  z = Neg(mul) }',
    )
  })

  test('neighbours in one batch: a new node that reads what is replaced reads the replacement', () => {
    expectRewrite(
      'graph (x) -> (z) { y = Relu(x)  z = Relu(y) }',
      (r, node) => {
        r.replace(node('z'), r.builder.op('Clip', ['y']))
        r.replace(node('y'), r.builder.op('Clip', ['x']))
      },
      'graph (x) -> (z) { clip_1 = Clip(x)  z = Clip(clip_1) "clip" }',
    )
  })

  test('several outputs, one of which nothing reads', () => {
    expectRewrite(
      'graph (x) -> (y, z) { a, b, c = Split(x)  y = Relu(a)  z = Neg(c) }',
      (r, node) => {
        const [p, q] = r.builder.ops('Split', ['x'], {}, { names: ['p', 'q'] })
        r.replace(node('a'), p as string, '', q as string)
      },
      'graph (x) -> (y, z) { p, q = Split(x)  y = Relu(p)  z = Neg(q) }',
    )
  })

  test('part of a node, where it stands', () => {
    expectRewrite(
      'graph (x) -> (y) { a = Softmax(x) {axis = 1}  y = Relu(a) }',
      (r, node) => {
        r.update(node('a'), { attributes: {} })
        r.update(node('a'), { op: 'LogSoftmax' })
      },
      'graph (x) -> (y) { a = LogSoftmax(x)  y = Relu(a) }',
    )
  })
})

describe('insert', () => {
  test('behind a value: what is inserted still reads it, everybody else does not', () => {
    expectRewrite(
      'graph (x) -> (y, z) { const w: f32[1] = [1]  y = Mul(x, w)  z = Add(x, w) }',
      (r) => r.insertAfter('w', (w) => r.builder.op('Relu', [w])),
      'graph (x) -> (y, z) { const w: f32[1] = [1]  relu = Relu(w)  y = Mul(x, relu)  z = Add(x, relu) }',
    )
  })

  test('twice behind a value', () => {
    expectRewrite(
      'graph (x) -> (y) { y = Neg(x) }',
      (r) => {
        const first = r.insertAfter('x', (x) => r.builder.op('Relu', [x]))
        r.insertAfter(first, (value) => r.builder.op('Abs', [value]))
      },
      'graph (x) -> (y) { relu = Relu(x)  abs = Abs(relu)  y = Neg(abs) }',
    )
  })

  test('behind an output: the new value takes its name', () => {
    expectRewrite(
      'graph (x) -> (y) { y = Relu(x)  z = Neg(y) "z"  u = Foo(z) }',
      (r) => r.insertAfter('y', (y) => r.builder.op('Softmax', [y])),
      'graph (x) -> (y) { y_1 = Relu(x) "y"  y = Softmax(y_1) "softmax" }',
    )
  })

  test('on one edge', () => {
    expectRewrite(
      'graph (x) -> (y, z) { y = Mul(x, x)  z = Add(x, x) }',
      (r, node) => r.insertBefore(node('y'), 1, (x) => r.builder.op('Relu', [x])),
      'graph (x) -> (y, z) { relu = Relu(x)  y = Mul(x, relu)  z = Add(x, x) }',
    )
  })

  test('an optional input that was absent', () => {
    expectRewrite(
      'graph (x, m) -> (y) { y = Clip(x) }',
      (r, node) => r.replaceInput(node('y'), 2, 'm'),
      'graph (x, m) -> (y) { y = Clip(x, _, m) }',
    )
  })
})

describe('replaceUses', () => {
  test('inside subgraphs', () => {
    expectRewrite(
      `graph (c, x) -> (y) {
        h = Relu(x)
        y = If(c) {then_branch = graph t () -> (a) { a = If(c) {then_branch = graph u () -> (b) { b = Neg(h) }} }, else_branch = graph e () -> (h) {}}
      }`,
      (r, node) => r.bypass(node('h')),
      `graph (c, x) -> (y) {
        y = If(c) {then_branch = graph t () -> (a) { a = If(c) {then_branch = graph u () -> (b) { b = Neg(x) }} }, else_branch = graph e () -> (x) {}}
      }`,
    )
  })

  test('new names avoid those inside subgraphs', () => {
    expectRewrite(
      'graph (c, x) -> (y) { y = If(c) {then_branch = graph t () -> (relu) { relu = Neg(x) }} }',
      (r) => r.insertAfter('x', (x) => r.builder.op('Relu', [x])),
      'graph (c, x) -> (y) { relu_1 = Relu(x)  y = If(c) {then_branch = graph t () -> (relu) { relu = Neg(relu_1) }} }',
    )
  })

  test('two outputs that become one value', () => {
    expectRewrite(
      'graph (x) -> (y, z) { y = Relu(x)  z = Relu(x) }',
      (r) => r.replaceUses('z', 'y'),
      'graph (x) -> (y, z) { y = Relu(x)  z = Identity(y) }',
    )
  })

  test('two outputs that become one new value', () => {
    expectRewrite(
      'graph (x) -> (y, z) { y = Relu(x)  z = Neg(x) }',
      (r, node) => {
        const both = r.builder.op('Abs', ['x'])
        r.replace(node('y'), both)
        r.replace(node('z'), both)
      },
      'graph (x) -> (y, z) { y = Abs(x) "abs"  z = Identity(y) }',
    )
  })

  test('an output that is an input cannot give its name away', () => {
    expectRewrite(
      'graph (x) -> (x) {}',
      (r) => r.insertAfter('x', (x) => r.builder.op('Relu', [x])),
      'graph (x) -> (relu) { relu = Relu(x) }',
    )
  })

  test('the declared type of an output follows what it shows', () => {
    expectRewrite(
      'graph (x: f32[N]) -> (y: f32[N]) { y = Relu(x) }',
      (r) => r.replaceUses('y', r.builder.constant('k', f32([1, 2], [2, 1]))),
      'graph (x: f32[N]) -> (y: f32[2,1]) { const k: f32[2,1] = [1, 2]  y = Identity(k) }',
    )
  })

  test('contradictory and circular replacements', () => {
    const graph = parse('graph (x) -> (y) { a = Relu(x)  b = Relu(a)  y = Relu(b) }')
    const r = new Rewriter(graph)
    r.replaceUses('a', 'x')
    expect(() => r.replaceUses('a', 'b')).toThrow('"a" is to be replaced by "x" and by "b"')
    r.replaceUses('b', 'y')
    r.replaceUses('y', 'b')
    expect(() => r.apply()).toThrow('"b" is to be replaced by itself')
  })

  test('a replacement that waits for what it replaces is a cycle', () => {
    const graph = parse('graph (x) -> (y) { a = Relu(x)  b = Neg(a)  y = Relu(b) }')
    const r = new Rewriter(graph)
    r.replaceUses('a', 'b')
    expect(() => r.apply()).toThrow('graph "main" has a cycle: "b" → "b"')
  })
})

describe('constants, inputs and outputs', () => {
  test('a constant of another type under the same name', () => {
    const graph = parse('graph (x, w: f32[2]) -> (y) { const w: f32[2] = [1, 2]  y = Add(x, w) }')
    const r = new Rewriter(graph)
    r.setConstant('w', f32([3, 4, 5]))
    expect(print(r.apply())).toMatchInlineSnapshot(`
      "graph main (x, w: f32[3]) -> (y) opset 17 {
        const w: f32[3] = [3, 4, 5]
        y = Add(x, w)
      }"
    `)
    expect(() => r.setConstant('x', f32([1]))).toThrow('graph "main" has no constant "x"')
  })

  test('inputs and outputs come and go', () => {
    expectRewrite(
      'graph (x, w: f32[1]) -> (y, z) { const w: f32[1] = [1]  y = Relu(x)  z = Add(y, w) }',
      (r) => {
        r.removeInput('w')
        r.removeOutput('y')
        r.builder.output(r.builder.op('Abs', [r.builder.input('u', 'f32', ['N'])]))
      },
      'graph (x, u: f32[N]) -> (z, abs) { const w: f32[1] = [1]  y = Relu(x)  z = Add(y, w)  abs = Abs(u) }',
    )
  })
})

describe('removeDead', () => {
  test('keeps what outputs and subgraphs read, and inputs', () => {
    const before = `graph (c, x, unused) -> (y) {
      const k: f32[] = 1  const dead: f32[] = 1  const unused: f32[] = 1
      a = Relu(x)  b: f32[] = Neg(a)
      h, m = Dropout(x)
      y = If(c) {then_branch = graph t () -> (u) { const z: f32[] = 0  v = Neg(b)  u = Add(h, k) }}
    }`
    const after = `graph (c, x, unused) -> (y) {
      const k: f32[] = 1  const unused: f32[] = 1
      h, m = Dropout(x)
      y = If(c) {then_branch = graph t () -> (u) { u = Add(h, k) }}
    }`
    expect(print(removeDead(parse(before)), { types: true })).toBe(print(parse(after)))
  })

  test('keepDead leaves everything', () => {
    const graph = parse('graph (x) -> (y) { const k: f32[] = 1  a = Relu(x)  y = Neg(x) }')
    expect(new Rewriter(graph).apply({ keepDead: true })).toEqual(graph)
    expect(new Rewriter(graph).apply().nodes).toHaveLength(1)
  })

  test('changes nothing in a random graph, which has nothing dead', () => {
    fc.assert(
      fc.property(randomGraphs(), (graph) => {
        expect(print(removeDead(graph), { types: true })).toBe(print(graph, { types: true }))
      }),
      { numRuns: 30 },
    )
  })
})

describe('renameValues', () => {
  test('everywhere, in subgraphs too', () => {
    const before =
      'graph (c, x) -> (y) { h: f32[] = Relu(x)  y = If(c) {then_branch = graph t () -> (h) { v = Neg(h) }} }'
    const after =
      'graph (c, in) -> (out) { g: f32[] = Relu(in) "h"  out = If(c) {then_branch = graph t () -> (g) { w = Neg(g) "v" }} "y" }'
    const names = new Map([
      ['x', 'in'],
      ['y', 'out'],
      ['h', 'g'],
      ['v', 'w'],
    ])
    expect(print(renameValues(parse(before), names), { types: true })).toBe(print(parse(after), { types: true }))
  })

  test('two values cannot get one name', () => {
    const graph = parse('graph (x) -> (y) { a = Relu(x)  y = Neg(a) }')
    expect(() => renameValues(graph, new Map([['a', 'y']]))).toThrow('"y" is defined twice')
  })
})

describe('sortNodes', () => {
  test('moves late nodes to just before the first that needs them', () => {
    const graph = parse('graph (x) -> (d) { a = Relu(x)  d = Add(c, b)  e = Neg(a)  b = Relu(a)  c = Relu(b) }')
    expect(sortNodes(graph).nodes.map((node) => node.name)).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('gives any shuffled graph an order, and leaves an ordered one alone', () => {
    const shuffled = randomGraphs().chain((graph) => {
      const all = { minLength: graph.nodes.length, maxLength: graph.nodes.length }
      return fc.tuple(fc.constant(graph), fc.shuffledSubarray([...graph.nodes], all))
    })
    fc.assert(
      fc.property(shuffled, ([graph, nodes]) => {
        expect(sortNodes(graph).nodes).toEqual(graph.nodes)
        // The verifier inside is what is tested.
        expect(new Set(sortNodes(graph.with({ nodes })).nodes)).toEqual(new Set(graph.nodes))
      }),
      { numRuns: 50 },
    )
  })

  test('names a cycle', () => {
    expect(() => sortNodes(parse('graph () -> (b) { a = Relu(b)  b = Relu(a) }'))).toThrow('"a" → "b" → "a"')
  })
})

test('edits of 20,000 nodes are one rewrite, long chains included', () => {
  const count = 20_000
  const nodes = Array.from({ length: count }, (_, i): Node => {
    const name = i === count - 1 ? 'y' : `v${i}`
    return { name, op: 'Relu', domain: '', inputs: [i === 0 ? 'x' : `v${i - 1}`], outputs: [name], attributes: {} }
  })
  const value = (name: string) => ({ name, type: { kind: 'unknown' as const } })
  // The nodes stand in reverse order, the worst case for the sort.
  const graph = sortNodes(new Graph({ inputs: [value('x')], outputs: [value('y')], nodes: nodes.toReversed() }))
  const r = new Rewriter(graph)
  graph.nodes.forEach((node, i) => {
    if (i % 2 === 0) r.bypass(node)
    else r.replace(node, r.builder.op('Clip', node.inputs))
  })
  const result = r.apply()
  expect(result.nodes).toHaveLength(count / 2)
  expect(result.nodes.every((node) => node.op === 'Clip')).toBe(true)
  expect([result.nodes[0]?.inputs, result.nodes.at(-1)?.outputs]).toEqual([['x'], ['y']])
})
