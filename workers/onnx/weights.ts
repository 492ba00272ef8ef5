import { sizeOf } from '../graph/tensor.ts'
import type { DType } from '../graph/dtype.ts'
import { subgraphsOf, type Graph, type Model } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { Finding } from './context.ts'
import { labelOf } from './labels.ts'
import { quoted } from './wire/failure.ts'

/** How many elements of a tensor are no finite numbers. */
export interface NonFinite {
  readonly nan: number
  readonly infinite: number
}

interface Layout {
  readonly Type: typeof Uint8Array | typeof Uint16Array | typeof Uint32Array
  readonly bits: number
  /** Bits of the fraction: what is above, but for the sign, is the exponent. */
  readonly fraction: number
}

/** IEEE 754 formats that have infinities, and bfloat16. */
const layouts: Partial<Record<DType, Layout>> = {
  f32: { Type: Uint32Array, bits: 32, fraction: 23 },
  f16: { Type: Uint16Array, bits: 16, fraction: 10 },
  bf16: { Type: Uint16Array, bits: 16, fraction: 7 },
  f8e5m2: { Type: Uint8Array, bits: 8, fraction: 2 },
}

const SLAB = 2 ** 16
const slab = new Uint8Array(SLAB)

/** Counts NaN and infinite elements without copying the tensor: a slab at a time, whatever its alignment is. */
export function nonFiniteIn(tensor: Tensor): NonFinite {
  const layout = layouts[tensor.dtype]
  if (tensor.dtype === 'f64') return nonFiniteDoubles(tensor)
  if (!layout) return { nan: 0, infinite: 0 }
  const magnitude = 2 ** (layout.bits - 1) - 1
  const infinity = magnitude - (2 ** layout.fraction - 1)
  let [nan, infinite] = [0, 0]
  for (let at = 0; at < tensor.bytes.length; at += SLAB) {
    const part = tensor.bytes.subarray(at, at + SLAB)
    slab.set(part)
    const patterns = new layout.Type(slab.buffer, 0, (part.length * 8) / layout.bits) as Uint32Array
    for (const pattern of patterns) {
      const value = pattern & magnitude
      if (value < infinity) continue
      if (value > infinity) nan++
      else infinite++
    }
  }
  return { nan, infinite }
}

function nonFiniteDoubles({ bytes }: Tensor): NonFinite {
  let [nan, infinite] = [0, 0]
  for (let at = 0; at < bytes.length; at += SLAB) {
    const part = bytes.subarray(at, at + SLAB)
    slab.set(part)
    for (const value of new Float64Array(slab.buffer, 0, part.length / 8)) {
      if (Number.isNaN(value)) nan++
      else if (!Number.isFinite(value)) infinite++
    }
  }
  return { nan, infinite }
}

/** Warnings about NaN and infinite weights: `onnx.nan-weights`, `onnx.infinite-weights`, each naming its tensor. */
export function findWeights(model: Model): Finding[] {
  return [...inGraph(model.graph), ...model.functions.flatMap((fn) => inNodes(fn.nodes))]
}

function inGraph(graph: Graph): Finding[] {
  const initializers = [...graph.initializers].flatMap(([name, tensor]) =>
    report(`initializer ${quoted(name)}`, name, tensor),
  )
  return [...initializers, ...inNodes(graph.nodes)]
}

function inNodes(nodes: Graph['nodes']): Finding[] {
  return nodes.flatMap((node) => [
    ...Object.values(node.attributes).flatMap((attribute) => {
      const tensors =
        attribute.kind === 'tensor' ? [attribute.value] : attribute.kind === 'tensors' ? attribute.value : []
      return tensors.flatMap((tensor) => report(`the tensor of ${labelOf(node)}`, node.name, tensor))
    }),
    ...subgraphsOf(node).flatMap(inGraph),
  ])
}

function report(label: string, subject: string, tensor: Tensor): Finding[] {
  const { nan, infinite } = nonFiniteIn(tensor)
  const of = `among ${sizeOf(tensor.dims)} values`
  return [
    ...(nan > 0 ? [{ code: 'onnx.nan-weights', message: `${label} has ${nan} NaN ${of}`, subject }] : []),
    ...(infinite > 0
      ? [{ code: 'onnx.infinite-weights', message: `${label} has ${infinite} infinite ${of}`, subject }]
      : []),
  ]
}
