import { describe, expect, test } from 'vitest'
import { makeSplit, Preprocessing, type Split } from '../../datasets/index.ts'
import { ortCpu } from '../../executors/ort/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { f32, numbersOf, sizeOf } from '../../graph/tensor.ts'
import { analyse } from '../../passes/prune/analysis.ts'
import { groupsOf } from '../../passes/prune/groups.ts'
import { randomGraph } from '../../testing/pruning.ts'
import { reestimateBatchNorm } from './batch-norm.ts'
import { gather, type EvidenceSource } from './evidence.ts'

const preprocessing = Preprocessing.parse({ scale: 1 })

/** Normal samples with classes 0 and 1. */
function samples(dims: readonly number[], count: number): Split {
  const random = mulberry32(3)
  const size = sizeOf(dims)
  const data = Float32Array.from({ length: count * size }, () => gaussian(random))
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2)
  return makeSplit({ sample: { dims, dtype: 'f32' }, data, labels }, 'samples')
}

const source = (split: Split, batch: number): EvidenceSource => ({
  executor: ortCpu,
  threads: 1,
  split,
  preprocessing,
  samples: split.count,
  batch,
  seed: 1,
  progress: () => undefined,
})

describe('batch-norm statistics anew', () => {
  const graph = randomGraph(`graph (x: f32[N,3,5,5]) -> (y: f32[N,2]) opset 17 {
    const w1: f32[6,3,3,3] = 1 a = Conv(x, w1) const g1: f32[6] = 1 const b1: f32[6] = 1 const m1: f32[6] = 1 const var1: f32[6] = 3
    n = BatchNormalization(a, g1, b1, m1, var1) r = Relu(n)
    const w2: f32[4,6,1,1] = 1 c = Conv(r, w2) const g2: f32[4] = 1 const b2: f32[4] = 1 const m2: f32[4] = 1 const var2: f32[4] = 3
    k = BatchNormalization(c, g2, b2, m2, var2) p = GlobalAveragePool(k) f = Flatten(p) const wo: f32[4,2] = 1 y = MatMul(f, wo) }`)
  const split = samples([3, 5, 5], 24)

  /** Mean and variance per channel of a value over the whole split, by the model's own inference. */
  async function momentsOf(model: Graph, value: string): Promise<{ mean: number[]; variance: number[] }> {
    const type = { kind: 'tensor', dtype: 'f32' } as const
    const program = await ortCpu.compile(model.with({ outputs: [{ name: value, type }] }))
    const x = {
      dtype: 'f32',
      dims: [24, 3, 5, 5],
      bytes: new Uint8Array((split.data as Float32Array).slice().buffer),
    } as const
    const { [value]: tensor } = await program.run({ x })
    await program.dispose()
    const [n = 0, channels = 0, h = 0, w = 0] = tensor?.dims ?? []
    const values = tensor ? numbersOf(tensor) : []
    const of = (c: number) => values.filter((_, i) => Math.floor(i / (h * w)) % channels === c)
    const mean = Array.from({ length: channels }, (_, c) => of(c).reduce((s, v) => s + v, 0) / (n * h * w))
    const variance = mean.map((m, c) => of(c).reduce((s, v) => s + (v - m) ** 2, 0) / (n * h * w))
    return { mean, variance }
  }

  test('in one batch are those of each layer behind the layers before it', async () => {
    const fresh = await reestimateBatchNorm(
      graph,
      split,
      preprocessing,
      { executor: ortCpu, threads: 1 },
      { samples: 24, batch: 24, seed: 1 },
    )
    for (const [conv, mean, variance] of [
      ['a', 'm1', 'var1'],
      ['c', 'm2', 'var2'],
    ] as const) {
      const expected = await momentsOf(fresh, conv)
      const found = (name: string) => numbersOf(fresh.initializers.get(name) ?? f32([]))
      found(mean).forEach((m, i) => expect(m).toBeCloseTo(expected.mean[i] as number, 4))
      found(variance).forEach((v, i) => expect(v / (expected.variance[i] as number)).toBeCloseTo(1, 4))
    }
    expect(fresh.initializers.get('g1')).toBe(graph.initializers.get('g1'))
  })

  test('a graph without batch-norm comes back as it is', async () => {
    const plain = parse('graph (x: f32[N,3]) -> (y: f32[N,2]) { const w: f32[3,2] = 1 y = MatMul(x, w) }')
    const same = await reestimateBatchNorm(
      plain,
      samples([3], 8),
      preprocessing,
      { executor: ortCpu, threads: 1 },
      { samples: 8, batch: 8, seed: 1 },
    )
    expect(same).toBe(plain)
  })
})

describe('what scores are taken from', () => {
  const graph = randomGraph(`graph (x: f32[N,3]) -> (y: f32[N,2]) opset 17 {
    const w: f32[3,4] = 1 h = MatMul(x, w) r = Relu(h) const u: f32[4,2] = 1 y = MatMul(r, u) }`)
  const split = samples([3], 12)
  const [w = [], u = []] = ['w', 'u'].map((name) => numbersOf(graph.initializers.get(name) ?? f32([])))
  const rows = Array.from({ length: 12 }, (_, i) => Array.from((split.data as Float32Array).slice(3 * i, 3 * i + 3)))
  const hidden = rows.map((x) =>
    Array.from({ length: 4 }, (_, j) =>
      Math.max(
        0,
        x.reduce((s, v, k) => s + v * (w[4 * k + j] as number), 0),
      ),
    ),
  )
  /** ∂L/∂u of one sample by hand: h (softmax(z) − t). */
  const gradients = hidden.map((h, i) => {
    const z = [0, 1].map((k) => h.reduce((s, v, j) => s + v * (u[2 * j + k] as number), 0))
    const total = z.reduce((s, v) => s + Math.exp(v), 0)
    return h.flatMap((v) => z.map((zk, k) => v * (Math.exp(zk) / total - (i % 2 === k ? 1 : 0))))
  })
  const mean = (pick: (g: readonly number[], e: number) => number) =>
    u.map((_, e) => gradients.reduce((s, g) => s + pick(g, e), 0) / 12)
  const constant = analyse(graph).constants.find(({ name }) => name === 'u')
  if (!constant) throw new Error('the graph has no u')

  test('mean gradients', async () => {
    const { gradient } = await gather(graph, 'taylor', {}, source(split, 4))
    const found = numbersOf(gradient?.(constant) ?? f32([]))
    mean((g, e) => g[e] as number).forEach((v, e) => expect(found[e]).toBeCloseTo(v, 4))
  })

  test('means of squared gradients of single samples', async () => {
    const { squaredGradient } = await gather(graph, 'obd', {}, source(split, 4))
    const found = numbersOf(squaredGradient?.(constant) ?? f32([]))
    mean((g, e) => (g[e] as number) ** 2).forEach((v, e) => expect(found[e]).toBeCloseTo(v, 4))
  })

  test('second derivatives: p(1 − p)h² of the last layer', async () => {
    const { curvature } = await gather(graph, 'obd-diagonal', {}, source(split, 4))
    const found = numbersOf(curvature?.(constant) ?? f32([]))
    const expected = hidden.map((h) => {
      const z = [0, 1].map((k) => h.reduce((s, v, j) => s + v * (u[2 * j + k] as number), 0))
      const total = z.reduce((s, v) => s + Math.exp(v), 0)
      return h.flatMap((v) => z.map((zk) => v * v * (Math.exp(zk) / total) * (1 - Math.exp(zk) / total)))
    })
    u.forEach((_, e) => expect(found[e]).toBeCloseTo(expected.reduce((s, h) => s + (h[e] as number), 0) / 12, 4))
  })

  test('mean activations and their share that is not zero', async () => {
    const { activation } = await gather(graph, 'apoz', {}, source(split, 4))
    const [group] = groupsOf(analyse(graph)).groups
    const found = group && activation?.(group)
    for (let j = 0; j < 4; j++) {
      expect(found?.mean[j]).toBeCloseTo(hidden.reduce((s, h) => s + (h[j] as number), 0) / 4, 4)
      // Sums over three batches of means over four samples.
      expect(found?.nonzero[j]).toBeCloseTo(hidden.filter((h) => (h[j] as number) > 0).length / 4, 4)
    }
  })
})
