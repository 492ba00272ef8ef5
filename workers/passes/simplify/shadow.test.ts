import { expect, test } from 'vitest'
import { evaluate } from '../../executors/reference/evaluate.ts'
import { fromTensor } from '../../executors/reference/value.ts'
import { parse } from '../../graph/parse.ts'
import { print } from '../../graph/print.ts'
import { f32 } from '../../graph/tensor.ts'
import { problemsOf, verify } from '../../graph/verify.ts'
import { inferTypes } from '../../ops/infer.ts'
import { largestDifference, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { renameShadowed } from './shadow.ts'

/** The body's `h` is its own input; the branch inside reads it, and defines an `x` of its own. */
const loop = parse(`graph (x: f32[2]) -> (y: f32[2]) opset 18 {
  const n: i64[] = 3  const go: bool[] = [1]  h = Tanh(x)
  l = Loop(n, go, h) {body = graph body (i: i64[], c: bool[], h: f32[2]) -> (d: bool[], w: f32[2]) {
    d = Identity(c)
    w = If(d) {
      then_branch = graph then () -> (x: f32[2]) { x = Exp(h) },
      else_branch = graph else () -> (e: f32[2]) { e = Neg(h) }
    }
  }}
  y = Add(l, h)
}`)

test('inner values with the name of an outer one get names of their own', async () => {
  expect(problemsOf(loop).map((problem) => problem.code)).toContain('graph.shadowed-value')
  const { graph, report } = renameShadowed(loop)
  verify(graph)
  expect(report.changes).toEqual(['"h" of the subgraph "body" became "h_1"', '"x" of the subgraph "then" became "x_1"'])
  expect(print(graph)).toContain('x_1 = Exp(h_1)')
  const x = f32([0.5, -0.25])
  const [y] = Object.values(await runInOnnxruntime(inferTypes(graph), { x }))
  const expected = [0.5, -0.25].map((v) => Math.exp(Math.exp(Math.exp(Math.tanh(v)))) + Math.tanh(v))
  expect(largestDifference(expected, y?.values ?? [])).toBeLessThan(1e-5)
  const reference = evaluate(graph, { x: fromTensor(x) })
  expect(Object.keys(reference)).toEqual(['y'])
})

test('a graph without shadows is the same', () => {
  const graph = parse(
    'graph (c: bool[], x: f32[2]) -> (y) { y = If(c) {then_branch = graph () -> (a) { a = Neg(x) }} }',
  )
  expect(renameShadowed(graph).graph).toBe(graph)
})
