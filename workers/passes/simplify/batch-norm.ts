import { attributesOf } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { arrayOf, f32, numbersOf, type Tensor, sizeOf } from '../../graph/tensor.ts'
import { asTensor } from '../../graph/types.ts'
import { FreshNames } from '../names.ts'
import { resultOf, type ChangeResult } from '../report.ts'
import { isWritable, numberTensor } from '../scalar.ts'
import { removeDead } from './dead.ts'

/** A batch normalization at inference as `y = scale·x + shift` per channel, in float64. */
interface Affine {
  readonly scale: readonly number[]
  readonly shift: readonly number[]
}

interface Folding {
  readonly graph: Graph
  readonly producer: Node
  readonly affine: Affine
  /** Stores a constant under the hinted name where it is free or only this node's, else under a fresh one. */
  readonly store: (hint: string, tensor: Tensor) => string
}

/** The producer with the affine map in its weights; undefined where that is not possible. */
type Fold = (f: Folding) => Node | undefined

/**
 * Folds every batch normalization that follows a convolution or a matrix product which nothing else reads:
 * W′ = W·γ/√(σ²+ε), b′ = (b−μ)·γ/√(σ²+ε) + β (Jacob et al. 2018, arXiv:1712.05877, eq. 14). Exact up to rounding.
 * Value names behind the normalization stay.
 */
export function foldBatchNorm(graph: Graph): ChangeResult {
  const initializers = new Map(graph.initializers)
  const names = new FreshNames(graph)
  const fused = new Map<Node, Node>()
  const folded = new Set<Node>()
  const store = (hint: string, tensor: Tensor) => {
    const mine = initializers.has(hint) && graph.uses(hint).length === 1 && !graph.inputs.some((v) => v.name === hint)
    const name = mine ? hint : names.take(hint)
    initializers.set(name, tensor)
    return name
  }
  for (const norm of graph.nodes) {
    const producer = foldable(graph, norm)
    const affine = producer && affineOf(graph, norm)
    const replacement = affine && folds[producer.op]?.({ graph, producer, affine, store })
    if (!replacement) continue
    fused.set(producer, { ...replacement, outputs: norm.outputs.slice(0, 1) })
    folded.add(norm)
  }
  if (folded.size === 0) return resultOf(graph, [])
  const nodes = graph.nodes.flatMap((node) => (folded.has(node) ? [] : [fused.get(node) ?? node]))
  const changes = [...folded].map(
    (norm) => `${norm.op} "${norm.name}" folded into "${foldable(graph, norm)?.name ?? ''}"`,
  )
  return resultOf(removeDead(graph.with({ nodes, initializers })).graph, changes)
}

/** The node in front of a normalization, when nothing else reads what it puts out. */
function foldable(graph: Graph, norm: Node): Node | undefined {
  const [x = ''] = norm.inputs
  const producer = graph.producer(x)
  const isCandidate = norm.op === 'BatchNormalization' && norm.domain === '' && producer?.domain === ''
  return isCandidate && graph.uses(x).length === 1 ? producer : undefined
}

function affineOf(graph: Graph, node: Node): Affine | undefined {
  const { epsilon = 1e-5, training_mode: training = 0, spatial = 1 } = attributesOf(node, 'BatchNormalization')
  const tensors = node.inputs.slice(1).map((name) => graph.initializers.get(name))
  if (training !== 0 || spatial !== 1 || node.outputs.slice(1).some((o) => graph.uses(o).length > 0)) return undefined
  const [gamma, beta, mean, variance] = tensors.map((t) => (t && isWritable(t.dtype) ? numbersOf(t) : undefined))
  if (!gamma || !beta || !mean || !variance) return undefined
  const scale = gamma.map((g, c) => g / Math.sqrt((variance[c] ?? 0) + epsilon))
  return { scale, shift: beta.map((b, c) => b - (mean[c] ?? 0) * (scale[c] ?? 0)) }
}

const at = (values: readonly number[], i: number): number => values[i] ?? 0

/** A constant with every element changed, at its own dims and type; float32 without a detour over plain arrays. */
function mapped(tensor: Tensor, change: (value: number, index: number) => number): Tensor {
  if (tensor.dtype === 'f32') return f32((arrayOf(tensor) as Float32Array).map(change), tensor.dims)
  return numberTensor(numbersOf(tensor).map(change), tensor.dims, tensor.dtype)
}

const constantOf = (graph: Graph, name: string | undefined): Tensor | undefined => {
  const tensor = graph.initializers.get(name ?? '')
  return tensor && isWritable(tensor.dtype) ? tensor : undefined
}

/** The node with its weight and bias replaced; `channel` tells which output channel a weight element belongs to. */
function withWeights(
  { graph, producer, affine, store }: Folding,
  channel: (i: number, w: Tensor) => number,
): Node | undefined {
  const [x = '', weightName = '', biasName = ''] = producer.inputs
  const weight = constantOf(graph, weightName)
  const bias = constantOf(graph, biasName)
  if (!weight || (biasName !== '' && !bias)) return undefined
  const old = bias ? numbersOf(bias) : []
  const shifted = affine.shift.map((shift, c) => shift + at(old, c) * at(affine.scale, c))
  const scaledWeight = mapped(weight, (v, i) => v * at(affine.scale, channel(i, weight)))
  const inputs = [
    x,
    store(weightName, scaledWeight),
    store(biasName || biasNameFor(weightName), vectorOf(shifted, weight)),
  ]
  return { ...producer, inputs }
}

const vectorOf = (values: readonly number[], like: Tensor): Tensor => numberTensor(values, [values.length], like.dtype)
const biasNameFor = (weight: string): string =>
  weight.endsWith('weight') ? weight.replace(/weight$/, 'bias') : `${weight}.bias`

const tail = (dims: readonly number[], from: number): number => sizeOf(dims.slice(from))

const foldConv: Fold = (f) => withWeights(f, (i, w) => Math.floor(i / tail(w.dims, 1)))

/** Weights are `[C, T/group, …]`: the second axis counts output channels within the group of its input channel. */
const foldConvTranspose: Fold = (f) => {
  const { group = 1 } = attributesOf(f.producer, 'ConvTranspose')
  return withWeights(f, (i, { dims }) => {
    const [inputs = 1, perGroup = 1] = dims
    const row = Math.floor(i / tail(dims, 1))
    return Math.floor(row / (inputs / group)) * perGroup + (Math.floor(i / tail(dims, 2)) % perGroup)
  })
}

/** α·A·B + β·C: the columns of B are scaled, C takes up β. */
const foldGemm: Fold = (f) => {
  const { transB = 0, beta = 1 } = attributesOf(f.producer, 'Gemm')
  const { graph, producer, affine, store } = f
  const [a = '', b = '', c = ''] = producer.inputs
  const weight = constantOf(graph, b)
  const bias = constantOf(graph, c)
  if (weight?.dims.length !== 2 || (c !== '' && (!bias || !isRow(bias.dims)))) return undefined
  const [rows = 1, columns = 1] = weight.dims
  const column = (i: number) => (transB ? Math.floor(i / columns) : i % columns)
  if ((transB ? rows : columns) !== affine.scale.length) return undefined
  const old = bias ? numbersOf(bias) : [0]
  const shifted = affine.shift.map((s, i) => s + beta * at(old, old.length === 1 ? 0 : i) * at(affine.scale, i))
  const scaledWeight = mapped(weight, (v, i) => v * at(affine.scale, column(i)))
  const inputs = [a, store(b, scaledWeight), store(c || biasNameFor(b), vectorOf(shifted, weight))]
  const { beta: _, ...attributes } = producer.attributes
  return { ...producer, inputs, attributes }
}

/** One row: `[M]`, `[1, M]`, `[1]` or a scalar. */
const isRow = (dims: readonly number[]): boolean => dims.slice(0, -1).every((d) => d === 1)

/** x·W + b of two dimensions, where b is a row; the product must be this sum's only. */
const foldAdd: Fold = ({ graph, producer, affine, store }) => {
  const at2 = producer.inputs.findIndex((name) => graph.producer(name)?.op === 'MatMul')
  const product = graph.producer(producer.inputs[at2] ?? '')
  const biasName = producer.inputs[1 - at2] ?? ''
  const bias = constantOf(graph, biasName)
  const weightName = product?.inputs[1] ?? ''
  const weight = constantOf(graph, weightName)
  const isMatrix = asTensor(graph.type(producer.inputs[at2] ?? ''))?.shape?.length === 2
  if (!product || !bias || !isRow(bias.dims) || weight?.dims.length !== 2 || !isMatrix) return undefined
  if (graph.uses(product.outputs[0] ?? '').length !== 1 || graph.uses(weightName).length !== 1) return undefined
  const old = numbersOf(bias)
  const shifted = affine.shift.map((s, i) => s + at(old, old.length === 1 ? 0 : i) * at(affine.scale, i))
  const columns = weight.dims[1] ?? 1
  store(
    weightName,
    mapped(weight, (v, i) => v * at(affine.scale, i % columns)),
  )
  const inputs = producer.inputs.map((name, i) => (i === at2 ? name : store(biasName, vectorOf(shifted, bias))))
  return { ...producer, inputs }
}

const folds: Readonly<Record<string, Fold>> = {
  Conv: foldConv,
  ConvTranspose: foldConvTranspose,
  Gemm: foldGemm,
  Add: foldAdd,
}
