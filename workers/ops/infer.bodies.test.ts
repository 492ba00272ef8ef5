import { describe, expect, test } from 'vitest'
import { Graph, type LocalFunction, type Node } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { print, typeText } from '../graph/print.ts'
import { tensorType } from '../graph/types.ts'
import { inferTypes } from './infer.ts'

const typed = (text: string) => print(inferTypes(parse(text)), { types: true })
/** The type of one value after inference. */
const typeOf = (text: string, value = 'y'): string => {
  const type = inferTypes(parse(text)).type(value)
  return type ? typeText(type) : 'nothing'
}
const strict = (text: string) => () => inferTypes(parse(text), { strict: true })

describe('graphs inside graphs', () => {
  test('branches that differ leave open what differs; a known condition decides', () => {
    const branches = `{
      then_branch=graph () -> (t) { t = Neg(x) },
      else_branch=graph () -> (e) { e = Concat(x, x) {axis=1} }
    }`
    expect(typeOf(`graph (x: f32[N,4], c: bool[]) -> (y) { y = If(c) ${branches} }`)).toBe('f32[N,?]')
    expect(typeOf(`graph (x: f32[N,4]) -> (y) { const c: bool[] = 0  y = If(c) ${branches} }`)).toBe('f32[N,8]')
  })

  test('a branch that cannot run is no contradiction', () => {
    const text = `graph (x: f32[N,4]) -> (y) {
      const one: i64[1] = [1]
      const one0: i64[] = 1
      s = Shape(x)
      last = Gather(s, one0)
      c = Equal(last, one0)
      y = If(c) {
        then_branch=graph () -> (t) { t = Squeeze(x, one) },
        else_branch=graph () -> (e) { e = Identity(x) }
      }
    }`
    expect(strict(text)().outputs[0]?.type).toEqual(tensorType('f32', ['N', 4]))
  })

  test('a loop forgets the sizes that it changes', () => {
    expect(
      typed(`graph (m: i64[], start: f32[N,1], w: f32[N,4]) -> (y) {
        const go: bool[] = 1
        y, same, stack = Loop(m, go, start, w) {
          body=graph (i: i64[], c: bool[], a, b) -> (c, a2, b2, row) {
            a2 = Concat(a, start) {axis=1}
            b2 = Relu(b)
            row = ReduceSum(b2) {keepdims=0}
          }
        }
      }`),
    ).toMatchInlineSnapshot(`
      "graph main (m: i64[], start: f32[N,1], w: f32[N,4]) -> (y: f32[N,?]) opset 17 {
        const go: bool[] = true
        y, same: f32[N,4], stack: f32[?] = Loop(m, go, start, w) {
          body = graph main (i: i64[], c: bool[], a: f32[N,?], b: f32[N,4]) -> (c: bool[], a2: f32[N,?], b2: f32[N,4], row: f32[]) {
            a2 = Concat(a, start) {axis = 1}
            b2 = Relu(b)
            row = ReduceSum(b2) {keepdims = 0}
          }
        }
      }"
    `)
  })

  test('a scan takes its axis away and gives it back', () => {
    const text = `graph (s0: f32[4], xs: f32[T,4]) -> (y) {
      last, y = Scan(s0, xs) {
        num_scan_inputs=1,
        body=graph (s, x) -> (n, o) { n = Add(s, x)  o = Concat(n, n) {axis=0} }
      }
    }`
    expect([typeOf(text), typeOf(text, 'last')]).toEqual(['f32[T,8]', 'f32[4]'])
  })

  const call = (
    op: string,
    inputs: string[],
    outputs: string[],
    attributes: Node['attributes'] = {},
    domain = '',
  ): Node => ({
    name: outputs[0] ?? op,
    op,
    domain,
    inputs,
    outputs,
    attributes,
  })
  const local = (name: string, nodes: Node[]): LocalFunction => ({
    domain: 'mine',
    name,
    overload: '',
    inputs: ['a'],
    outputs: ['b'],
    attributeNames: ['axis'],
    attributeDefaults: {},
    nodes,
    opsets: new Map([
      ['', 17],
      ['mine', 1],
    ]),
    types: new Map(),
  })

  test("the model's own functions are followed, their attributes filled in", () => {
    const double = local('Double', [
      call('Concat', ['a', 'a'], ['b'], { axis: { kind: 'reference', value: 'axis', of: 'int' } }),
    ])
    const graph = new Graph({
      inputs: [{ name: 'x', type: tensorType('f32', ['N', 4]) }],
      outputs: [{ name: 'y', type: { kind: 'unknown' } }],
      nodes: [call('Double', ['x'], ['y'], { axis: { kind: 'int', value: 1 } }, 'mine')],
      opsets: new Map([
        ['', 17],
        ['mine', 1],
      ]),
    })
    expect(inferTypes(graph, { functions: [double] }).outputs[0]?.type).toEqual(tensorType('f32', ['N', 8]))
    expect(inferTypes(graph).outputs[0]?.type).toEqual({ kind: 'unknown' })
  })

  test('functions that call each other for ever end as unknown', () => {
    const twice = local('Twice', [call('Twice', ['a'], ['t'], {}, 'mine'), call('Twice', ['t'], ['b'], {}, 'mine')])
    const graph = new Graph({
      inputs: [{ name: 'x', type: tensorType('f32', ['N', 4]) }],
      outputs: [{ name: 'y', type: { kind: 'unknown' } }],
      nodes: [call('Twice', ['x'], ['y'], {}, 'mine')],
      opsets: new Map([['mine', 1]]),
    })
    expect(inferTypes(graph, { functions: [twice] }).outputs[0]?.type).toEqual({ kind: 'unknown' })
  })
})
