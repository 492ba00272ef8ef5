import { sizeOf } from '../../../graph/tensor.ts'
import type { Graph, Node } from '../../../graph/graph.ts'
import { COMPOSITES } from '../../../ops/composites.ts'
import type { Emitter } from '../../../ops/emit.ts'
import type { LowerContext } from '../lower.ts'

/**
 * Variance as Σx²/m − μ² loses digits where |μ| ≫ σ. A convolution without bias that feeds only a batch
 * normalization therefore gets minus the running mean as its bias: nothing but the batch mean changes, for free.
 */
export function shiftByRunningMean(graph: Graph): Graph {
  const shifts = new Map<Node, Node>()
  for (const node of graph.nodes) {
    if (!isTraining(node)) continue
    const conv = graph.producer(node.inputs[0] as string)
    if (conv && shiftable(graph, conv)) shifts.set(conv, node)
  }
  if (shifts.size === 0) return graph
  const nodes = graph.nodes.flatMap((node) => {
    const norm = shifts.get(node)
    if (!norm) return [node]
    const negative: Node = {
      name: shiftOf(node),
      op: 'Neg',
      domain: '',
      inputs: [norm.inputs[3] as string],
      outputs: [shiftOf(node)],
      attributes: {},
    }
    return [negative, { ...node, inputs: [...node.inputs.slice(0, 2), negative.name] }]
  })
  return graph.with({ nodes })
}

const isTraining = (node: Node): boolean => node.domain === COMPOSITES && node.op === 'BatchNormTraining'
const shiftOf = (conv: Node): string => `${conv.outputs[0]}.shift`

const shiftable = (graph: Graph, conv: Node): boolean =>
  conv.op === 'Conv' &&
  conv.domain === '' &&
  !conv.inputs[2] &&
  graph
    .uses(conv.outputs[0] as string)
    .every((use) => use.kind === 'node' && use.node.domain === COMPOSITES && use.node.op.startsWith('BatchNorm'))

/** True when X comes from a convolution that `shiftByRunningMean` has given its bias. */
function isShifted(graph: Graph, x: string): boolean {
  const conv = graph.producer(x)
  return conv !== undefined && conv.inputs[2] === shiftOf(conv)
}

/** Σ over all but the channel axis, in two stages: the innermost axis first is many times faster. */
function sumOverPlanes(g: Emitter, a: string, op: 'sum' | 'sumSquare'): string {
  const [n, c, ...spatial] = g.dims(a) as [number, number, ...number[]]
  const perImage = spatial.length === 0 && op === 'sum' ? a : g[op](g.reshape(a, [n, c, sizeOf(spatial)]), [2], false)
  return g.sum(perImage, [0], false)
}

/** The affine map a·x + b of every channel, by the operator that does it in one pass. */
function affine(g: Emitter, x: string, scale: string, bias: string): string {
  const c = g.dims(scale)[0] as number
  const zeros = g.expand(g.scalar(0, 'f32'), [c])
  const ones = g.expand(g.scalar(1, 'f32'), [c])
  return g.op('BatchNormalization', [x, scale, bias, zeros, ones], { epsilon: 0 })
}

/** Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1; running statistics as ONNX mixes them (population variance). */
export function batchNormTraining({ g, node, attr, graph }: LowerContext): string[] {
  const [input = '', scale = '', bias = '', runningMean = '', runningVar = ''] = node.inputs
  const epsilon = (attr['epsilon'] as number | undefined) ?? 1e-5
  const momentum = (attr['momentum'] as number | undefined) ?? 0.9
  const dims = g.dims(input)
  const count = sizeOf(dims) / (dims[1] as number)
  const shifted = isShifted(graph, input)
  const x = shifted ? input : affine(g, input, g.expand(g.scalar(1, 'f32'), [dims[1] as number]), g.neg(runningMean))
  const mean = g.mul(sumOverPlanes(g, x, 'sum'), 1 / count)
  const square = g.mul(sumOverPlanes(g, x, 'sumSquare'), 1 / count)
  const variance = g.max(g.sub(square, g.square(mean)), 0)
  const inverse = g.reciprocal(g.sqrt(g.add(variance, epsilon)))
  const a = g.mul(scale, inverse)
  const y = affine(g, x, a, g.sub(bias, g.mul(mean, a)))
  const trueMean = g.add(mean, runningMean)
  const mix = (running: string, batch: string) => g.add(g.mul(running, momentum), g.mul(batch, 1 - momentum))
  // What the gradient needs is the mean of the input as it sees it: shifted or not.
  return [y, mix(runningMean, trueMean), mix(runningVar, variance), shifted ? mean : trueMean, inverse]
}

/** dX = A·dY + B·x + C per channel, with A = γ/σ, B = −A·dγ/(σ·m), C = −A·dβ/m − B·μ. */
export function batchNormGrad({ g, node }: LowerContext): string[] {
  const [dy = '', x = '', scale = '', mean = '', inverse = ''] = node.inputs
  const dims = g.dims(x)
  const [n, c, ...spatial] = dims as [number, number, ...number[]]
  const count = n * sizeOf(spatial)
  const dBias = sumOverPlanes(g, dy, 'sum')
  const along = sumOverPlanes(g, g.mul(dy, x), 'sum')
  const dScale = g.mul(g.sub(along, g.mul(mean, dBias)), inverse)
  const a = g.mul(scale, inverse)
  const ratio = g.mul(g.mul(dScale, inverse), -1 / count)
  const offset = g.mul(a, g.sub(g.mul(dBias, -1 / count), g.mul(ratio, mean)))
  const broadcast = g.reshape(ratio, [c, ...spatial.map(() => 1)])
  const dx = affine(g, g.add(dy, g.mul(x, broadcast)), a, offset)
  return [dx, dScale, dBias]
}
