import { attributesOf } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { arrayOf } from '../../graph/tensor.ts'
import { asTensor } from '../../graph/types.ts'
import type { LayerWeight } from '../layer-weights.ts'
import { matrixOf, transpose, type Matrix } from './matrix.ts'
import { costOfPieces, type ConvWeight, type Cost, type Geometry, type PieceShape } from './piece.ts'

/** A layer as factorization sees it: the weight of each group as `[out, in, …kernel]`, and what the layer costs. */
export interface FactorLayer {
  readonly weight: LayerWeight
  readonly node: Node
  /** One for each group of a convolution; a matrix is a kernel without axes. */
  readonly groups: readonly ConvWeight[]
  readonly geometry: Geometry
  readonly cost: Cost
  /** Second moments of its outputs on data, without the bias; only of a layer of one group. */
  readonly moments?: Matrix | undefined
}

/** A layer that can't be factorized, and why, as the end of a sentence about it. */
export interface Refusal {
  readonly weight: LayerWeight
  readonly reason: string
}

export const isRefusal = (layer: FactorLayer | Refusal): layer is Refusal => 'reason' in layer

/** Reads a layer. The graph should have types, so that costs in multiply-accumulates are known. */
export function factorLayer(graph: Graph, weight: LayerWeight, moments?: Matrix): FactorLayer | Refusal {
  const { node, name } = weight
  const readers = graph.uses(name)
  if (readers.length > 1) return { weight, reason: `its weight is shared by ${readers.length} readers` }
  const read = forms[node.op]
  const groups = read?.(node, weight)
  if (groups === undefined) return { weight, reason: `${node.op} can't be written as a product` }
  if (typeof groups === 'string') return { weight, reason: groups }
  const geometry = geometryOf(graph, node)
  const [first] = groups
  const shape: PieceShape = {
    out: (first?.out ?? 0) * groups.length,
    in: first?.in ?? 0,
    kernel: first?.kernel ?? [],
    group: groups.length,
    axes: 'all',
  }
  const own = groups.length === 1 ? moments : undefined
  return { weight, node, groups, geometry, cost: costOfPieces([shape], geometry), moments: own }
}

type Read = (node: Node, weight: LayerWeight) => readonly ConvWeight[] | string

/** How each operator stores its weight; a string says why this one can't be read. */
const forms: Readonly<Record<string, Read>> = {
  Conv: (node, weight) => {
    const { group = 1 } = attributesOf(node, 'Conv')
    const [total = 0, input = 0, ...kernel] = weight.tensor.dims
    if (input === 1 && group > 1) return 'it is depthwise: each filter has one channel'
    const out = total / group
    const values = Float64Array.from(arrayOf(weight.tensor) as Float32Array)
    const size = values.length / group
    return Array.from({ length: group }, (_, g) => ({
      out,
      in: input,
      kernel,
      data: values.slice(g * size, (g + 1) * size),
    }))
  },
  Gemm: (node, weight) => {
    const { transB = 0 } = attributesOf(node, 'Gemm')
    return node.inputs[1] === weight.name ? matrix(weight, transB === 1) : 'its weight is the left operand'
  },
  MatMul: (node, weight) => (node.inputs[1] === weight.name ? matrix(weight, false) : 'its weight is the left operand'),
}

function matrix({ tensor }: LayerWeight, outFirst: boolean): readonly ConvWeight[] | string {
  const [rows = 0, columns = 0, ...more] = tensor.dims
  if (more.length > 0) return `its weight has ${tensor.dims.length} axes`
  const stored = matrixOf(rows, columns, arrayOf(tensor) as Float32Array)
  const { rows: out, columns: input, data } = outFirst ? stored : transpose(stored)
  return [{ out, in: input, kernel: [], data }]
}

/** Spatial sizes around a convolution. Of a matrix product they are empty: costs are those of one row. */
function geometryOf(graph: Graph, node: Node): Geometry {
  if (node.op !== 'Conv') return { input: [], output: [] }
  return { input: spatialOf(graph, node.inputs[0]), output: spatialOf(graph, node.outputs[0]) }
}

function spatialOf(graph: Graph, value = ''): readonly number[] | undefined {
  const sizes = asTensor(graph.type(value))?.shape?.slice(2)
  return sizes?.every((d): d is number => typeof d === 'number') ? sizes : undefined
}
