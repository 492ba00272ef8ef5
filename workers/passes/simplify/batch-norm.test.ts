import { describe, expect, test } from 'vitest'
import type { Graph } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { print } from '../../graph/print.ts'
import { numbersOf, type Tensor } from '../../graph/tensor.ts'
import { verify } from '../../graph/verify.ts'
import { inferTypes } from '../../ops/infer.ts'
import { zoo } from '../../zoo/index.ts'
import { largestDifference, randomFeeds, randomTensor, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import {
  batchNormSites,
  foldBatchNorm,
  insertBatchNorm,
  momentNames,
  statisticsFrom,
  statisticsGraph,
} from '../index.ts'

/** A graph whose constants of more than one element are random; variances are positive. */
function randomized(graph: Graph): Graph {
  const initializers = new Map<string, Tensor>()
  for (const [name, tensor] of graph.initializers) {
    const random = randomTensor(tensor.dims, name.length + 31 * initializers.size)
    const positive = (t: Tensor): Tensor => ({
      ...t,
      bytes: new Uint8Array(new Float32Array(numbersOf(t).map((v) => v * v + 0.1)).buffer),
    })
    initializers.set(
      name,
      tensor.dtype !== 'f32' || tensor.dims.length === 0
        ? tensor
        : /^v|running_var/.test(name)
          ? positive(random)
          : random,
    )
  }
  return graph.with({ initializers })
}

async function difference(before: Graph, after: Graph): Promise<number> {
  const feeds = randomFeeds(before)
  const [expected, found] = [await runInOnnxruntime(before, feeds), await runInOnnxruntime(after, feeds)]
  return Math.max(
    ...Object.entries(expected).map(([name, { values }]) => largestDifference(values, found[name]?.values ?? [])),
  )
}

const norm = (channels: number) => ['s', 'b', 'm', 'v'].map((name) => `const ${name}: f32[${channels}] = 1`).join(' ')
const graphOf = (shape: string, constants: string, nodes: string) =>
  randomized(inferTypes(parse(`graph (x: f32[${shape}]) -> (y: f32) { ${constants} ${nodes} }`)))

describe('folding', () => {
  test.each([
    [
      'Conv',
      '2,3,5,5',
      `const w: f32[4,3,3,3] = 1 ${norm(4)}`,
      'h = Conv(x, w) y = BatchNormalization(h, s, b, m, v)',
      'Conv',
    ],
    [
      'Conv with a bias',
      '2,3,5,5',
      `const w: f32[4,3,3,3] = 1 const c: f32[4] = 1 ${norm(4)}`,
      'h = Conv(x, w, c) {pads=[1, 1, 1, 1]} y = BatchNormalization(h, s, b, m, v) {epsilon=0.01}',
      'Conv',
    ],
    [
      'depthwise Conv',
      '2,4,5,5',
      `const w: f32[4,1,3,3] = 1 ${norm(4)}`,
      'h = Conv(x, w) {group=4} y = BatchNormalization(h, s, b, m, v)',
      'Conv',
    ],
    [
      'ConvTranspose',
      '2,4,3,3',
      `const w: f32[4,3,2,2] = 1 ${norm(3)}`,
      'h = ConvTranspose(x, w) y = BatchNormalization(h, s, b, m, v)',
      'ConvTranspose',
    ],
    [
      'grouped ConvTranspose',
      '2,4,3,3',
      `const w: f32[4,3,2,2] = 1 const c: f32[6] = 1 ${norm(6)}`,
      'h = ConvTranspose(x, w, c) {group=2} y = BatchNormalization(h, s, b, m, v)',
      'ConvTranspose',
    ],
    ['Gemm', '2,3', `const w: f32[3,4] = 1 ${norm(4)}`, 'h = Gemm(x, w) y = BatchNormalization(h, s, b, m, v)', 'Gemm'],
    [
      'Gemm with all attributes',
      '3,2',
      `const w: f32[4,3] = 1 const c: f32[1,4] = 1 ${norm(4)}`,
      'h = Gemm(x, w, c) {alpha=0.5, beta=2, transA=1, transB=1} y = BatchNormalization(h, s, b, m, v)',
      'Gemm',
    ],
    [
      'Gemm with a bias of one number',
      '2,3',
      `const w: f32[3,4] = 1 const c: f32[1] = 1 ${norm(4)}`,
      'h = Gemm(x, w, c) {beta=3} y = BatchNormalization(h, s, b, m, v)',
      'Gemm',
    ],
    [
      'MatMul and Add',
      '2,3',
      `const w: f32[3,4] = 1 const c: f32[4] = 1 ${norm(4)}`,
      'p = MatMul(x, w) h = Add(c, p) y = BatchNormalization(h, s, b, m, v)',
      'MatMul Add',
    ],
  ])('%s', async (_, shape, constants, nodes, becomes) => {
    const before = graphOf(shape, constants, nodes)
    const { graph, report } = foldBatchNorm(before)
    verify(graph)
    expect(graph.nodes.map((node) => node.op).join(' ')).toBe(becomes)
    expect(report.changes).toEqual([`BatchNormalization "y" folded into "h"`])
    expect(await difference(before, graph)).toBeLessThan(1e-5)
  })

  test.each([
    [
      'the output of the convolution is read elsewhere',
      'h = Conv(x, w) z = BatchNormalization(h, s, b, m, v) y = Add(h, z)',
    ],
    ['an activation stands between', 'h = Conv(x, w) r = Relu(h) y = BatchNormalization(r, s, b, m, v)'],
    ['it trains', 'h = Conv(x, w) y, _, _ = BatchNormalization(h, s, b, m, v) {training_mode=1}'],
    ['its scale is computed', 'h = Conv(x, w) t = Neg(s) y = BatchNormalization(h, t, b, m, v)'],
  ])('leaves a normalization alone when %s', (_, nodes) => {
    const before = graphOf('2,3,5,5', `const w: f32[4,3,3,3] = 1 ${norm(4)}`, nodes)
    expect(foldBatchNorm(before).graph).toBe(before)
  })

  test('gives a shared weight a copy for each', async () => {
    const before = graphOf(
      '2,3,5,5',
      `const w: f32[3,3,1,1] = 1 ${norm(3)}`,
      'h = Conv(x, w) z = BatchNormalization(h, s, b, m, v) y = Conv(z, w)',
    )
    const { graph } = foldBatchNorm(before)
    verify(graph)
    expect(graph.initializers.get('w')).toBe(before.initializers.get('w'))
    expect(await difference(before, graph)).toBeLessThan(1e-5)
  })

  test('reads like what it is', () => {
    const text = `graph (x: f32[N,1,2,2]) -> (y) {
      const w: f32[2,1,1,1] = [1, 2]
      const s: f32[2] = [3, 4]  const b: f32[2] = [1, 1]  const m: f32[2] = [2, 0]  const v: f32[2] = [9, 4]
      h = Conv(x, w)  n = BatchNormalization(h, s, b, m, v) {epsilon=0}  y = Relu(n)
    }`
    expect(print(foldBatchNorm(parse(text)).graph)).toMatchInlineSnapshot(`
      "graph main (x: f32[N,1,2,2]) -> (y) opset 17 {
        const w: f32[2,1,1,1] = [1, 4]
        const w.bias: f32[2] = [-1, 1]
        n = Conv(x, w, w.bias) "h"
        y = Relu(n)
      }"
    `)
  })

  test.each(['resnet-20', 'mobilenet-v2'] as const)('whole nets: %s', async (id) => {
    const net = zoo[id].build({ inputDims: [3, 32, 32] })
    const before = randomizedNorms(net)
    const { graph } = foldBatchNorm(before)
    verify(graph)
    expect(graph.nodes.filter((node) => node.op === 'BatchNormalization')).toEqual([])
    expect(graph.nodes.length).toBeLessThan(before.nodes.length)
    const bound = (g: Graph) =>
      g.with({ inputs: [{ name: 'input', type: { kind: 'tensor', dtype: 'f32', shape: [1, 3, 32, 32] } }] })
    expect(await difference(bound(before), bound(graph))).toBeLessThan(1e-4)
  })
})

/** A net whose normalizations are not the identity, near it. */
function randomizedNorms(graph: Graph): Graph {
  const initializers = new Map(graph.initializers)
  const norms = graph.nodes.filter((node) => node.op === 'BatchNormalization')
  for (const [i, node] of norms.entries()) {
    node.inputs.slice(1).forEach((name, part) => {
      const dims = graph.initializers.get(name)?.dims ?? []
      const values = numbersOf(randomTensor(dims, 7 * i + part)).map((v) =>
        part % 3 === 0 ? 1 + 0.3 * Math.tanh(v) : 0.1 * v,
      )
      initializers.set(name, { dtype: 'f32', dims, bytes: new Uint8Array(Float32Array.from(values).buffer) })
    })
  }
  return graph.with({ initializers })
}

describe('inserting', () => {
  const text = `graph (x: f32[8,3,6,6]) -> (y: f32, z: f32) {
    const w: f32[4,3,3,3] = 1  const c: f32[4] = 1  const u: f32[2,4,1,1] = 1
    y = Conv(x, w, c)  r = Relu(y)  z = Conv(r, u)
  }`

  async function calibrated(graph: Graph) {
    const sites = batchNormSites(graph)
    const calibration = statisticsGraph(graph, sites)
    verify(calibration)
    const batches = [1, 2].map(async (seed) => runInOnnxruntime(calibration, randomFeeds(graph, seed)))
    const runs = await Promise.all(batches)
    const moments = (site: string) =>
      runs.map((run) => ({
        mean: run[momentNames(site).mean]?.values ?? [],
        square: run[momentNames(site).square]?.values ?? [],
      }))
    return new Map(sites.map((site) => [site, statisticsFrom(moments(site))]))
  }

  test.each([17, 18])('changes nothing but the form, at opset %i', async (opset) => {
    const before = randomized(inferTypes(parse(text.replace('{', `opset ${opset} {`))))
    const statistics = await calibrated(before)
    const { graph, report } = insertBatchNorm(before, statistics)
    verify(graph)
    expect(report.changes).toHaveLength(2)
    expect(graph.nodes.map((node) => node.op)).toEqual([
      'Conv',
      'BatchNormalization',
      'Relu',
      'Conv',
      'BatchNormalization',
    ])
    expect(graph.initializers.has('c')).toBe(false)
    expect(await difference(before, graph)).toBeLessThan(1e-5)
  })

  test('then normalizes to mean 0 and variance 1 before γ and β', async () => {
    const before = randomized(inferTypes(parse(text)))
    const { graph } = insertBatchNorm(before, await calibrated(before))
    const plain = new Map(graph.initializers)
    for (const node of graph.nodes.filter((n) => n.op === 'BatchNormalization')) {
      node.inputs.slice(1, 3).forEach((name, beta) => {
        const dims = graph.initializers.get(name)?.dims ?? []
        plain.set(name, {
          dtype: 'f32',
          dims,
          bytes: new Uint8Array(new Float32Array(dims[0] ?? 0).fill(beta ? 0 : 1).buffer),
        })
      })
    }
    const normal = statisticsGraph(graph.with({ initializers: plain }), ['y'])
    const run = await runInOnnxruntime(normal, randomFeeds(before, 1))
    for (const value of run[momentNames('y').mean]?.values ?? []) expect(Math.abs(value)).toBeLessThan(0.2)
    for (const value of run[momentNames('y').square]?.values ?? []) expect(Math.abs(value - 1)).toBeLessThan(0.4)
  })

  test('undoes folding', async () => {
    const before = randomized(inferTypes(parse(text)))
    const { graph } = insertBatchNorm(before, await calibrated(before))
    const folded = foldBatchNorm(graph).graph
    verify(folded)
    expect(folded.nodes.map((node) => node.op)).toEqual(before.nodes.map((node) => node.op))
    expect(await difference(before, folded)).toBeLessThan(1e-5)
  })

  test('skips convolutions that have one, and those without statistics', async () => {
    const before = randomized(inferTypes(parse(text)))
    const { graph } = insertBatchNorm(before, await calibrated(before))
    expect(batchNormSites(graph)).toEqual([])
    expect(insertBatchNorm(before, new Map()).graph).toBe(before)
  })
})
