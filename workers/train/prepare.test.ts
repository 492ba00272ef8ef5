import { expect, test } from 'vitest'
import { parse } from '../graph/parse.ts'
import { asTensor } from '../graph/types.ts'
import { trainBriefly } from '../testing/train-briefly.ts'
import { trainableParameters } from './layout.ts'
import { prepare } from './prepare.ts'
import { trainability } from './source.ts'

const shapes = (text: string, batch: number) =>
  prepare(parse(text), { batch }).inputs.map((v) => asTensor(v.type)?.shape)

test('the batch is axis 0 of the first input; the state of a recurrent net keeps its own', () => {
  const text = (n: string) => `graph (x: f32[${n},4], state: f32[2,${n},3], rate: i64[]) -> (y) {
    const w: f32[4,3] = 1  h = MatMul(x, w)  const z: i64[1] = [0]  s = ReduceSum(state, z) {keepdims=0}  y = Add(h, s)
  }`
  expect(shapes(text('N'), 5)).toEqual([[5, 4], [2, 5, 3], []])
  expect(shapes(text('5'), 5)).toEqual([[5, 4], [2, 5, 3], []])
})

test('a fixed batch is changed where the graph allows it', async () => {
  const text = `graph (x: f32[1,2,3]) -> (y: f32[1,4]) {
    const s: i64[2] = [1, 6]  h = Reshape(x, s)  const w: f32[6,4] = 0.5  y = MatMul(h, w)
  }`
  expect(shapes(text, 8)).toEqual([[8, 2, 3]])
  const { losses } = await trainBriefly(parse(text), { batch: 8 })
  expect(losses.at(-1)).toBeLessThan(losses[0] as number)
})

test('and where it is built in, the node is named', () => {
  const tied = `graph (x: f32[1,3]) -> (y) {
    const p: f32[1,2] = 0  const w: f32[5,2] = 1  h = Concat(x, p) {axis=1} "join"  y = MatMul(h, w)
  }`
  expect(() => shapes(tied, 8)).toThrow(expect.objectContaining({ code: 'ops.fixed-batch' }))
  expect(() => shapes(tied, 8)).toThrow('node "join" (Concat)')
})

test('sizes beside the batch must be numbers', () => {
  const text = 'graph (x: f32[N,T]) -> (y) { const w: f32[1] = 2  y = Mul(x, w) }'
  expect(() => shapes(text, 2)).toThrow(expect.objectContaining({ code: 'train.open-shape', subject: 'x' }))
})

test('weights that an exporter put together of pieces are parameters, constants joined to data are not', () => {
  const graph = parse(`graph (x: f32[3,1,2], q: f32[1,2]) -> (y, z) {
    const a: f32[1,4,2] = 0.1  const b: f32[1,4,2] = 0.2  w = Concat(a, b) {axis=1}  const r: f32[1,8,2] = 0.3
    y = LSTM(x, w, r) {hidden_size=2}
    const pad: f32[1,2] = 0  const v: f32[4,2] = 0.5  j = Concat(q, pad) {axis=1}  z = MatMul(j, v)
  }`)
  expect([...trainableParameters(graph).keys()]).toEqual(['a', 'b', 'r', 'v'])
})

test('a net that is all inside a branch says what decides', () => {
  const graph = parse(`graph (x: f32[N,2], fast: bool[]) -> (y) {
    y = If(fast) {
      then_branch = graph () -> (a) { const w: f32[2,2] = 1  a = MatMul(x, w) },
      else_branch = graph () -> (b) { const w: f32[2,2] = 2  b = MatMul(x, w) }
    } "rate"
  }`)
  expect(trainability(graph)).toEqual({
    parameters: 0,
    blocked: [{ node: 'rate', op: 'If', reason: 'control flow that holds all 2 weights; "fast" decides which runs' }],
  })
})
