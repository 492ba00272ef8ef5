import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Graph } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { arrayOf, type Tensor } from '../../graph/tensor.ts'
import { inferTypes } from '../../ops/infer.ts'
import { largestDifference, randomFeeds, randomTensor, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { layerWeights } from '../layer-weights.ts'
import { factorize, type FactorizeOptions } from './factorize.ts'
import { factorLayer, isRefusal } from './layers.ts'
import { methods, type MethodId } from './methods.ts'
import { shapeOfLayer } from './ranks.ts'

/** A graph with one convolution; its weight is drawn. */
function convGraph(weight: readonly number[], attributes: string, { bias = true, input = '[1,4,11,12]' } = {}): Graph {
  const text = `
    graph (x: f32${input}) -> (y) opset 18 {
      const w: f32[1] = [0]
      const b: f32[${weight[0]}] = [${Array.from({ length: weight[0] ?? 0 }, (_, i) => i / 10 - 0.3).join()}]
      y = Conv(x, w${bias ? ', b' : ''}) ${attributes}
    }`
  const graph = parse(text)
  return inferTypes(graph.with({ initializers: new Map([...graph.initializers, ['w', randomTensor(weight, 7)]]) }))
}

const largest = (values: readonly number[]) => values.reduce((m, v) => Math.max(m, Math.abs(v)), 0)

/** Largest difference of the outputs, relative to the largest output. */
async function difference(a: Graph, b: Graph): Promise<number> {
  const feeds = randomFeeds(a)
  const [expected, found] = [(await runInOnnxruntime(a, feeds))['y'], (await runInOnnxruntime(b, feeds))['y']]
  expect(found?.dims).toEqual(expected?.dims)
  const scale = Math.max(1, largest(expected?.values ?? []))
  return largestDifference(
    (expected?.values ?? []).map((v) => v / scale),
    (found?.values ?? []).map((v) => v / scale),
  )
}

/** Everything kept: the method's own full ranks. */
function atFullRank(graph: Graph, method: MethodId): ReturnType<typeof factorize> {
  const [weight] = layerWeights(graph)
  const layer = weight && factorLayer(graph, weight)
  if (!layer || isRefusal(layer)) throw new Error(layer?.reason ?? 'no layer')
  const fixed = methods[method].fullRanks(shapeOfLayer(layer))
  return factorize(graph, { conv: method, dense: method, rank: { fixed }, force: true })
}

const attributesArbitrary = fc.record({
  kernel: fc.constantFrom([3, 3], [3, 2], [2, 3], [5, 3]),
  strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  dilations: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  pads: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 4, maxLength: 4 }),
  auto: fc.constantFrom(undefined, undefined, 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
  group: fc.constantFrom(1, 1, 2),
  bias: fc.boolean(),
})

describe.each(['tucker', 'spatial', 'depthwise', 'channel'] as const)('%s at full rank', (method) => {
  test('gives the same outputs for every combination of attributes', async () => {
    await fc.assert(
      fc.asyncProperty(attributesArbitrary, async ({ kernel, strides, dilations, pads, auto, group, bias }) => {
        // onnxruntime takes SAME without dilation only.
        const dilated = auto?.startsWith('SAME') ? [1, 1] : dilations
        const where = auto === undefined ? `pads = [${pads.join()}]` : `auto_pad = "${auto}"`
        const graph = convGraph(
          [6, 4 / group, ...kernel],
          `{strides = [${strides.join()}], dilations = [${dilated.join()}], group = ${group}, ${where}}`,
          { bias },
        )
        const { graph: factored, report } = atFullRank(graph, method)
        expect(report.layers[0]).toMatchObject({ method })
        expect(await difference(graph, factored)).toBeLessThan(1e-5)
      }),
      { numRuns: process.env['ALAMBIC_LONG'] ? 300 : 40 },
    )
  })
})

test('CP at full rank, with stride, asymmetric padding and dilation', async () => {
  const graph = convGraph([4, 4, 3, 3], '{strides = [2,3], pads = [1,0,2,1], dilations = [1,2]}')
  const { graph: factored, report } = factorize(graph, { conv: 'cp', rank: { fixed: 24 }, force: true })
  expect(report.layers[0]).toMatchObject({ method: 'cp' })
  expect(await difference(graph, factored)).toBeLessThan(1e-4)
})

test.each([
  ['Conv', 'Conv(x, w, b) {kernel_shape = [1,1], strides = [2,1], pads = [1,0,0,2]}', [6, 4, 1, 1], '[2,4,5,6]'],
  ['grouped Conv', 'Conv(x, w, b) {group = 2, strides = [2,2]}', [6, 2, 1, 1], '[2,4,5,6]'],
  ['one-dimensional Conv', 'Conv(x, w, b) {strides = [2]}', [6, 4, 1], '[2,4,9]'],
  ['Gemm', 'Gemm(x, w, b)', [4, 6], '[3,4]'],
  ['Gemm with transposed operands', 'Gemm(x, w, b) {transA = 1, transB = 1, alpha = 0.5, beta = 2.0}', [6, 4], '[4,3]'],
  ['MatMul', 'MatMul(x, w)', [4, 6], '[2,3,4]'],
] as const)('SVD of a %s at full rank', async (_, call, dims, input) => {
  const parsed = parse(`graph (x: f32${input}) -> (y) opset 18 {
    const w: f32[1] = [0]
    const b: f32[6] = [1, -2, 3, 0.5, 0, 1]
    y = ${call}
  }`)
  const graph = inferTypes(
    parsed.with({ initializers: new Map([...parsed.initializers, ['w', randomTensor(dims, 3)]]) }),
  )
  const { graph: factored, report } = atFullRank(graph, 'svd')
  expect(report.modified).toBe(true)
  expect(factored.nodes).toHaveLength(2)
  expect(await difference(graph, factored)).toBeLessThan(1e-5)
})

test('Tucker-2 of a convolution over three axes at full rank', async () => {
  const graph = convGraph([5, 4, 2, 3, 2], '{strides = [1,2,1], pads = [1,0,1,0,1,0]}', { input: '[1,4,5,6,5]' })
  const { graph: factored } = atFullRank(graph, 'tucker')
  expect(await difference(graph, factored)).toBeLessThan(1e-5)
})

const report = (graph: Graph, options: FactorizeOptions) => factorize(graph, options).report.layers

describe('what stays, and why', () => {
  test.each<readonly [string, Graph, FactorizeOptions, string]>([
    [
      'a rank that does not pay',
      convGraph([6, 4, 3, 3], '{pads = [1,1,1,1]}'),
      { rank: { share: 1 } },
      'its factors would have 268 parameters at rank 6 and 4, and it has 216',
    ],
    ['depthwise', convGraph([4, 1, 3, 3], '{group = 4}'), { rank: { share: 0.5 } }, 'it is depthwise'],
    ['left out', convGraph([6, 4, 3, 3], ''), { rank: { share: 0.5 }, conv: 'none' }, 'it was left out'],
    [
      'one axis',
      convGraph([6, 4, 3, 1], ''),
      { rank: { share: 0.5 }, conv: 'spatial' },
      'its kernel is 3×1: one axis has nothing to separate',
    ],
    ['SVD of taps', convGraph([6, 4, 3, 3], ''), { rank: { share: 0.5 }, conv: 'svd' }, 'its kernel is 3×3'],
  ])('%s', (_, graph, options, reason) => {
    const result = factorize(graph, options)
    expect(result.graph).toBe(graph)
    expect(result.report.layers[0]).toMatchObject({ name: 'w', skipped: expect.stringContaining(reason) as string })
  })

  test('a weight that two layers share', () => {
    const graph = parse(`graph (x: f32[3,2]) -> (y) opset 18 {
      const w: f32[2,2] = [1, 2, 3, 4]
      h = MatMul(x, w)
      y = MatMul(h, w)
    }`)
    expect(report(graph, { rank: { share: 0.5 } })).toEqual([
      { name: 'w', node: 'h', skipped: 'its weight is shared by 2 readers' },
    ])
  })
})

test('prints as three convolutions, the attributes on the middle one and the bias on the last', () => {
  const graph = convGraph([16, 12, 3, 3], '{strides = [2,1], pads = [1,0,2,1], dilations = [1,2]}', {
    input: '[1,12,20,20]',
  })
  const { graph: factored, report: said } = factorize(graph, { rank: { fixed: [5, 3] } })
  const shapes = factored.nodes.map((n) => [
    n.inputs.join(),
    factored.initializers.get(n.inputs[1] ?? '')?.dims,
    Object.keys(n.attributes).toSorted().join(),
  ])
  expect(shapes).toEqual([
    ['x,w/1', [3, 12, 1, 1], 'kernel_shape'],
    ['y/1,w/2', [5, 3, 3, 3], 'dilations,kernel_shape,pads,strides'],
    ['y/2,w/3,b', [16, 5, 1, 1], 'kernel_shape'],
  ])
  expect(factored.outputs.map((o) => o.name)).toEqual(['y'])
  const params = { before: 1728, after: 3 * 12 + 5 * 3 * 9 + 16 * 5 }
  const rows = Math.floor((20 + 3 - 3) / 2) + 1
  const columns = 20 + 1 - 4
  const macs = { before: 1728 * rows * columns, after: 36 * 400 + (135 + 80) * rows * columns }
  expect(said.layers[0]).toMatchObject({ method: 'tucker', ranks: [5, 3], params, macs })
})

describe('ranks', () => {
  const two = (): Graph => {
    const graph = parse(`graph (x: f32[1,8,9,9]) -> (y) opset 18 {
      const w: f32[1] = [0]
      const v: f32[1] = [0]
      h = Conv(x, w) {pads = [1,1,1,1]}
      y = Conv(h, v) {pads = [1,1,1,1]}
    }`)
    const weights = new Map<string, Tensor>([
      ['w', randomTensor([16, 8, 3, 3], 1)],
      ['v', randomTensor([12, 16, 3, 3], 2)],
    ])
    return inferTypes(graph.with({ initializers: new Map([...graph.initializers, ...weights]) }))
  }

  test.each(['params', 'macs'] as const)('a budget of %s is met over all layers, nearly used up', (unit) => {
    for (const share of [0.2, 0.5, 0.8]) {
      const layers = report(two(), { rank: { [unit]: share } as { params: number } })
      const totals = layers.map((l) => ('method' in l ? l[unit] : undefined))
      const before = totals.reduce((sum, t) => sum + (t?.before ?? 0), 0)
      const after = totals.reduce((sum, t) => sum + (t?.after ?? 0), 0)
      expect(after).toBeLessThanOrEqual(share * before)
      expect(after).toBeGreaterThan(0.7 * share * before)
    }
  })

  test('a budget that no ranks meet names the closest', () => {
    expect(() => report(two(), { rank: { params: 0.001 } })).toThrow(
      expect.objectContaining({
        code: 'target.infeasible',
        found: expect.stringContaining('% at rank 1 everywhere') as string,
      }) as Error,
    )
  })

  test('a ratio divides the parameters of each layer', () => {
    for (const method of ['tucker', 'spatial', 'cp'] as const) {
      for (const layer of report(two(), { conv: method, rank: { ratio: 3 } })) {
        expect(layer).toHaveProperty('params')
        if (!('params' in layer)) continue
        expect(layer.params.before / layer.params.after).toBeGreaterThanOrEqual(3)
        expect(layer.params.before / layer.params.after).toBeLessThan(5)
      }
    }
  })

  test('energy: the error is at most what was allowed', () => {
    for (const energy of [0.5, 0.9, 0.99]) {
      for (const layer of report(two(), { conv: 'spatial', rank: { energy }, force: true })) {
        expect('error' in layer && layer.error ** 2).toBeLessThanOrEqual(1 - energy + 1e-9)
      }
    }
  })

  test('noise has no signal: the Bayesian rank is 1', () => {
    expect(report(two(), { rank: { evbmf: true } })).toMatchObject([{ ranks: [1, 1] }, { ranks: [1, 1] }])
  })

  test('ranks out of range are refused with the range', () => {
    expect(() => report(two(), { rank: { fixed: [17, 3] } })).toThrow(
      expect.objectContaining({ code: 'model.rank', expected: '1 … 16 and 1 … 8', found: '17 and 3' }) as Error,
    )
    expect(() => report(two(), { conv: 'cp', rank: { energy: 0.9 } })).toThrow(
      expect.objectContaining({ code: 'model.rank' }) as Error,
    )
  })

  test('layers of their own', () => {
    const layers = report(two(), {
      rank: { share: 0.25 },
      layers: { v: { method: 'spatial', rank: { fixed: 7 } } },
    })
    expect(layers).toMatchObject([
      { name: 'w', method: 'tucker', ranks: [4, 2] },
      { name: 'v', method: 'spatial', ranks: [7] },
    ])
  })
})

test('a degenerate CP falls back to Tucker-2, and says so', () => {
  // a⊗a⊗b + a⊗b⊗a + b⊗a⊗a has rank 3, but is the limit of tensors of rank 2 whose components grow without end.
  const graph = convGraph([2, 2, 2, 2], '')
  const [a, b] = [
    [1, 0],
    [0, 1],
  ] as const
  const values = (arrayOf(randomTensor([2, 2, 2, 2])) as Float32Array).map((_, i) => {
    const [t, s, y] = [(i >> 3) & 1, (i >> 2) & 1, (i >> 1) & 1]
    const at = (p: readonly number[], q: readonly number[], r: readonly number[]) =>
      (p[t] ?? 0) * (q[s] ?? 0) * (r[y] ?? 0)
    return at(a, a, b) + at(a, b, a) + at(b, a, a)
  })
  const w: Tensor = { dtype: 'f32', dims: [2, 2, 2, 2], bytes: new Uint8Array(values.buffer) }
  const odd = graph.with({ initializers: new Map([...graph.initializers, ['w', w]]) })
  const [layer] = report(odd, { conv: 'cp', rank: { fixed: 2 }, cp: { degeneracy: 2 }, force: true })
  expect(layer).toMatchObject({
    method: 'tucker',
    note: expect.stringContaining('degenerates') as string,
  })
})
