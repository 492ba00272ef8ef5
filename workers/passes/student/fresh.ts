import { attributesOf } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { fillGaussian, fillUniform, hashSeed, mulberry32, type Random } from '../../graph/random.ts'
import { f32, sizeOf, type Tensor } from '../../graph/tensor.ts'

type Fill = (values: Float32Array, random: Random) => void

const constant =
  (value: number): Fill =>
  (values) =>
    void values.fill(value)
/** He et al. 2015, arXiv:1502.01852, as a uniform law: bound √(6/fan-in). */
const he =
  (fanIn: number): Fill =>
  (values, random) =>
    fillUniform(values, random, Math.sqrt(6 / Math.max(1, fanIn)))
/** Devlin et al. 2019, arXiv:1810.04805: how embeddings start. */
const embedding: Fill = (values, random) => fillGaussian(values, random, 0.02)

/** A fresh weight by name: each has its own random stream. */
export function heTensor(name: string, dims: readonly number[], fanIn: number, seed: number): Tensor {
  const values = new Float32Array(sizeOf(dims))
  he(fanIn)(values, mulberry32(hashSeed(seed, name)))
  return f32(values, dims)
}

type Law = (node: Node, dims: readonly number[]) => Fill
const zeros: Law = () => constant(0)
const ones: Law = () => constant(1)
const filters: Law = (_node, dims) => he(sizeOf(dims.slice(1)))
const recurrent: Law = (node, dims) => {
  const bound = 1 / Math.sqrt(Number(attributesOf(node)['hidden_size'] ?? dims.at(-1) ?? 1))
  return (values, random) => fillUniform(values, random, bound)
}

/** How a parameter starts, by its operator and input; what is not listed stays as it is. */
const laws: Readonly<Record<string, Readonly<Record<number, Law>>>> = {
  Conv: { 1: filters, 2: zeros },
  ConvTranspose: { 1: (_node, dims) => he(sizeOf([dims[0] ?? 1, ...dims.slice(2)])), 2: zeros },
  Gemm: { 1: (node, dims) => he((attributesOf(node)['transB'] ? dims[1] : dims[0]) ?? 1), 2: zeros },
  MatMul: { 0: (_node, dims) => he(dims.at(-1) ?? 1), 1: (_node, dims) => he(dims.at(-2) ?? 1) },
  Add: { 0: zeros, 1: zeros },
  BatchNormalization: { 1: ones, 2: zeros, 3: zeros, 4: ones },
  LayerNormalization: { 1: ones, 2: zeros },
  InstanceNormalization: { 1: ones, 2: zeros },
  GroupNormalization: { 1: ones, 2: zeros },
  RMSNormalization: { 1: ones },
  PRelu: { 1: () => constant(0.25) },
  Gather: { 0: () => embedding },
  LSTM: { 1: recurrent, 2: recurrent, 3: recurrent },
  GRU: { 1: recurrent, 2: recurrent, 3: recurrent },
  RNN: { 1: recurrent, 2: recurrent, 3: recurrent },
}

/**
 * The same architecture untrained: weights from He's law, biases zero, normalizations the identity, each weight with
 * its own random stream. Scalars and weights in other places stay.
 */
export function withFreshWeights(graph: Graph, seed: number, chosen: (name: string) => boolean = () => true): Graph {
  const initializers = new Map(graph.initializers)
  for (const [name, tensor] of graph.initializers) {
    if (tensor.dtype !== 'f32' || sizeOf(tensor.dims) < 2 || !chosen(name)) continue
    const fill = lawOf(graph, name, tensor)
    if (!fill) continue
    const values = new Float32Array(sizeOf(tensor.dims))
    fill(values, mulberry32(hashSeed(seed, name)))
    initializers.set(name, f32(values, tensor.dims))
  }
  return graph.with({ initializers })
}

function lawOf(graph: Graph, name: string, tensor: Tensor): Fill | undefined {
  for (const use of graph.uses(name)) {
    if (use.kind !== 'node' || use.node.domain !== '') continue
    const law = laws[use.node.op]?.[use.index]
    if (law) return law(use.node, tensor.dims)
  }
  return undefined
}
