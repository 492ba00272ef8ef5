import { attributesOf } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { tensorOf, type Tensor, sizeOf } from '../../graph/tensor.ts'
import { inferTypes } from '../../ops/infer.ts'
import { FreshNames } from '../names.ts'
import { foldBatchNorm } from '../simplify/batch-norm.ts'
import { simplify } from '../simplify/simplify.ts'
import { upgrade } from '../upgrade/upgrade.ts'

/** Scales per channel came with opset 13. */
const PER_CHANNEL_OPSET = 13

/**
 * The form that quantization starts from: simplified, without Dropout, opset 13 or later, batch normalizations folded,
 * Gemm nodes with α = β = 1 and a bias vector, types known. The function stays the same up to rounding.
 */
export function prepareForQuantization(graph: Graph, opset: number = PER_CHANNEL_OPSET): Graph {
  const plain = upgrade(inferTypes(simplify(graph, { dropout: true })), Math.max(graph.opset, opset))
  return inferTypes(plainGemms(foldBatchNorm(inferTypes(plain)).graph))
}

/** Moves α and β of Gemm nodes into their constants, and makes row biases vectors: an int32 bias has no β. */
function plainGemms(graph: Graph): Graph {
  const names = new FreshNames(graph)
  const initializers = new Map(graph.initializers)
  const scaled = (name: string, factor: number, dims?: readonly number[]): string | undefined => {
    const tensor = initializers.get(name)
    if (tensor?.dtype !== 'f32') return undefined
    if (factor === 1 && (dims === undefined || sameDims(tensor.dims, dims))) return name
    const own = graph.uses(name).length === 1 ? name : names.take(name)
    initializers.set(own, scaledTensor(tensor, factor, dims))
    return own
  }
  const nodes = graph.nodes.map((node) =>
    node.op === 'Gemm' && node.domain === '' ? plainGemm(node, graph, scaled) : node,
  )
  const types = new Map([...graph.types].filter(([name]) => !initializers.has(name)))
  return graph.with({ nodes, initializers, types })
}

const sameDims = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((d, i) => d === b[i])

function scaledTensor(tensor: Tensor, factor: number, dims: readonly number[] = tensor.dims): Tensor {
  const values = new Float32Array(tensor.bytes.slice().buffer)
  const size = sizeOf(dims)
  const repeated = values.length === 1 && size > 1 ? new Float32Array(size).fill(values[0] ?? 0) : values
  return tensorOf(
    'f32',
    dims,
    repeated.map((v) => v * factor),
  )
}

function plainGemm(
  node: Node,
  graph: Graph,
  scaled: (name: string, factor: number, dims?: readonly number[]) => string | undefined,
): Node {
  const { alpha = 1, beta = 1, transB = 0 } = attributesOf(node, 'Gemm')
  const [a = '', b = '', c = ''] = node.inputs
  const weight = graph.initializers.get(b)
  const bias = graph.initializers.get(c)
  const outputs = weight?.dims[transB ? 0 : 1]
  const isRow = bias !== undefined && bias.dims.slice(0, -1).every((d) => d === 1)
  if (weight?.dtype !== 'f32' || outputs === undefined || (c !== '' && (!isRow || bias.dtype !== 'f32'))) return node
  const inputs = [a, scaled(b, alpha) ?? b, ...(c === '' ? [] : [scaled(c, beta, [outputs]) ?? c])]
  const { alpha: _alpha, beta: _beta, ...attributes } = node.attributes
  return { ...node, inputs, attributes }
}
