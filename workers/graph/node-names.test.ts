import { expect, test } from 'vitest'
import { withUniqueNodeNames } from './node-names.ts'
import { runInOnnxruntime } from '../testing/onnxruntime.ts'
import { parse } from './parse.ts'
import { f32 } from './tensor.ts'

test('repeated names of nodes get a number, the first keeps its own', () => {
  const graph = parse(`graph (c, x) -> (y) {
    a = Relu(x) "n"  b = Tanh(a) "n_1"  d = Neg(b) "n"  e = Abs(d) ""  f = Abs(e) ""
    y = If(c) {then_branch = graph () -> (t) { t = Relu(f) "n" }, else_branch = graph () -> (u) { u = Neg(f) "m" }} "n"
  }`)
  const unique = withUniqueNodeNames(graph)
  expect(unique.nodes.map((node) => node.name)).toEqual(['n', 'n_1', 'n_2', '', '', 'n_3'])
  const { then_branch: then, else_branch: other } = unique.nodes[5]?.attributes ?? {}
  expect(then?.kind === 'graph' && then.value.nodes[0]?.name).toBe('n_4')
  expect(other?.kind === 'graph' && other.value.nodes[0]?.name).toBe('m')
})

test('a graph without repeated names is the same', () => {
  const graph = parse('graph (x) -> (y) { a = Relu(x) "a"  y = Neg(a) "" }')
  expect(withUniqueNodeNames(graph)).toBe(graph)
})

test('onnxruntime opens what is written for it', async () => {
  const graph = parse('graph (x: f32[2]) -> (y: f32[2]) opset 18 { a = Relu(x) "n"  y = Neg(a) "n" }')
  expect((await runInOnnxruntime(graph, { x: f32([1, -1]) }))['y']?.values).toEqual([-1, -0])
})
