import { toAttributes } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { i64, numbersOf, type Tensor } from '../../graph/tensor.ts'
import { asTensor, tensorType } from '../../graph/types.ts'
import { FreshNames } from '../names.ts'
import { resultOf, type ChangeResult } from '../report.ts'
import { numberTensor } from '../scalar.ts'

/** Mean and biased variance of a convolution's output per channel, over batch and plane. */
export interface ChannelStatistics {
  readonly mean: ArrayLike<number>
  readonly variance: ArrayLike<number>
}

export interface InsertOptions {
  readonly epsilon?: number
  /** How much of the running statistics a training step keeps, as ONNX counts it. */
  readonly momentum?: number
}

/** The outputs of convolutions that no batch normalization follows: what `insertBatchNorm` needs statistics of. */
export function batchNormSites(graph: Graph): readonly string[] {
  return graph.nodes.filter((node) => isConv(node) && !isNormalized(graph, node)).map((node) => node.outputs[0] ?? '')
}

const isConv = (node: Node): boolean => node.domain === '' && (node.op === 'Conv' || node.op === 'ConvTranspose')
const isNormalized = (graph: Graph, node: Node): boolean =>
  graph
    .uses(node.outputs[0] ?? '')
    .some((use) => use.kind === 'node' && use.node.op === 'BatchNormalization' && use.index === 0)

/** Names of the outputs that `statisticsGraph` gives for one site. */
export const momentNames = (site: string): { readonly mean: string; readonly square: string } => ({
  mean: `${site}.mean`,
  square: `${site}.mean_square`,
})

/**
 * A graph whose outputs are, for every site, E[x] and E[x²] per channel of one batch, `f32[C]`. Means over batches of
 * one size are the means of these.
 */
export function statisticsGraph(graph: Graph, sites: readonly string[]): Graph {
  const names = new FreshNames(graph)
  const nodes: Node[] = [...graph.nodes]
  const initializers = new Map(graph.initializers)
  const outputs = sites.flatMap((site) => {
    const rank = asTensor(graph.type(site))?.shape?.length ?? 4
    const axes = [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2)]
    const { mean, square } = momentNames(site)
    const squared = names.take(`${site}.squared`)
    nodes.push({ name: squared, op: 'Mul', domain: '', inputs: [site, site], outputs: [squared], attributes: {} })
    for (const [from, to] of [[site, mean] as const, [squared, square] as const]) {
      nodes.push(meanNode(from, to, axes, graph.opset, initializers, names))
    }
    return [mean, square].map((name) => ({ name, type: tensorType('f32', undefined) }))
  })
  return graph.with({ nodes, initializers, outputs })
}

function meanNode(
  from: string,
  to: string,
  axes: readonly number[],
  opset: number,
  initializers: Map<string, Tensor>,
  names: FreshNames,
): Node {
  const node = { name: to, op: 'ReduceMean', domain: '', outputs: [to] }
  if (opset < 18) return { ...node, inputs: [from], attributes: toAttributes('ReduceMean', '', { axes, keepdims: 0 }) }
  const axesName = names.take(`${to}.axes`)
  initializers.set(axesName, i64(axes))
  return { ...node, inputs: [from, axesName], attributes: toAttributes('ReduceMean', '', { keepdims: 0 }) }
}

/** Statistics from the batches' moments, batches of one size: σ² = E[x²] − E[x]², never below 0. */
export function statisticsFrom(
  batches: readonly { readonly mean: ArrayLike<number>; readonly square: ArrayLike<number> }[],
): ChannelStatistics {
  const channels = batches[0]?.mean.length ?? 0
  const average = (pick: (batch: (typeof batches)[number]) => ArrayLike<number>, c: number) =>
    batches.reduce((sum, batch) => sum + (pick(batch)[c] ?? 0), 0) / batches.length
  const mean = Float64Array.from({ length: channels }, (_, c) => average((batch) => batch.mean, c))
  const variance = mean.map((m, c) => Math.max(0, average((batch) => batch.square, c) - m * m))
  return { mean, variance }
}

/**
 * Puts a batch normalization behind every convolution that statistics are given for (by the name of its output) and
 * that has none: γ = √(σ²+ε), β = μ, so that the function is unchanged. A constant bias of the convolution goes into
 * the normalization: its running mean is μ − b. The convolution's output gets a new name; the old one is the
 * normalization's, so that all readers and graph outputs stay.
 */
export function insertBatchNorm(
  graph: Graph,
  statistics: ReadonlyMap<string, ChannelStatistics>,
  options: InsertOptions = {},
): ChangeResult {
  const insertion = { names: new FreshNames(graph), initializers: new Map(graph.initializers), options, graph }
  const sites = new Set(batchNormSites(graph).filter((site) => statistics.has(site)))
  const nodes = graph.nodes.flatMap((node) => {
    const found = statistics.get(node.outputs[0] ?? '')
    return found && sites.has(node.outputs[0] ?? '') && isConv(node) ? normalized(insertion, node, found) : [node]
  })
  const read = new Set(nodes.flatMap((node) => node.inputs))
  for (const name of graph.initializers.keys()) {
    if (!read.has(name) && graph.uses(name).every((use) => use.kind === 'node')) insertion.initializers.delete(name)
  }
  const changes = [...sites].map((site) => `batch normalization inserted behind "${site}"`)
  return sites.size > 0
    ? resultOf(graph.with({ nodes, initializers: insertion.initializers }), changes)
    : resultOf(graph, [])
}

interface Insertion {
  readonly graph: Graph
  readonly names: FreshNames
  readonly initializers: Map<string, Tensor>
  readonly options: InsertOptions
}

function normalized(
  { graph, names, initializers, options }: Insertion,
  conv: Node,
  statistics: ChannelStatistics,
): Node[] {
  const { epsilon = 1e-5, momentum = 0.9 } = options
  const [x = '', weight = '', biasName = ''] = conv.inputs
  const [y = ''] = conv.outputs
  const raw = names.take(`${y}.conv`)
  const bias = graph.initializers.get(biasName)
  const mean = Array.from(statistics.mean)
  const variance = Array.from(statistics.variance)
  const old = bias ? numbersOf(bias) : []
  const dtype = graph.initializers.get(weight)?.dtype ?? 'f32'
  const parameters = {
    weight: variance.map((v) => Math.sqrt(v + epsilon)),
    bias: mean,
    running_mean: mean.map((m, c) => m - (old[c] ?? 0)),
    running_var: variance,
  }
  const inputs = Object.entries(parameters).map(([part, values]) => {
    const name = names.take(`${y}.bn.${part}`)
    initializers.set(name, numberTensor(values, [values.length], dtype))
    return name
  })
  const attributes = toAttributes('BatchNormalization', '', { epsilon, momentum })
  return [
    { ...conv, inputs: bias ? [x, weight] : conv.inputs, outputs: [raw] },
    { name: `${y}.bn`, op: 'BatchNormalization', domain: '', inputs: [raw, ...inputs], outputs: [y], attributes },
  ]
}
