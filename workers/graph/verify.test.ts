import { describe, expect, test } from 'vitest'
import { AlambicError } from '../protocol/errors.ts'
import { Graph } from './graph.ts'
import { parse } from './parse.ts'
import { f32 } from './tensor.ts'
import { problemsOf, verify } from './verify.ts'

/** The problems of a text, as `code: message (expected …, found …)`. */
const problems = (text: string | Graph): readonly string[] =>
  problemsOf(typeof text === 'string' ? parse(text) : text).map(({ code, message, expected, found }) => {
    const details = [expected && `expected ${expected}`, found && `found ${found}`].filter(Boolean).join(', ')
    return `${code}: ${message}${details && ` (${details})`}`
  })

const one = (text: string | Graph): string => {
  const all = problems(text)
  expect(all).toHaveLength(1)
  return all[0] ?? ''
}

describe('names', () => {
  test('a read of nothing', () => {
    expect(one('graph (x) -> (y) { y = Add(x, ghost) }')).toBe(
      'graph.dangling-input: node "y" (Add) reads "ghost", which nothing defines (expected an input, a constant or the output of a node, found ghost)',
    )
  })

  test('a read of nothing from inside a subgraph, at any depth', () => {
    const inner = 'If(c) {then_branch = graph () -> (b) { b = Relu(ghost) }}'
    expect(one(`graph (c) -> (y) { y = If(c) {then_branch = graph () -> (a) { a = ${inner} }} }`)).toMatch(
      /^graph.dangling-input: node "y" \(If\) has a subgraph that reads "ghost", which nothing defines/,
    )
  })

  test('captured values are no problem', () => {
    expect(problems('graph (c, x) -> (y) { h = Relu(x)  y = If(c) {then_branch = graph () -> (h) {}} }')).toEqual([])
  })

  test('an output of nothing', () => {
    expect(one('graph (x) -> (y) { z = Relu(x) }')).toBe(
      'graph.missing-output: output "y" of graph "main" is computed by nothing (found y)',
    )
  })

  test('an output listed twice', () => {
    expect(one('graph (x) -> (y, y) { y = Relu(x) }')).toMatch(/^graph.duplicate-output: output "y"/)
  })

  test.each([
    ['graph (x, x) -> () {}', 'by an input and by an input'],
    ['graph (x) -> () { x = Relu(x) }', 'by an input and by node "x" (Relu)'],
    ['graph (x) -> () { const y: f32[] = 0  y = Relu(x) }', 'by a constant and by node "y" (Relu)'],
    ['graph (x) -> () { y = Relu(x)  y = Neg(x) }', 'by node "y" (Relu) and by node "y" (Neg)'],
    ['graph (x) -> () { y, y = Dropout(x) "d" }', 'by node "d" (Dropout) and by node "d" (Dropout)'],
  ])('a value defined twice: %s', (text, by) => {
    const name = text.includes('y') ? 'y' : 'x'
    expect(one(text)).toBe(`graph.duplicate-value: "${name}" is defined twice in graph "main": ${by}`)
  })

  test('a default value of an input is no second definition', () => {
    expect(problems('graph (x: f32[1]) -> (x) { const x: f32[1] = [1] }')).toEqual([])
  })

  test('names of nodes may repeat and be empty', () => {
    expect(problems('graph (x) -> (y, z) { y = Relu(x) "a"  z = Neg(x) "a"  u = Abs(x) "" }')).toEqual([])
  })

  test('a subgraph that hides a name, even one defined later', () => {
    const text = 'graph (c, x) -> (h) { y = If(c) {then_branch = graph t () -> (h) { h = Relu(x) }}  h = Neg(x) }'
    expect(one(text)).toBe(
      'graph.shadowed-value: subgraph "t" defines "h" (by node "h" (Relu)), which a graph around it defines too',
    )
  })

  test('siblings may use one name', () => {
    const branch = (name: string) => `${name}_branch = graph () -> (a) { a = Relu(x) }`
    expect(problems(`graph (c, x) -> (y) { y = If(c) {${branch('then')}, ${branch('else')}} }`)).toEqual([])
  })

  test('no name at all', () => {
    expect(one('graph ("") -> () {}')).toMatch(/^graph.empty-name/)
  })
})

describe('order', () => {
  test('too late', () => {
    expect(one('graph (x) -> (y) { y = Relu(h)  h = Neg(x) }')).toMatch(
      /^graph.unsorted: node "y" \(Relu\) reads "h" before it is computed/,
    )
  })

  test('too late for a subgraph', () => {
    const text = 'graph (c, x) -> (y) { y = If(c) {then_branch = graph () -> (a) { a = Neg(h) }}  h = Neg(x) }'
    expect(one(text)).toMatch(/^graph.unsorted: node "y" \(If\) reads "h"/)
  })

  test('too late inside a subgraph', () => {
    expect(one('graph (c, x) -> (y) { y = If(c) {then_branch = graph () -> (a) { a = Neg(h)  h = Neg(x) }} }')).toMatch(
      /^graph.unsorted: node "a" \(Neg\)/,
    )
  })

  test('a cycle is named in the direction in which values flow', () => {
    expect(one('graph (x) -> (d) { a = Add(x, c)  b = Relu(a)  c = Neg(b)  d = Relu(c) }')).toBe(
      'graph.cycle: graph "main" has a cycle: "a" → "b" → "c" → "a" (expected no node that waits for its own output)',
    )
  })

  test('a node that reads itself, through a subgraph', () => {
    expect(one('graph (c) -> (y) { y = If(c) {then_branch = graph () -> (a) { a = Neg(y) }} }')).toMatch(
      /^graph.cycle: .*: "y" → "y"/,
    )
  })
})

describe('nodes against their schema', () => {
  test.each([
    ['y = Add(x)', 'graph.input-count: node "y" (Add) has 1 input (expected 2, found 1)'],
    ['y = Clip(x, x, x, x)', 'graph.input-count: node "y" (Clip) has 4 inputs (expected 1 to 3, found 4)'],
    ['y = Concat() {axis = 0}', 'graph.input-count: node "y" (Concat) has 0 inputs (expected 1 or more, found 0)'],
    ['y, z = Relu(x)', 'graph.output-count: node "y" (Relu) has 2 outputs (expected 1, found 2)'],
    ['y = Add(x, _)', 'graph.absent-input: node "y" (Add): input 1 is absent but required'],
    [
      'y = Relu(x) {slope = 1}',
      'graph.unknown-attribute: node "y" (Relu): the operator has no attribute "slope" (expected "consumed_inputs", found slope)',
    ],
    [
      'y = Elu(x) {alpha = int 1}',
      'graph.attribute-kind: node "y" (Elu): attribute "alpha" is of the wrong kind (expected float, found int)',
    ],
    [
      'y = Gelu(x)',
      'graph.operator-too-new: node "y" (Gelu): opset 17 has no operator Gelu yet (expected opset 20 or later, found opset 17)',
    ],
  ])('%s', (statement, problem) => {
    expect(one(`graph (x) -> (y) { ${statement} }`)).toBe(problem)
  })

  test('inside subgraphs too, with the opsets of the whole graph', () => {
    const text =
      'graph (c, x) -> (y) opset 20 { y = If(c) {then_branch = graph () -> (a) { b = Gelu(x)  a = Add(b) }} }'
    expect(one(text)).toMatch(/^graph.input-count: node "a"/)
  })

  test('a Loop may leave its first inputs out', () => {
    const body = 'graph (i, k, v) -> (k, w) { w = Neg(v) }'
    expect(problems(`graph (c, x) -> (y) { y = Loop(_, c, x) {body = ${body}} }`)).toEqual([])
  })

  test('a reference has the kind of what it stands for', () => {
    expect(problems('graph (x) -> (y) { y = Elu(x) {alpha = @alpha: float} }')).toEqual([])
  })

  test('a domain without a version', () => {
    expect(one('graph (x) -> (y) opset 17 { y = ai.alambic.Foo(x) }')).toBe(
      'graph.missing-opset: node "y" (ai.alambic.Foo) is of domain "ai.alambic", for which the graph names no opset version (expected "", found ai.alambic)',
    )
    expect(problems('graph (x) -> (y) opset ai.onnx 17 { y = Relu(x) }')).toEqual([])
  })

  test('unknown operators are left alone', () => {
    expect(problems('graph (x) -> (y) { y = Frobnicate(x) {a = 1} }')).toEqual([])
  })
})

describe('constants and declarations', () => {
  const short = { ...f32([1, 2]), dims: [3] }

  test('bytes that do not fit the dims', () => {
    expect(one(new Graph({ initializers: new Map([['w', short]]) }))).toBe(
      'graph.tensor-size: constant "w": f32[3] does not fit its content (expected 12 bytes, found 8 bytes)',
    )
    expect(one('graph () -> () { const w: i4[3] = base64 "AA==" }')).toMatch(/expected 2 bytes, found 1 bytes/)
  })

  test('strings and dims', () => {
    const tensor = { dtype: 'string', dims: [2], bytes: new Uint8Array(0), strings: ['a'] } as const
    expect(one(new Graph({ initializers: new Map([['w', tensor]]) }))).toMatch(/expected 2 strings, found 1 strings/)
    const negative = { dtype: 'f32', dims: [-1, -2], bytes: new Uint8Array(8) } as const
    expect(one(new Graph({ initializers: new Map([['w', negative]]) }))).toMatch(/^graph.tensor-size/)
  })

  test('tensors in attributes', () => {
    expect(one('graph () -> (y) { y = Constant() {value = f32[2] base64 ""} }')).toBe(
      'graph.tensor-size: node "y" (Constant), attribute "value": f32[2] does not fit its content (expected 8 bytes, found 0 bytes)',
    )
  })

  test('declarations that contradict a constant or each other', () => {
    expect(one('graph (w: f32[3]) -> () { const w: f32[2] = 0 }')).toBe(
      'graph.type-mismatch: "w" is declared among the inputs as another type than elsewhere in graph "main" (expected f32[2], found f32[3])',
    )
    expect(one('graph (x) -> (y: i64[2]) { y: f32[2] = Relu(x) }')).toMatch(
      /among the outputs.*expected f32\[2\], found i64\[2\]/,
    )
    expect(problems('graph (w: f32[N]) -> (w: f32) { const w: f32[2] = 0 }')).toEqual([])
  })

  test('inside subgraphs', () => {
    const text = 'graph (c) -> (y) { y = If(c) {then_branch = graph () -> (a: i64[1]) { const a: f32[1] = 0 }} }'
    expect(one(text)).toMatch(/^graph.type-mismatch: "a"/)
  })
})

describe('verify', () => {
  test('throws the first problem, and says how many there are', () => {
    const graph = parse('graph (x) -> (y) { y = Add(ghost) "sum" }')
    const error = (() => {
      try {
        verify(graph)
      } catch (thrown) {
        return thrown
      }
      return undefined
    })()
    expect(error).toBeInstanceOf(AlambicError)
    expect(error).toMatchObject({
      code: 'graph.dangling-input',
      subject: 'sum',
      found: 'ghost',
      message: 'node "sum" (Add) reads "ghost", which nothing defines (and 1 more problems in graph "main")',
    })
  })

  test('asks the caller about types when nothing else is wrong', () => {
    const types = () => [{ code: 'ops.declared-type', message: 'no' }]
    expect(() => verify(parse('graph (x) -> (x) {}'), { types })).toThrow('no')
    expect(problemsOf(parse('graph () -> (x) {}'), { types }).map((p) => p.code)).toEqual(['graph.missing-output'])
  })
})
