import { describe, expect, test } from 'vitest'
import { evaluate } from '../../executors/reference/evaluate.ts'
import type { NdArray } from '../../executors/reference/value.ts'
import { Graph } from '../../graph/graph.ts'
import { f32, i64, sizeOf, type Tensor } from '../../graph/tensor.ts'
import { Emitter } from '../../ops/emit.ts'
import { gradientError } from '../../testing/gradient-check.ts'
import { runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { differentiate } from '../differentiate.ts'
import { klDivergence } from '../losses.ts'
import * as feature from './feature.ts'
import * as relation from './relation.ts'
import * as response from './response.ts'

type Build = (g: Emitter, student: string, teacher: string) => string
interface Side {
  readonly dims: readonly number[]
  readonly values: readonly number[]
}

/** The graph of a loss between two inputs; `labels` is a third one where the loss asks for it. */
function graphOf(build: Build, student: readonly number[], teacher: readonly number[], labels?: number): Graph {
  const g = new Emitter(new Graph({ opsets: new Map([['', 18]]) }))
  g.input('s', 'f32', student)
  g.input('t', 'f32', teacher)
  if (labels !== undefined) g.input('labels', 'i64', [labels])
  g.output(build(g, 's', 't'))
  return g.build()
}

const side = (dims: readonly number[], ...values: number[]): Side => ({ dims, values })
const tensorOf = ({ dims, values }: Side): Tensor => f32(values, dims)
const arrayOf = ({ dims, values }: Side): NdArray => ({
  kind: 'tensor',
  dtype: 'f32',
  dims,
  data: Float64Array.from(values),
})

/** The loss in float64 on the reference, after checking that onnxruntime agrees. */
async function lossOf(build: Build, s: Side, t: Side, labels?: readonly number[]): Promise<number> {
  const graph = graphOf(build, s.dims, t.dims, labels?.length)
  const output = graph.outputs[0]?.name ?? ''
  const own = labels
    ? {
        labels: {
          kind: 'tensor',
          dtype: 'i64',
          dims: [labels.length],
          data: BigInt64Array.from(labels, BigInt),
        } as NdArray,
      }
    : {}
  const exact = evaluate(graph, { s: arrayOf(s), t: arrayOf(t), ...own }, { precision: 'f64' })
  const value = ((exact[output] as NdArray).data as Float64Array)[0] as number
  const native = await runInOnnxruntime(graph, {
    s: tensorOf(s),
    t: tensorOf(t),
    ...(labels ? { labels: i64(labels) } : {}),
  })
  expect(native[output]?.values[0]).toBeCloseTo(value, 5)
  return value
}

/** ∂loss/∂s. */
function gradientOf(build: Build, s: Side, t: Side): number[] {
  const graph = graphOf(build, s.dims, t.dims)
  const backward = differentiate(graph, { loss: graph.outputs[0]?.name ?? '', wrt: ['s'] })
  const result = evaluate(backward, { s: arrayOf(s), t: arrayOf(t) }, { precision: 'f64' })
  return [...((result[backward.outputs[1]?.name ?? ''] as NdArray).data as Float64Array)]
}

const zs = side([1, 3], 1, 1, 1)
const zt = side([1, 3], 2, 1, 0)
const kd =
  (temperature: number): Build =>
  (g, s, t) =>
    response.softenedKL(g, s, t, temperature)

describe('losses on outputs', () => {
  test.each([
    [1, 0.266217],
    [2, 0.313684],
    [4, 0.328202],
  ])('the softened divergence at T = %d is %d', async (temperature, expected) => {
    expect(await lossOf(kd(temperature), zs, zt)).toBeCloseTo(expected, 6)
  })

  test('its gradient is T(p_s − p_t), and that of soft cross-entropy too', () => {
    const expected = [-0.346294, 0.052275, 0.294019]
    gradientOf(kd(2), zs, zt).forEach((v, i) => expect(v).toBeCloseTo(expected[i] as number, 6))
    const soft: Build = (g, s, t) => response.softCrossEntropy(g, s, t, 2)
    gradientOf(soft, zs, zt).forEach((v, i) => expect(v).toBeCloseTo(expected[i] as number, 6))
  })

  test('equal logits are no distance', async () => {
    expect(await lossOf(kd(4), zt, zt)).toBeCloseTo(0, 12)
    expect(await lossOf(response.meanSquared, zt, zt)).toBe(0)
  })

  test('soft cross-entropy is the divergence plus T² times the entropy', async () => {
    const p = [2, 1, 0].map((z) => Math.exp(z / 4))
    const sum = p.reduce((a, b) => a + b)
    const entropy = -p.reduce((h, v) => h + (v / sum) * Math.log(v / sum), 0)
    const soft = await lossOf((g, s, t) => response.softCrossEntropy(g, s, t, 4), zs, zt)
    expect(soft).toBeCloseTo(0.328202 + 16 * entropy, 5)
  })

  test('squares and absolutes are means over all elements', async () => {
    expect(await lossOf(response.meanSquared, zs, zt)).toBeCloseTo(2 / 3, 12)
    expect(await lossOf(response.meanAbsolute, zs, zt)).toBeCloseTo(2 / 3, 12)
  })

  // Zhao et al. 2022, eq. 5: the plain divergence is the binary one plus (1 − p_t) times that of the others.
  test.each([1, 4])('decoupled distillation recouples to the plain divergence at T = %d', async (temperature) => {
    const p = [2, 1, 0].map((z) => Math.exp(z / temperature))
    const beta = 1 - (p[0] as number) / p.reduce((a, b) => a + b)
    const build: Build = (g, s, t) => response.decoupled(g, s, t, 'labels', { temperature, alpha: 1, beta })
    const plain = await lossOf(kd(temperature), zs, zt)
    expect(await lossOf(build, zs, zt, [0])).toBeCloseTo(plain, 7)
  })

  test('classes along axis 1, positions behind it: sequences and maps are averaged', async () => {
    const wide = (values: readonly number[]) => side([1, 3, 2], ...values.flatMap((v) => [v, v]))
    expect(await lossOf(kd(2), wide(zs.values), wide(zt.values))).toBeCloseTo(0.313684, 6)
  })
})

describe('losses inside the nets', () => {
  const map = side([1, 2, 2, 2], 1, 2, 3, 4, 0, 1, 0, 1)
  const ones = side([1, 2, 2, 2], 1, 1, 1, 1, 1, 1, 1, 1)
  const points = side([3, 2], 1, 0, 0, 1, 1, 1)
  const others = side([3, 2], 1, 2, 2, 1, 0, 1)

  test('attention transfer', async () => {
    expect(await lossOf(feature.attentionTransfer, ones, map)).toBeCloseTo(0.0979849, 7)
    expect(await lossOf((g, s, t) => feature.attentionTransfer(g, s, t, 3), map, map)).toBeCloseTo(0, 12)
  })

  test('similarity-preserving', async () => {
    expect(await lossOf(feature.similarityPreserving, others, points)).toBeCloseTo(0.1720329, 7)
  })

  test('cosine: 0 along, 1 across, 2 against', async () => {
    const x = side([2, 2], 1, 0, 3, 0)
    expect(await lossOf(feature.cosineDistance, x, side([2, 2], 2, 0, 1, 0))).toBeCloseTo(0, 12)
    expect(await lossOf(feature.cosineDistance, x, side([2, 2], 0, 2, 0, 5))).toBeCloseTo(1, 12)
    expect(await lossOf(feature.cosineDistance, x, side([2, 2], -2, 0, -1, 0))).toBeCloseTo(2, 12)
  })

  test('information gap: the Gaussian log-likelihood without its constant', async () => {
    const build: Build = (g, s, t) => feature.informationGap(g, s, t, g.scalar(5, 'f32'))
    expect(await lossOf(build, ones, map)).toBeCloseTo(0.5 * (16 / 8 / 5 + Math.log(5)), 6)
  })

  test('flow: products of channels over positions', async () => {
    const build: Build = (g, s, t) => feature.flowDifference(g, [s, s], [t, t])
    // FFᵀ/4 of the map is [[7.5, 1.5], [1.5, 0.5]], that of ones is all ones.
    const expected = (6.5 ** 2 + 0.5 ** 2 + 0.5 ** 2 + 0.5 ** 2) / 4
    expect(await lossOf(build, ones, map)).toBeCloseTo(expected, 9)
  })

  const t = side([3, 2], 0, 0, 3, 0, 0, 4)
  const s = side([3, 2], 0, 0, 1, 0, 0, 1)
  test('relations by distance and by angle', async () => {
    expect(await lossOf(relation.distanceRelation, s, t)).toBeCloseTo(0.00348125, 7)
    expect(await lossOf(relation.angleRelation, s, t)).toBeCloseTo(0.00074448, 7)
  })

  test('contrast: each sample is told from the K others of its batch', async () => {
    // Unit rows (1, 0) and (0, 1): e is exp(1) on the diagonal of the first, exp(0) beside it; τ = 1, K = 1.
    const own = side([2, 2], 3, 0, 0, 2)
    const mean = (2 * Math.E + 2) / 4
    const h = (e: number) => e / (e + mean)
    const perSample = -(Math.log(h(Math.E)) + Math.log(1 - h(1)))
    const build: Build = (g, x, y) => relation.contrast(g, x, y, 1, g.scalar(mean, 'f32'))
    expect(await lossOf(build, own, own)).toBeCloseTo(2 * perSample, 6)
    const swapped = -(Math.log(h(1)) + Math.log(1 - h(Math.E)))
    expect(await lossOf(build, own, side([2, 2], 0, 1, 1, 0))).toBeCloseTo(2 * swapped, 6)
  })

  test('contrast: the level of the noise carries no gradient', () => {
    const own = side([3, 2], 1, 0.2, -0.3, 1, 0.5, 0.6)
    const other = side([3, 2], 0.9, 0.1, 0.2, 1, 1, 0.4)
    const dot = (a: number, b: number) => {
      const [p, q] = [own.values.slice(2 * a, 2 * a + 2), other.values.slice(2 * b, 2 * b + 2)] as [number[], number[]]
      const product = (x: number[], y: number[]) => x.reduce((sum, v, i) => sum + v * (y[i] as number), 0)
      return product(p, q) / Math.sqrt(product(p, p) * product(q, q))
    }
    const mean = [0, 1, 2].flatMap((a) => [0, 1, 2].map((b) => Math.exp(dot(a, b)))).reduce((x, y) => x + y) / 9
    const fixed = gradientOf((g, x, y) => relation.contrast(g, x, y, 1, g.scalar(mean, 'f32')), own, other)
    gradientOf((g, x, y) => relation.contrast(g, x, y, 1), own, other).forEach((v, i) =>
      expect(v).toBeCloseTo(fixed[i] as number, 6),
    )
  })

  test('relations do not change with scale and shift', async () => {
    const moved = side([3, 2], ...t.values.map((v) => 7 * v + 3))
    expect(await lossOf(relation.distanceRelation, moved, t)).toBeCloseTo(0, 10)
    expect(await lossOf(relation.angleRelation, moved, t)).toBeCloseTo(0, 10)
  })
})

interface Shaped {
  readonly name: string
  readonly build: Build
  readonly s: readonly number[]
  readonly t: readonly number[]
  readonly labels?: readonly number[]
}
const shaped = (name: string, build: Build, s: readonly number[], t = s): Shaped => ({ name, build, s, t })
const dkd: Build = (g, s, t) => response.decoupled(g, s, t, 'labels', { temperature: 4, alpha: 1, beta: 8 })

/** Every loss with the shapes of its two sides. */
const all: readonly Shaped[] = [
  shaped('softened divergence', kd(3), [4, 5]),
  shaped('softened divergence of maps', kd(3), [2, 3, 2, 2]),
  shaped('plain divergence', klDivergence, [4, 5]),
  shaped('soft cross-entropy', (g, s, t) => response.softCrossEntropy(g, s, t, 2), [4, 5]),
  shaped('squares', response.meanSquared, [4, 5]),
  shaped('absolutes', response.meanAbsolute, [4, 5]),
  { ...shaped('decoupled', dkd, [4, 5]), labels: [0, 1, 2, 3] },
  shaped('attention', feature.attentionTransfer, [3, 4, 2, 3], [3, 2, 2, 3]),
  shaped('attention, power 3', (g, s, t) => feature.attentionTransfer(g, s, t, 3), [3, 4, 2, 3], [3, 2, 2, 3]),
  shaped('cosine', feature.cosineDistance, [3, 4, 2]),
  shaped('information gap', (g, s, t) => feature.informationGap(g, s, t, g.add(g.square(s), 1)), [3, 4, 2]),
  shaped('similarity', feature.similarityPreserving, [4, 3, 2], [4, 5]),
  shaped('flow', (g, s, t) => feature.flowDifference(g, [s, s], [t, t]), [2, 3, 2, 2]),
  shaped('distance relation', relation.distanceRelation, [4, 3], [4, 6]),
  shaped('contrast relation', (g, s, t) => relation.contrast(g, s, t, 0.5, g.scalar(2, 'f32')), [4, 3], [4, 3]),
  shaped('angle relation', relation.angleRelation, [4, 3], [4, 6]),
]

test.each(all)('$name: the gradient is that of finite differences', ({ build, s, t, labels }) => {
  const graph = graphOf(build, s, t, labels?.length)
  expect(gradientError(graph, labels ? { feeds: { labels } } : {})).toBeLessThan(1e-6)
})

test.each(all.filter(({ name }) => /attention|cosine|similarity|relation/.test(name)))(
  '$name: features that are all zero have a finite gradient',
  ({ build, s, t }) => {
    const zeros: Side = { dims: s, values: Array<number>(sizeOf(s)).fill(0) }
    const noise: Side = { dims: t, values: Array.from({ length: sizeOf(t) }, (_, i) => Math.sin(i + 1)) }
    expect(gradientOf(build, zeros, noise).every(Number.isFinite)).toBe(true)
  },
)
