import fc from 'fast-check'
import { expect, test } from 'vitest'
import { print } from '../graph/print.ts'
import { verify } from '../graph/verify.ts'
import { typeProblems } from '../ops/infer.ts'
import { randomFeeds, randomGraph, randomGraphs } from './random-graph.ts'

test('random graphs are valid, and every node counts', () => {
  fc.assert(
    fc.property(randomGraphs({ kinks: true }), (graph) => {
      verify(graph, { types: typeProblems })
      const isRead = (output: string) => graph.uses(output).length > 0
      expect(graph.nodes.every((node) => node.outputs.some(isRead))).toBe(true)
      expect(graph.nodes.every((node) => node.outputs.every((output) => graph.type(output)))).toBe(true)
    }),
  )
})

test('a seed gives one graph, fewer steps its beginning', () => {
  const text = print(randomGraph(7, { steps: 10 }), { weights: 'all' })
  expect(print(randomGraph(7, { steps: 10 }), { weights: 'all' })).toBe(text)
  const long = randomGraph(7, { steps: 10 }).nodes
  const short = randomGraph(7, { steps: 6 }).nodes
  expect(short.length).toBeGreaterThan(2)
  expect(long.slice(0, short.length)).toEqual(short)
})

test('together they use every operator of the generator', () => {
  const graphs = Array.from({ length: 120 }, (_, seed) => randomGraph(seed, { steps: 12, kinks: true }))
  const operators = new Set(graphs.flatMap((graph) => graph.nodes.map((node) => node.op)))
  expect([...operators].sort().join(' ')).toMatchInlineSnapshot(
    `"Abs Add AveragePool Concat Conv Div Erf Gather Gemm HardSwish Identity LayerNormalization LogSoftmax MatMul Max Min Mul Neg Pad ReduceMean ReduceSum Relu Reshape Sigmoid Sin Slice Softmax Softplus Sub Tanh Transpose"`,
  )
})

test('feeds have the types of the inputs', () => {
  const graph = randomGraph(1, { dtype: 'f64' })
  const feeds = randomFeeds(graph, 2)
  expect(Object.keys(feeds)).toEqual(graph.inputs.map((v) => v.name))
  for (const { name, type } of graph.inputs)
    expect(feeds[name]).toMatchObject({ dtype: 'f64', dims: type.kind === 'tensor' && type.shape })
})
