import { describe, expect, test } from 'vitest'
import { AlambicError } from '../protocol/errors.ts'
import { Graph } from './graph.ts'
import { parse } from './parse.ts'
import { print } from './print.ts'
import { tensorHash } from './hash.ts'
import { f32, numbersOf } from './tensor.ts'

/** The message of the error that reading a text gives. */
function complaint(text: string): string {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof AlambicError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'none'
}

describe('loose text', () => {
  test('needs no name, types, opset or line ends', () => {
    const graph = parse('graph (x: f32[N,4], w: f32[4,2]) -> (y) { h = MatMul(x, w)  y = Relu(h) }')
    expect(print(graph)).toMatchInlineSnapshot(`
      "graph main (x: f32[N,4], w: f32[4,2]) -> (y) opset 17 {
        h = MatMul(x, w)
        y = Relu(h)
      }"
    `)
  })

  test('takes comments, semicolons, trailing commas and absent values in two spellings', () => {
    const graph = parse(
      `# a comment
      graph g (x,) -> (y,) {; # another
        y, = Clip(x, , m); z = Clip(x, _, m,)
      }`.replace('y, =', 'y ='),
    )
    expect(graph.nodes.map((node) => node.inputs)).toEqual([
      ['x', '', 'm'],
      ['x', '', 'm', ''],
    ])
  })

  test('gives other domains version 1, in subgraphs too, unless opsets are declared', () => {
    const body = '{ y = If(c) {then_branch = graph () -> (a) { a = ai.alambic.Foo() }} }'
    const open = parse(`graph (c) -> (y) ${body}`)
    expect([...open.opsets]).toEqual([
      ['', 17],
      ['ai.alambic', 1],
    ])
    const branch = open.nodes[0]?.attributes.then_branch
    expect(branch?.kind === 'graph' && branch.value.opsets).toBe(open.opsets)
    expect([...parse(`graph (c) -> (y) opset 20 ${body}`).opsets]).toEqual([['', 20]])
  })

  test('reads attributes by the kind that the schema calls for', () => {
    const [node] = parse('graph (x) -> (y) { y = Resize(x) {cubic_coeff_a = 1, axes = []} }').nodes
    expect(node?.attributes).toEqual({ cubic_coeff_a: { kind: 'float', value: 1 }, axes: { kind: 'ints', value: [] } })
    const [other] = parse('graph (x) -> (y) { y = my.Op(x) {a = 1, b = [1, 2.5], c = 1e3, d = float 2} }').nodes
    expect(other?.attributes).toEqual({
      a: { kind: 'int', value: 1 },
      b: { kind: 'floats', value: [1, 2.5] },
      c: { kind: 'float', value: 1000 },
      d: { kind: 'float', value: 2 },
    })
  })

  test('fills a constant with one word', () => {
    const graph = parse('graph () -> () { const w: f16[2,2] = 0.5  const t: bool[2] = true  const s: i64[] = 7 }')
    expect([...graph.initializers.values()].map((t) => [t.dims, numbersOf(t)])).toEqual([
      [
        [2, 2],
        [0.5, 0.5, 0.5, 0.5],
      ],
      [[2], [1, 1]],
      [[], [7]],
    ])
  })

  test('a string after a call is its name, a string before "=" the next output', () => {
    const graph = parse('graph (x) -> (y) { "a b" = Relu(x) "first" "c", d = Split("a b") () = Print(d) "last" }')
    expect(graph.nodes.map(({ name, outputs }) => [name, outputs])).toEqual([
      ['first', ['a b']],
      ['c', ['c', 'd']],
      ['last', []],
    ])
  })
})

describe('weights by hash', () => {
  const big = f32(
    Float32Array.from({ length: 32 }, (_, i) => i),
    [32],
  )
  const text = print(new Graph({ initializers: new Map([['w', big]]) }))

  test('are found in what is given', () => {
    const weights = new Map([[tensorHash(big), big]])
    expect(parse(text, { weights }).initializers.get('w')).toBe(big)
    expect(parse(text.replace('[32]', '[4,8]'), { weights }).initializers.get('w')).toEqual({ ...big, dims: [4, 8] })
  })

  test('are an error when they are missing or of another size', () => {
    expect(complaint(text)).toMatch(/^graph.unknown-weight: .*f32\[32\] constant sha256:[0-9a-f]{16}$/)
    const weights = new Map([[tensorHash(big), big]])
    expect(() => parse(text.replace('[32]', '[33]'), { weights })).toThrow('line 2, column 22: expected as many bytes')
  })
})

describe('errors say where, what was expected and what was found', () => {
  test.each([
    ['grph', 'line 1, column 1: expected "graph", found "grph"'],
    ['graph (x -> (y) {}', 'line 1, column 10: expected "," or ")", found "->"'],
    ['graph (x)\n  (y) {}', 'line 2, column 3: expected "->" and the outputs of the graph, found "("'],
    ['graph (x: f33) -> () {}', 'line 1, column 11: expected a type (f32, i64, bool …), found "f33"'],
    ['graph () -> () {\n  y = Relu(x\n}', 'line 3, column 1: expected ")" or ",", found "}"'],
    ['graph () -> () { y Relu(x) }', 'line 1, column 20: expected "=", found "Relu"'],
    [
      'graph () -> () { y = Relu(x)',
      'line 1, column 29: expected a statement: "const", or outputs, "=" and an operator, found the end of the text',
    ],
    ['graph () -> () {} graph', 'line 1, column 19: expected the end of the text after the graph, found "graph"'],
    ['graph () -> () { const w: f32[2] = [1] }', 'line 1, column 36: expected 2 elements for f32[2], not 1, found "["'],
    ['graph () -> () { const w: u8[1] = [256] }', 'line 1, column 35: expected elements that fit u8, found "["'],
    ['graph () -> () { const w: f32[N] = 0 }', 'line 1, column 31: expected the size of a constant, found "N"'],
    [
      'graph () -> () { const w: f32[] = 0 const w: f32[] = 0 }',
      'line 1, column 43: expected every constant once, found "w"',
    ],
    [
      'graph () -> () { const w: f32[1000000,1000000] = 0 }',
      'line 1, column 50: expected at most 268435456 equal elements, not 1000000000000, found "0"',
    ],
    ['graph () -> () { y = A() {a = 1, a = 2} }', 'line 1, column 34: expected every attribute once, found "a"'],
    [
      'graph () -> () { y = A() {a = [1, "b"]} }',
      'line 1, column 31: expected values of one kind in a list, found "["',
    ],
    ['graph () -> () { y = A() {a = } }', 'line 1, column 31: expected the value of an attribute, found "}"'],
    ['graph () -> () { y = A() {a = foo} }', 'line 1, column 31: expected the value of an attribute, found "foo"'],
    ['graph ("a\\q") -> () {}', 'line 1, column 8: expected a JSON string, found "a\\q"'],
    ['graph () -> () { % }', 'line 1, column 18: expected a name, a number, a string or a mark, found "%"'],
  ])('%s', (text, message) => {
    expect(complaint(text)).toBe(`graph.syntax: ${message}`)
  })
})
