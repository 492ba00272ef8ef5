import { attributesOf } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import type { PassReport, PassResult } from '../../graph/pass.ts'
import { f32, numbersOf, sizeOf, type Tensor } from '../../graph/tensor.ts'
import { weightUseOf } from '../../ops/quant.ts'
import { layerName } from './plan.ts'
import { floatsOf } from './weights.ts'

export interface EqualizeOptions {
  /** Rounds over all pairs; fewer when nothing moves any more. */
  readonly rounds?: number
  /** Turn a Clip from 0 to 6 between two layers into a Relu, which is not the same function but scales with its input. */
  readonly replaceRelu6?: boolean
}

/** Two layers whose channels were balanced against each other. */
export interface EqualizedPair {
  readonly first: string
  readonly second: string
  /** The product of all factors that channels of the first were divided by. */
  readonly factors: readonly number[]
}

export interface EqualizeReport extends PassReport {
  readonly pairs: readonly EqualizedPair[]
  readonly rounds: number
  readonly replaced: readonly string[]
}

/** Operators f with f(s·x) = s·f(x) for every channel and s > 0. */
const homogeneous: ReadonlySet<string> = new Set([
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'Identity',
  'LeakyRelu',
  'MaxPool',
  'PRelu',
  'Relu',
])

const ROUNDS = 30
const SETTLED = 1e-3

/**
 * Balances the ranges of channels between layers that follow each other: with r1 and r2 the largest |weight| of a
 * channel on either side and s = √(r1/r2), W1/s, b1/s and W2·s compute the same, and both sides have the range √(r1·r2)
 * (Nagel et al. 2019, arXiv:1906.04721, section 4.1). Repeated over chains until nothing moves. Batch normalizations
 * must be folded. The function stays the same up to rounding, unless `replaceRelu6` is set.
 */
export function equalizeLayers(graph: Graph, options: EqualizeOptions = {}): PassResult<EqualizeReport> {
  const replaced: string[] = []
  const base = options.replaceRelu6 === true ? withoutRelu6(graph, replaced) : graph
  const pairs = pairsOf(base)
  const weights = new Map<string, Float32Array>()
  const factors = pairs.map((pair) => new Float64Array(pair.channels).fill(1))
  let round = 0
  for (let moved = Infinity; moved > SETTLED && round < (options.rounds ?? ROUNDS); round++) {
    moved = 0
    pairs.forEach((pair, p) => {
      const scales = balance(base, weights, pair)
      scales.forEach((s, c) => {
        moved = Math.max(moved, Math.abs(s - 1))
        const all = factors[p] as Float64Array
        all[c] = (all[c] as number) * s
      })
    })
  }
  const report = {
    modified: pairs.length > 0 || replaced.length > 0,
    pairs: pairs.map(({ first, second }, p) => ({
      first: layerName(first),
      second: layerName(second),
      factors: [...(factors[p] as Float64Array)],
    })),
    rounds: round,
    replaced,
  }
  if (pairs.length === 0) return { graph: base, report }
  const initializers = new Map(base.initializers)
  for (const [name, values] of weights) initializers.set(name, f32(values, base.initializers.get(name)?.dims))
  return { graph: base.with({ initializers }), report }
}

interface Pair {
  readonly first: Node
  readonly second: Node
  readonly channels: number
}

/** Layers joined by nothing but operators that scale with their input, none of which is read by anything else. */
function pairsOf(graph: Graph): readonly Pair[] {
  return graph.nodes.flatMap((first) => {
    const channels = outputsOf(graph, first)
    const second = channels === undefined ? undefined : follower(graph, first)
    return second && channels !== undefined && inputsOf(graph, second) === channels ? [{ first, second, channels }] : []
  })
}

/** Weights and biases must belong to one node alone, or scaling them would change another. */
function ownWeight(graph: Graph, node: Node): Tensor | undefined {
  const use = weightUseOf(node, graph)
  if (!use || graph.uses(use.name).length !== 1) return undefined
  const bias = node.inputs[2] ?? ''
  const hasOwnBias = bias === '' || (graph.initializers.get(bias)?.dtype === 'f32' && graph.uses(bias).length === 1)
  return hasOwnBias ? graph.initializers.get(use.name) : undefined
}

const isTransposed = (node: Node): boolean => node.op === 'Gemm' && attributesOf(node, 'Gemm').transB === 1

function outputsOf(graph: Graph, node: Node): number | undefined {
  const weight = ownWeight(graph, node)
  if (!weight || node.op === 'ConvTranspose') return undefined
  if (node.op === 'Conv') return weight.dims[0]
  return weight.dims.length === 2 ? weight.dims[isTransposed(node) ? 0 : 1] : undefined
}

function inputsOf(graph: Graph, node: Node): number | undefined {
  const weight = ownWeight(graph, node)
  if (!weight || node.op === 'ConvTranspose') return undefined
  if (node.op === 'Conv') return (weight.dims[1] ?? 1) * (attributesOf(node, 'Conv').group ?? 1)
  return weight.dims.length === 2 ? weight.dims[isTransposed(node) ? 1 : 0] : undefined
}

function follower(graph: Graph, node: Node): Node | undefined {
  const uses = graph.uses(node.outputs[0] ?? '')
  const [use] = uses
  if (uses.length !== 1 || use?.kind !== 'node' || use.index !== 0) return undefined
  if (weightUseOf(use.node, graph)) return use.node
  return homogeneous.has(use.node.op) && use.node.domain === '' ? follower(graph, use.node) : undefined
}

/** Divides the first layer's channels and multiplies the second's; returns the factors. */
function balance(graph: Graph, weights: Map<string, Float32Array>, { first, second, channels }: Pair): Float64Array {
  const [out, into] = [channelOf(graph, first, 'output'), channelOf(graph, second, 'input')]
  const [w1, w2] = [own(graph, weights, first, 1), own(graph, weights, second, 1)]
  const [r1, r2] = [largest(w1, out, channels), largest(w2, into, channels)]
  const scales = r1.map((r, c) => (r > 0 && (r2[c] as number) > 0 ? Math.sqrt(r / (r2[c] as number)) : 1))
  for (let i = 0; i < w1.length; i++) w1[i] = (w1[i] as number) / (scales[out(i)] as number)
  for (let i = 0; i < w2.length; i++) w2[i] = (w2[i] as number) * (scales[into(i)] as number)
  if ((first.inputs[2] ?? '') !== '') {
    const bias = own(graph, weights, first, 2)
    for (let i = 0; i < bias.length; i++) bias[i] = (bias[i] as number) / (scales[i % channels] as number)
  }
  return scales
}

/** The working copy of a node's constant input. */
function own(graph: Graph, weights: Map<string, Float32Array>, node: Node, index: number): Float32Array {
  const name = node.inputs[index] ?? ''
  const values = weights.get(name) ?? floatsOf(graph.initializers.get(name) as Tensor).slice()
  weights.set(name, values)
  return values
}

function largest(values: Float32Array, channel: (i: number) => number, channels: number): Float64Array {
  const most = new Float64Array(channels)
  for (let i = 0; i < values.length; i++) {
    const c = channel(i)
    const v = Math.abs(values[i] as number)
    if (v > (most[c] as number)) most[c] = v
  }
  return most
}

/** Which output or input channel of its layer a weight element belongs to. */
export function channelOf(graph: Graph, node: Node, side: 'output' | 'input'): (index: number) => number {
  const dims = graph.initializers.get(node.inputs[1] ?? '')?.dims ?? []
  const [d0 = 1, d1 = 1] = dims
  if (node.op === 'Conv') {
    const plane = sizeOf(dims.slice(2))
    if (side === 'output') return (i) => Math.floor(i / (d1 * plane))
    const perGroup = d0 / (attributesOf(node, 'Conv').group ?? 1)
    return (i) => Math.floor(Math.floor(i / (d1 * plane)) / perGroup) * d1 + (Math.floor(i / plane) % d1)
  }
  const isRow = isTransposed(node) === (side === 'output')
  return isRow ? (i) => Math.floor(i / d1) : (i) => i % d1
}

/** Every Clip between 0 and 6 between two layers becomes a Relu. */
function withoutRelu6(graph: Graph, replaced: string[]): Graph {
  const nodes = graph.nodes.map((node) => {
    const isRelu6 =
      node.op === 'Clip' && node.domain === '' && bound(graph, node, 1) === 0 && bound(graph, node, 2) === 6
    if (!isRelu6 || !weightUseOf(graph.producer(node.inputs[0] ?? '') ?? node, graph)) return node
    replaced.push(layerName(node))
    return { ...node, op: 'Relu', inputs: node.inputs.slice(0, 1), attributes: {} }
  })
  return replaced.length > 0 ? graph.with({ nodes }) : graph
}

function bound(graph: Graph, node: Node, index: number): number | undefined {
  const tensor = graph.initializers.get(node.inputs[index] ?? '')
  return tensor && numbersOf(tensor)[0]
}
