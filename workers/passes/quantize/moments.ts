import { attributesOf } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { numbersOf } from '../../graph/tensor.ts'
import type { Moments } from './absorb.ts'
import { channelOf } from './equalize.ts'
import type { QuantPlan } from './plan.ts'
import { channelLayout, decodeWeight, floatsOf, quantizeWeight } from './weights.ts'
import { weightOptionsOf, type StaticScheme } from './static.ts'

/** Mean β and deviation |γ| of what a batch normalization puts out, by the name of that value. */
export function normalizedMoments(graph: Graph): Map<string, Moments> {
  const moments = new Map<string, Moments>()
  for (const node of graph.nodes) {
    if (node.op !== 'BatchNormalization' || attributesOf(node, 'BatchNormalization').training_mode === 1) continue
    const [gamma, beta] = [1, 2].map((i) => graph.initializers.get(node.inputs[i] ?? ''))
    if (!gamma || !beta) continue
    moments.set(node.outputs[0] ?? '', { mean: numbersOf(beta), deviation: numbersOf(gamma).map(Math.abs) })
  }
  return moments
}

/** The standard normal density, and its integral by Abramowitz & Stegun 7.1.26 (error below 1.5e-7). */
const density = (z: number): number => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI)
function cumulative(z: number): number {
  const t = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2)
  const poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  const erf = 1 - poly * Math.exp(-0.5 * z * z)
  return z >= 0 ? (1 + erf) / 2 : (1 - erf) / 2
}

/** E[min(max(x, low), high)] of a normal x (Nagel et al. 2019, arXiv:1906.04721, appendix C). */
export function clippedMean(mean: number, deviation: number, low: number, high: number): number {
  if (deviation === 0) return Math.min(high, Math.max(low, mean))
  const [a, b] = [(low - mean) / deviation, (high - mean) / deviation]
  const [pa, pb] = [cumulative(a), b === Infinity ? 1 : cumulative(b)]
  const [da, db] = [density(a), b === Infinity ? 0 : density(b)]
  const above = b === Infinity ? 0 : high * (1 - pb)
  return low * pa + above + mean * (pb - pa) + deviation * (da - db)
}

/** What a layer reads on average, per channel, where a batch normalization tells. */
function inputMeans(graph: Graph, node: Node, moments: ReadonlyMap<string, Moments>): readonly number[] | undefined {
  const [x = ''] = node.inputs
  const own = moments.get(x)
  if (own) return own.mean
  const activation = graph.producer(x)
  const before = moments.get(activation?.inputs[0] ?? '')
  if (!activation || !before) return undefined
  const bound = (index: number, otherwise: number) => {
    const tensor = graph.initializers.get(activation.inputs[index] ?? '')
    return tensor ? (numbersOf(tensor)[0] ?? otherwise) : otherwise
  }
  const limits = { Relu: [0, Infinity], Clip: [bound(1, -Infinity), bound(2, Infinity)] } as const
  if (activation.op !== 'Relu' && activation.op !== 'Clip') return undefined
  const [low, high] = limits[activation.op]
  if (low === -Infinity) return undefined
  return before.mean.map((mean, c) => clippedMean(mean, before.deviation[c] ?? 0, low, high))
}

/**
 * What rounding the weights takes from the mean of every output channel, without data: (W − Ŵ)·E[x], with E[x] from the
 * batch normalization in front (the analytic bias correction of Nagel et al. 2019, section 4.2.1). By layer name;
 * layers whose inputs have no known mean are left out.
 */
export function analyticShifts(
  plan: QuantPlan,
  scheme: StaticScheme,
  moments: ReadonlyMap<string, Moments>,
): ReadonlyMap<string, readonly number[]> {
  const shifts = new Map<string, readonly number[]>()
  for (const site of plan.weights) {
    const source = plan.source.nodes.find((n) => n.name === site.node.name && n.op === site.node.op)
    const means = source && inputMeans(plan.source, source, moments)
    const tensor = plan.graph.initializers.get(site.name)
    if (!source || !means || !tensor || source.op === 'ConvTranspose') continue
    const values = floatsOf(tensor)
    const rounded = decodeWeight(quantizeWeight(values, tensor.dims, weightOptionsOf(scheme, site.axis)))
    const [out, into] = [channelOf(plan.source, source, 'output'), channelOf(plan.source, source, 'input')]
    const sums = new Float64Array(channelLayout(tensor.dims, site.axis).channels)
    values.forEach((w, i) => {
      sums[out(i)] = (sums[out(i)] as number) + (w - (rounded[i] as number)) * (means[into(i)] ?? 0)
    })
    shifts.set(site.node.name, [...sums])
  }
  return shifts
}
