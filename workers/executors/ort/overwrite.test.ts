import { expect, test } from 'vitest'
import { parse } from '../../graph/parse.ts'
import { overwritable } from './overwrite.ts'

const may = (body: string): boolean => {
  const graph = parse(`graph (s: f32[4], x: f32[4], c: f32[]) -> (next: f32[4], y: f32[4]) opset 18 { ${body} }`)
  return overwritable(graph, [{ input: 's', output: 'next' }]).has('s')
}

test.for<[string, string, boolean]>([
  ['a moving mean', 'a = Mul(s, c) next = Add(a, x) y = Neg(x)', true],
  ['the node that makes it reads it itself', 'y = Mul(s, x) next = Sub(s, y)', true],
  ['somebody may read it later', 'next = Sub(s, x) y = Mul(s, x)', false],
  [
    'somebody may read it later under another shape',
    'const d: i64[1] = [-1] v = Reshape(s, d) next = Sub(v, x) y = Mul(v, x)',
    false,
  ],
  [
    'under another shape it is read before',
    'const d: i64[1] = [-1] v = Reshape(s, d) y = Mul(v, x) next = Sub(s, y)',
    true,
  ],
  ['it does not work element by element', 'next = Softmax(s) {axis = 0} y = Neg(x)', false],
  ['the old value is a result', 'next = Add(s, x) y = Identity(s)', false],
])('state is written over what it was: %s', ([, body, expected]) => {
  expect(may(body)).toBe(expected)
})

test('not across shapes: a state that grows by broadcasting', () => {
  const graph = parse('graph (s: f32[1], x: f32[4]) -> (next: f32[4]) opset 18 { next = Add(s, x) }')
  expect(overwritable(graph, [{ input: 's', output: 'next' }]).size).toBe(0)
})
