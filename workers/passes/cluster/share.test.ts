import { expect, test } from 'vitest'
import { referenceExecutor } from '../../executors/reference/index.ts'
import { parse } from '../../graph/parse.ts'
import { arrayOf, f32, numbersOf, type Tensor } from '../../graph/tensor.ts'
import type { Graph } from '../../graph/graph.ts'
import { differentiate } from '../../train/differentiate.ts'
import { trainableParameters } from '../../train/layout.ts'
import { inferTypes } from '../../ops/infer.ts'
import { hold, settle } from './share.ts'

const graph = parse(`
  graph (x: f32[3,4]) -> (loss) opset 18 {
    const w: f32[2,4] = [0.5, 0, -1, 0.4, 0, 0.6, -1.2, 0]
    const b: f32[2] = [0.1, 0.2]
    y = Gemm(x, w, b) {transB = 1}
    s = Mul(y, y)
    loss = ReduceSum(s) {keepdims = 0}
  }`)
const index = Uint16Array.of(1, 0, 0, 1, 0, 1, 0, 0)
const sharing = { centroids: [-1.1, 0.5], index }
const x = f32([1, 2, 3, 4, -1, 0.5, 2, 1, 0.3, 0.2, -0.7, 1], [3, 4])

const run = async (g: Graph): Promise<Record<string, number[]>> => {
  const program = await referenceExecutor.compile(g)
  return Object.fromEntries(Object.entries(await program.run({ x })).map(([name, t]) => [name, numbersOf(t)]))
}

const gradient = async (g: Graph, name: string): Promise<number[]> => {
  const results = await run(differentiate(inferTypes(g), { loss: 'loss', wrt: [name] }))
  return Object.entries(results).find(([output]) => output !== 'loss')?.[1] ?? []
}

test('the held form prints as a gather from the codebook, times the mask', () => {
  const { graph: held } = hold(graph, ['w'], new Map([['w', sharing]]))
  expect(held.nodes.slice(0, 4).map((n) => `${n.outputs.join()} = ${n.op}(${n.inputs.join(', ')})`)).toEqual([
    'w.cast = Cast(w.index)',
    'w.gather = Gather(w.codebook, w.cast)',
    'w.cast_1 = Cast(w.mask)',
    'w = Mul(w.gather, w.cast_1)',
  ])
  expect([...trainableParameters(held).keys()].toSorted()).toEqual(['b', 'w.codebook'])
})

test('the gradient of the codebook is the sum over each cluster of the gradient of the weights that are not zero', async () => {
  const held = hold(graph, ['w'], new Map([['w', sharing]]))
  const settled = settle(held)
  const dense = await gradient(settled, 'w')
  const sums = [0, 0]
  const w = numbersOf(settled.initializers.get('w') as Tensor)
  expect(w.map((v) => Number(v.toFixed(3)))).toEqual([0.5, 0, -1.1, 0.5, 0, 0.5, -1.1, 0])
  index.forEach((cluster, i) => {
    if (w[i] !== 0) sums[cluster] = (sums[cluster] ?? 0) + (dense[i] ?? 0)
  })
  const shared = await gradient(held.graph, 'w.codebook')
  shared.forEach((g, i) => expect(g).toBeCloseTo(sums[i] ?? NaN, 3))
})

test('without sharing, the zeros of a weight have no gradient and the others have theirs', async () => {
  const held = hold(graph, ['w'])
  const [free, plain] = [await gradient(held.graph, 'w.free'), await gradient(graph, 'w')]
  const w = numbersOf(graph.initializers.get('w') as Tensor)
  w.forEach((v, i) => expect(free[i]).toBeCloseTo(v === 0 ? 0 : (plain[i] ?? NaN), 4))
})

test('a settled graph is the one that it was, and computes what the held form computes', async () => {
  const held = hold(graph, ['w'])
  expect(settle(held)).toEqual(graph)
  const shared = hold(graph, ['w'], new Map([['w', sharing]]))
  const settled = settle(shared)
  expect([...settled.initializers.keys()].toSorted()).toEqual(['b', 'w'])
  expect(settled.nodes).toEqual(graph.nodes)
  expect(await run(settled)).toEqual(await run(shared.graph))
  // Zeros have no sign, whatever the sign of the value that stands in their place in the index.
  const zeros = (arrayOf(settled.initializers.get('w') as Tensor) as Float32Array).filter((v) => v === 0)
  expect([...zeros].every((v) => Object.is(v, 0))).toBe(true)
})

test('weights without zeros that are not shared are left alone', () => {
  const full = graph.with({ initializers: new Map([...graph.initializers, ['w', f32(Array(8).fill(1), [2, 4])]]) })
  expect(hold(full, ['w'])).toEqual({ graph: full, held: [] })
})

test('what is no float32 weight is named', () => {
  expect(() => hold(graph, ['nothing'])).toThrow(expect.objectContaining({ code: 'model.no-layer' }) as Error)
})
