import { attributesOf } from '../../graph/attributes.ts'
import type { DType } from '../../graph/dtype.ts'
import { asFloat32, fromFloat32 } from '../../graph/float.ts'
import { nodeLabel, type Graph, type Node } from '../../graph/graph.ts'
import { sizeOf, type Tensor } from '../../graph/tensor.ts'
import { staticShape } from '../../graph/types.ts'
import { inferTypes } from '../../ops/infer.ts'
import { resultOf, type ChangeResult } from '../report.ts'
import { FreshNames } from '../names.ts'
import { removeDead } from '../simplify/dead.ts'
import { isPackedProduct, packedWeight } from './nbits.ts'

/** Integers as float32, exact below 2²⁴: weights have 2 to 16 bits, and int32 biases are this small in practice. */
interface Numbers {
  readonly dims: readonly number[]
  readonly values: Float32Array
}

const integers: ReadonlySet<DType> = new Set<DType>(['i8', 'u8', 'i16', 'u16', 'i32', 'i4', 'u4', 'i2', 'u2'])

/**
 * Writes constants that are stored as integers as the floats that they stand for:
 *
 * - a DequantizeLinear whose result is `wanted` becomes a constant of the same name: (q − zeroPoint)·scale per tensor,
 *   per axis or per block (ONNX DequantizeLinear-21). The integers may come through Identity, Transpose and reshapes.
 * - a MatMulNBits becomes a MatMul with the weight `<name of the packed one>.float`.
 */
export function dequantizeConstants(graph: Graph, wanted: (value: string) => boolean): ChangeResult {
  if (!graph.nodes.some((node) => isDequantize(node) || isPackedProduct(node))) return resultOf(graph, [])
  const typed = inferTypes(graph)
  const outputs = new Set(graph.outputs.map((v) => v.name))
  const initializers = new Map(graph.initializers)
  const names = new FreshNames(graph)
  const changes: string[] = []
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const [y = ''] = node.outputs
    const isPacked = isPackedProduct(node)
    if (!isPacked && (!isDequantize(node) || outputs.has(y) || !wanted(y))) return [node]
    const weight = isPacked ? packedWeight(typed, node) : dequantized(typed, node)
    if (!weight) return [node]
    const name = isPacked ? names.take(`${node.inputs[1] ?? ''}.float`) : y
    initializers.set(name, weight)
    changes.push(`${nodeLabel(node)} became the ${weight.dtype} constant "${name}"`)
    return isPacked ? product(node, name, names) : []
  })
  if (changes.length === 0) return resultOf(graph, [])
  return resultOf(removeDead(graph.with({ nodes, initializers })).graph, changes)
}

/** The product with a plain weight, and the bias behind it. */
function product(node: Node, weight: string, names: FreshNames): readonly Node[] {
  const [a = '', , , , , bias = ''] = node.inputs
  const plain = (op: string, inputs: readonly string[], outputs: readonly string[]): Node => {
    return { name: op === 'MatMul' ? node.name : `${node.name}/${op}`, op, domain: '', inputs, outputs, attributes: {} }
  }
  if (bias === '') return [plain('MatMul', [a, weight], node.outputs)]
  const sum = names.take(`${node.outputs[0] ?? ''}.product`)
  return [plain('MatMul', [a, weight], [sum]), plain('Add', [sum, bias], node.outputs)]
}

/** onnxruntime's own domain has the same operator for more types. */
const isDequantize = (node: Node): boolean =>
  node.op === 'DequantizeLinear' && (node.domain === '' || node.domain === 'com.microsoft')

function dequantized(graph: Graph, node: Node): Tensor | undefined {
  const [x = '', scale = '', zero = ''] = node.inputs
  const q = constantIntegers(graph, x)
  const scales = graph.initializers.get(scale)
  const zeros = zero === '' ? undefined : graph.initializers.get(zero)
  if (!q || !scales || (zero !== '' && (!zeros || !integers.has(zeros.dtype)))) return undefined
  const { axis = 1, block_size: block = 0 } = attributesOf(node, 'DequantizeLinear')
  const [s, z] = [asFloat32(scales), zeros && asFloat32(zeros)]
  const indexOf = parameterIndex(q.dims, scales, axis < 0 ? axis + q.dims.length : axis, block)
  const values = q.values.map((value, i) => {
    const k = indexOf(i)
    return (value - (z?.[k] ?? 0)) * (s[k] as number)
  })
  return fromFloat32(values, q.dims, scales.dtype)
}

/** Which scale belongs to each element: one for all, one per index along `axis`, or one per block along it. */
function parameterIndex(
  dims: readonly number[],
  scales: Tensor,
  axis: number,
  block: number,
): (element: number) => number {
  if (sizeOf(scales.dims) === 1) return () => 0
  const size = dims[axis] ?? 1
  const inner = sizeOf(dims.slice(axis + 1))
  if (block === 0) return (i) => Math.floor(i / inner) % size
  const blocks = scales.dims[axis] ?? 1
  return (i) => {
    const [outer, along] = [Math.floor(i / (inner * size)), Math.floor(i / inner) % size]
    return (outer * blocks + Math.floor(along / block)) * inner + (i % inner)
  }
}

/** The integers of a value that is constant, or made of a constant by moving elements; undefined otherwise. */
function constantIntegers(graph: Graph, value: string): Numbers | undefined {
  const path: Node[] = []
  let source = value
  for (;;) {
    const node = graph.producer(source)
    if (!node) break
    // A chain longer than the graph is a cycle.
    if (node.domain !== '' || !(node.op in moves) || path.length > graph.nodes.length) return undefined
    path.push(node)
    source = node.inputs[0] ?? ''
  }
  const tensor = graph.initializers.get(source)
  if (!tensor || !integers.has(tensor.dtype)) return undefined
  const start: Numbers | undefined = { dims: tensor.dims, values: asFloat32(tensor) }
  return path.reduceRight<Numbers | undefined>((numbers, node) => {
    const dims = staticShape(graph.type(node.outputs[0] ?? ''))
    return numbers && moves[node.op]?.(node, numbers, dims)
  }, start)
}

type Move = (node: Node, source: Numbers, dims: readonly number[] | undefined) => Numbers | undefined

const reshaped: Move = (_node, { values }, dims) => dims && { dims, values }

const moves: Readonly<Record<string, Move>> = {
  Identity: (_node, source) => source,
  Reshape: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Flatten: reshaped,
  Transpose: (node, source) => {
    const rank = source.dims.length
    return transposed(source, attributesOf(node, 'Transpose').perm ?? source.dims.map((_, i) => rank - 1 - i))
  },
}

function transposed({ dims, values }: Numbers, perm: readonly number[]): Numbers {
  const strides = dims.map((_, i) => sizeOf(dims.slice(i + 1)))
  const moved = perm.map((axis) => ({ size: dims[axis] as number, stride: strides[axis] as number }))
  const result = new Float32Array(values.length)
  const position = perm.map(() => 0)
  let from = 0
  for (let i = 0; i < result.length; i++) {
    result[i] = values[from] as number
    for (let axis = perm.length - 1; axis >= 0; axis--) {
      const { size, stride } = moved[axis] as (typeof moved)[number]
      position[axis] = (position[axis] as number) + 1
      from += stride
      if ((position[axis] as number) < size) break
      from -= size * stride
      position[axis] = 0
    }
  }
  return { dims: moved.map((axis) => axis.size), values: result }
}
