import { describe, expect, test } from 'vitest'
import type { Graph } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { print } from '../../graph/print.ts'
import { i64, numbersOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { verify } from '../../graph/verify.ts'
import { largestDifference, randomFeeds, randomTensor, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { simplify, unfuse, upgrade } from '../index.ts'

/** A graph at opset 17 whose float constants of more than one element are random. */
function graphOf(inputs: string, outputs: string, body: string): Graph {
  const graph = parse(`graph (${inputs}) -> (${outputs}) opset 17, com.microsoft 1 { ${body} }`)
  const initializers = new Map<string, Tensor>()
  for (const [name, tensor] of graph.initializers) {
    const isWeight = tensor.dtype === 'f32' && tensor.dims.length > 0
    initializers.set(name, isWeight ? randomTensor(tensor.dims, name.length + 17 * initializers.size) : tensor)
  }
  return graph.with({ initializers })
}

async function check(before: Graph, feeds: Record<string, Tensor> = randomFeeds(before)): Promise<Graph> {
  const { graph: after, report } = unfuse(before)
  verify(after)
  expect(report.modified).toBe(true)
  expect(after.nodes.filter((node) => node.domain !== '')).toEqual([])
  const expected = await runInOnnxruntime(before, feeds)
  const found = await runInOnnxruntime(after, feeds)
  expect(Object.keys(found)).toEqual(Object.keys(expected))
  for (const [name, { dims, values }] of Object.entries(expected)) {
    expect(found[name]?.dims).toEqual(dims)
    expect(largestDifference(values, found[name]?.values ?? [])).toBeLessThan(3e-6)
  }
  return after
}

const x = 'x: f32[2,3,8]'
const y = 'y: f32'
const conv = 'const w: f32[4,3,3,3] = 1 const c: f32[4] = 1'

type Case = readonly [what: string, inputs: string, outputs: string, body: string]
const activations: readonly Case[] = [
  ['Relu', ''],
  ['Tanh', ''],
  ['Sigmoid', ''],
  ['LeakyRelu', ', activation_params=[0.3]'],
  ['HardSigmoid', ', activation_params=[0.3, 0.4]'],
  ['Clip', ', activation_params=[-0.5, 0.75]'],
].map(([name, parameters]): Case => {
  const call = `y = com.microsoft.FusedConv(x, w, c) {activation="${name}"${parameters}, pads=[1, 1, 1, 1], kernel_shape=[3, 3]}`
  return [`FusedConv with ${name}`, 'x: f32[1,3,5,5]', y, `${conv} ${call}`]
})

const cases: readonly Case[] = [
  ...activations,
  [
    'FusedConv with a sum',
    'x: f32[1,3,5,5], z: f32[1,4,3,3]',
    y,
    `${conv} y = com.microsoft.FusedConv(x, w, c, z) {activation="Relu"}`,
  ],
  ['Gelu', x, y, 'y = com.microsoft.Gelu(x)'],
  ['QuickGelu', x, y, 'y = com.microsoft.QuickGelu(x) {alpha=1.5}'],
  ['QuickGelu, default', x, y, 'y = com.microsoft.QuickGelu(x)'],
  ['BiasGelu', x, y, 'const b: f32[8] = 1 y = com.microsoft.BiasGelu(x, b)'],
  ['FastGelu', x, y, 'y = com.microsoft.FastGelu(x)'],
  ['FastGelu with a bias', x, y, 'const b: f32[8] = 1 y = com.microsoft.FastGelu(x, b)'],
  ['FusedMatMul', 'x: f32[2,3,4], w: f32[2,4,5]', y, 'y = com.microsoft.FusedMatMul(x, w) {alpha=0.5}'],
  [
    'FusedMatMul, both transposed',
    'x: f32[2,4,3], w: f32[2,5,4]',
    y,
    'y = com.microsoft.FusedMatMul(x, w) {transA=1, transB=1}',
  ],
  [
    'FusedMatMul, batches moved',
    'x: f32[3,2,4], w: f32[4,2,5]',
    y,
    'y = com.microsoft.FusedMatMul(x, w) {transBatchA=1, transBatchB=1}',
  ],
  [
    'FusedMatMul, moved and transposed',
    'x: f32[4,2,3], w: f32[2,4,5]',
    y,
    'y = com.microsoft.FusedMatMul(x, w) {transBatchA=1, transA=1}',
  ],
  [
    'FusedGemm',
    'x: f32[2,3]',
    y,
    'const w: f32[4,3] = 1 const c: f32[4] = 1 y = com.microsoft.FusedGemm(x, w, c) {activation="Relu", transB=1, alpha=0.5, beta=2.0}',
  ],
  [
    'FusedGemm with LeakyRelu',
    'x: f32[2,3]',
    y,
    'const w: f32[3,4] = 1 y = com.microsoft.FusedGemm(x, w) {activation="LeakyRelu", activation_alpha=0.3}',
  ],
  [
    'SkipLayerNormalization',
    `${x}, k: f32[2,3,8]`,
    y,
    'const s: f32[8] = 1 const b: f32[8] = 1 y = com.microsoft.SkipLayerNormalization(x, k, s, b)',
  ],
  [
    'SkipLayerNormalization with a bias and the sum',
    `${x}, k: f32[2,3,8]`,
    'y: f32, t: f32',
    'const s: f32[8] = 1 const b: f32[8] = 1 const c: f32[8] = 1 y, _, _, t = com.microsoft.SkipLayerNormalization(x, k, s, b, c) {epsilon=0.01}',
  ],
  [
    'SkipSimplifiedLayerNormalization with the sum',
    `${x}, k: f32[2,3,8]`,
    'y: f32, t: f32',
    'const s: f32[8] = 1 y, _, _, t = com.microsoft.SkipSimplifiedLayerNormalization(x, k, s) {epsilon=0.01}',
  ],
  [
    'SimplifiedLayerNormalization',
    x,
    y,
    'const s: f32[8] = 1 y = SimplifiedLayerNormalization(x, s) {axis=-1, epsilon=0.01}',
  ],
  ['Attention', x, y, 'const w: f32[8,24] = 1 const b: f32[24] = 1 y = com.microsoft.Attention(x, w, b) {num_heads=2}'],
  [
    'Attention, causal',
    x,
    y,
    'const w: f32[8,24] = 1 const b: f32[24] = 1 y = com.microsoft.Attention(x, w, b) {num_heads=2, unidirectional=1}',
  ],
  [
    'Attention, scaled',
    x,
    y,
    'const w: f32[8,24] = 1 const b: f32[24] = 1 y = com.microsoft.Attention(x, w, b) {num_heads=4, scale=0.1}',
  ],
  [
    'Attention of several widths',
    x,
    y,
    'const w: f32[8,20] = 1 const b: f32[20] = 1 y = com.microsoft.Attention(x, w, b) {num_heads=2, qkv_hidden_sizes=[8, 8, 4]}',
  ],
  [
    'Attention with a bias of logits',
    `${x}, a: f32[2,2,3,3]`,
    y,
    'const w: f32[8,24] = 1 const b: f32[24] = 1 y = com.microsoft.Attention(x, w, b, _, _, a) {num_heads=2}',
  ],
  [
    'EmbedLayerNormalization',
    'x: f32[2,4,8]',
    y,
    `const i: i32[2,4] = [1,2,3,4,5,6,7,1] const t: i32[2,4] = [0,0,1,1,0,1,0,1] const w: f32[9,8] = 1
     const p: f32[6,8] = 1 const g: f32[2,8] = 1 const n: f32[8] = 1 const b: f32[8] = 1
     e, m = com.microsoft.EmbedLayerNormalization(i, t, w, p, g, n, b) {epsilon = 0.00001} y = Add(e, x)`,
  ],
  [
    'EmbedLayerNormalization with a mask, positions and the sum',
    'x: f32[2,4,8]',
    'y: f32, m: i32, s: f32',
    `const i: i32[2,4] = [1,2,3,4,5,6,7,1] const k: i32[2,4] = [1,1,1,0,1,1,0,0] const o: i32[2,4] = [3,2,1,0,5,4,3,2]
     const w: f32[9,8] = 1 const p: f32[6,8] = 1 const n: f32[8] = 1 const b: f32[8] = 1
     e, m, s = com.microsoft.EmbedLayerNormalization(i, _, w, p, _, n, b, k, o) {epsilon = 0.00001} y = Add(e, x)`,
  ],
  [
    'MultiHeadAttention',
    'q: f32[2,3,8], k: f32[2,5,8], v: f32[2,5,8]',
    y,
    'y = com.microsoft.MultiHeadAttention(q, k, v) {num_heads=2}',
  ],
  [
    'MultiHeadAttention with biases',
    'q: f32[2,3,8], k: f32[2,5,8], v: f32[2,5,8]',
    y,
    'const b: f32[24] = 1 y = com.microsoft.MultiHeadAttention(q, k, v, b) {num_heads=4, scale=0.2}',
  ],
]

describe('fused operators are written with standard ones', () => {
  test.each(cases)('%s', async (_, inputs, outputs, body) => {
    await check(graphOf(inputs, outputs, body))
  })

  test('Attention with a mask of keys', async () => {
    const before = graphOf(
      `${x}, k: i32[2,3]`,
      y,
      'const w: f32[8,24] = 1 const b: f32[24] = 1 y = com.microsoft.Attention(x, w, b, k) {num_heads=2}',
    )
    const k = tensorOf('i32', [2, 3], Int32Array.of(1, 1, 0, 1, 0, 0))
    await check(before, { x: randomTensor([2, 3, 8]), k })
  })

  test('Attention with the number of keys of each sample', async () => {
    const before = graphOf(
      `${x}, k: i32[2]`,
      y,
      'const w: f32[8,24] = 1 const b: f32[24] = 1 y = com.microsoft.Attention(x, w, b, k) {num_heads=2}',
    )
    await check(before, { x: randomTensor([2, 3, 8]), k: tensorOf('i32', [2], Int32Array.of(3, 1)) })
  })

  test('names of weights stay, and the graph is raised to opset 18 only when it must be', () => {
    const before = graphOf('x: f32[1,3,5,5]', y, `${conv} y = com.microsoft.FusedConv(x, w, c) {activation="Relu"}`)
    const after = unfuse(before).graph
    expect(after.opset).toBe(18)
    expect(print(after, { weights: 'hash' })).toContain('Conv(x, w, c)')
    const plain = parse('graph (x: f32[2]) -> (y) opset 13 { y = Relu(x) }')
    expect(unfuse(plain).graph).toBe(plain)
  })
})

describe('what stays', () => {
  const weights = 'const w: f32[8,24] = 1 const b: f32[24] = 1'
  test.each<Case>([
    [
      'attention with a past',
      `${x}, p: f32[2,2,2,3,4]`,
      y,
      `${weights} y = com.microsoft.Attention(x, w, b, _, p) {num_heads=2}`,
    ],
    [
      'attention that puts out its keys',
      x,
      'y: f32, p: f32',
      `${weights} y, p = com.microsoft.Attention(x, w, b) {num_heads=2}`,
    ],
    ['an unknown activation', 'x: f32[1,3,5,5]', y, `${conv} y = com.microsoft.FusedConv(x, w, c) {activation="Odd"}`],
    ['an unknown operator', x, y, 'y = com.microsoft.Odd(x)'],
    ['an input of unknown type', 'x', y, 'y = com.microsoft.Gelu(x)'],
  ])('%s', (_, inputs, outputs, body) => {
    const before = graphOf(inputs, outputs, body)
    expect(unfuse(before).graph).toBe(before)
  })
})

describe('simplify', () => {
  test('makes an exported net plain, and its weights keep their names', async () => {
    const before = graphOf(
      'x: f32[2,3,4,4]',
      'y: f32',
      `const w: f32[4,3,3,3] = 1  const "fc.weight": f32[16,5] = 1
       i = Identity(x)
       c = com.microsoft.FusedConv(i, w) {activation="Relu"}
       s = Shape(c)  zero = Constant() {value_ints=[0]}  n = Gather(s, zero)
       minus = Constant() {value_ints=[-1]}  t = Concat(n, minus) {axis=0}
       f = Reshape(c, t)  d = Dropout(f)  dead = Neg(d)  m = MatMul(d, "fc.weight")  y = Identity(m)`,
    )
    const after = simplify(before)
    verify(after)
    expect(after.nodes.map((node) => node.op)).toEqual(['Conv', 'Relu', 'Reshape', 'Dropout', 'MatMul'])
    expect([...after.initializers.keys()].toSorted()).toEqual(['fc.weight', 't', 'w'])
    expect(numbersOf(after.initializers.get('t') ?? i64([]))).toEqual([2, -1])
    expect(simplify(before, { dropout: true }).nodes.map((node) => node.op)).toEqual([
      'Conv',
      'Relu',
      'Reshape',
      'MatMul',
    ])
    const feeds = randomFeeds(before)
    const [expected, found] = [await runInOnnxruntime(before, feeds), await runInOnnxruntime(after, feeds)]
    expect(largestDifference(expected['y']?.values ?? [], found['y']?.values ?? [])).toBeLessThan(1e-5)
  })

  test('raises nothing that it need not', () => {
    const graph = parse('graph (x: f32[2]) -> (y) opset 9 { a = Identity(x)  y = Relu(a) }')
    expect(simplify(graph).opset).toBe(9)
    expect(upgrade(simplify(graph), 18).opset).toBe(18)
  })
})
