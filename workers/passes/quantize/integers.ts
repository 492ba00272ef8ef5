import { attributesOf } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { Rewriter } from '../../graph/rewrite.ts'
import { arrayOf, i64, numbersOf, tensorOf, type Tensor } from '../../graph/tensor.ts'

/** A product of codes between a DequantizeLinear of activations and one of weights. */
interface Site {
  readonly node: Node
  readonly codes: readonly [x: string, scale: string, zeroPoint: string]
  readonly weight: Tensor
  readonly scales: readonly number[]
}

/**
 * Writes the quantized layers of a QDQ graph as ConvInteger and MatMulInteger between codes, then scales and bias: the
 * same function up to the rounding of float32, with the integer sums as values of their own. Layers that are no product
 * of uint8 activations and symmetric int8 weights stay.
 */
export function withIntegerProducts(graph: Graph, layers: readonly Node[]): Graph {
  const rewriter = new Rewriter(graph)
  for (const layer of layers) {
    const site = siteOf(graph, layer)
    if (site?.node.op === 'Conv') convolution(rewriter, site)
    else if (site) matrix(rewriter, site)
  }
  return rewriter.apply()
}

function siteOf(graph: Graph, layer: Node): Site | undefined {
  const node = graph.nodes.find((n) => n.name === layer.name && n.op === layer.op)
  const [left, right] = [0, 1].map((i) => graph.producer(node?.inputs[i] ?? ''))
  if (!node || left?.op !== 'DequantizeLinear' || right?.op !== 'DequantizeLinear') return undefined
  const [x = '', scale = '', zeroPoint = ''] = left.inputs
  const weight = graph.initializers.get(right.inputs[0] ?? '')
  const scales = graph.initializers.get(right.inputs[1] ?? '')
  if (weight?.dtype !== 'i8' || !scales || graph.initializers.get(zeroPoint)?.dtype !== 'u8') return undefined
  if (!isPlain(node, weight.dims.length)) return undefined
  return { node, codes: [x, scale, zeroPoint], weight, scales: numbersOf(scales) }
}

/** A convolution over images, or a product with a matrix and nothing more. */
function isPlain(node: Node, rank: number): boolean {
  if (node.op === 'Conv') return rank === 4
  if (rank !== 2 || node.op !== 'Gemm') return rank === 2 && node.op === 'MatMul'
  const { alpha = 1, beta = 1, transA = 0 } = attributesOf(node, 'Gemm')
  return alpha === 1 && beta === 1 && transA === 0
}

/** `sum · s_x · s_w + bias`, scales and bias along an axis of the given shape. */
function finish(rewriter: Rewriter, { node, codes, scales }: Site, sum: string, shape: readonly number[]): void {
  const { builder } = rewriter
  const own = scales.length === 1 ? shape.map(() => 1) : shape
  const weightScale = builder.constant(
    builder.fresh(`${node.name}/scale`),
    tensorOf('f32', own, Float32Array.from(scales)),
  )
  const real = builder.op('Mul', [builder.op('Cast', [sum], { to: 1 }), builder.op('Mul', [codes[1], weightScale])])
  const bias = node.inputs[2] ?? ''
  if (bias === '') return rewriter.replace(node, real)
  const fit = builder.constant(builder.fresh(`${node.name}/shape`), i64([...shape]))
  rewriter.replace(node, builder.op('Add', [real, builder.op('Reshape', [bias, fit])]))
}

function convolution(rewriter: Rewriter, site: Site): void {
  const { node, codes, weight } = site
  const { builder } = rewriter
  const name = builder.constant(builder.fresh(`${node.name}/codes`), weight)
  const [sum = ''] = builder.node('', 'ConvInteger', [codes[0], name, codes[2]], attributesOf(node))
  finish(rewriter, site, sum, [1, weight.dims[0] ?? 1, 1, 1])
}

function matrix(rewriter: Rewriter, site: Site): void {
  const { node, codes, weight } = site
  const { builder } = rewriter
  const isStored = node.op === 'Gemm' && attributesOf(node, 'Gemm').transB === 1
  const right = builder.constant(builder.fresh(`${node.name}/codes`), isStored ? transposed(weight) : weight)
  const sum = builder.op('MatMulInteger', [codes[0], right, codes[2]])
  finish(rewriter, site, sum, [weight.dims[isStored ? 0 : 1] ?? 1])
}

function transposed(weight: Tensor): Tensor {
  const [rows = 1, columns = 1] = weight.dims
  const from = arrayOf(weight) as Int8Array
  return tensorOf(
    'i8',
    [columns, rows],
    Int8Array.from(from, (_, i) => from[(i % rows) * columns + Math.floor(i / rows)] as number),
  )
}
