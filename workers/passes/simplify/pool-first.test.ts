import { expect, test } from 'vitest'
import { parse } from '../../graph/parse.ts'
import { verify } from '../../graph/verify.ts'
import { randomFeeds, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { poolBeforeRelu } from '../index.ts'

const graphOf = (outputs: string, body: string) =>
  parse(`graph (x: f32[1,2,4,4]) -> (${outputs}) opset 17 { r = Relu(x) ${body} }`)
const pool = 'MaxPool(r) {kernel_shape=[2, 2], strides=[2, 2]}'

test('moves a Relu behind the max-pool that alone reads it, and the result keeps its name', async () => {
  const before = graphOf('y: f32', `p = ${pool} y = Exp(p)`)
  const { graph, report } = poolBeforeRelu(before)
  verify(graph)
  expect(report.changes).toHaveLength(1)
  expect(graph.nodes.map((node) => node.op)).toEqual(['MaxPool', 'Relu', 'Exp'])
  expect(graph.nodes[1]?.outputs).toEqual(['p'])
  const feeds = randomFeeds(before)
  expect(await runInOnnxruntime(graph, feeds)).toEqual(await runInOnnxruntime(before, feeds))
})

test.each([
  ['the Relu is an output', 'y: f32, r: f32', `y = ${pool}`],
  ['something else reads the Relu', 'y: f32, z: f32', `y = ${pool} z = Exp(r)`],
  ['the indices are asked for', 'y: f32, i: i64', `y, i = ${pool}`],
])('leaves both where they are when %s', (_why, outputs, body) => {
  expect(poolBeforeRelu(graphOf(outputs, body)).report.modified).toBe(false)
})
