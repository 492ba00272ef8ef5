import { attributesOf } from '../../graph/attributes.ts'
import type { Builder } from '../../graph/builder.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { extract, Rewriter } from '../../graph/rewrite.ts'
import { arrayOf, i64, sizeOf, type Tensor } from '../../graph/tensor.ts'
import { asTensor } from '../../graph/types.ts'
import type { CalibrationData } from '../calibrate/index.ts'
import { memoryGroups } from '../memory-groups.ts'
import type { Where } from './layers.ts'

/** Bytes of matrices that one run may put out. */
const MEMORY = 64 * 2 ** 20
/** Places of a feature map that a convolution's curvature is taken from, in each sample; neighbours say nearly the same. */
const PLACES = 64
/** Inputs of one output of a convolution beyond which its matrix would be too large (128 MB). */
const MOST_INPUTS = 4608

/** Where rows come from that are multiplied with a weight's rows. */
interface Site {
  /** What results are called by. */
  readonly key: string
  /** The value that is looked at. */
  readonly value: string
  /** Elements of a row, and matrices beside each other. */
  readonly width: number
  readonly groups: number
  /** Appends what makes rows `[groups, n, width]` of the value. */
  readonly rows: (builder: Builder) => string
}

/**
 * (2/n)·Σxxᵀ over the rows of values `[…, K]`, f64 `[K, K]`, by the names of the values: the curvature of a layer's
 * squared error by its weights. The products are computed inside the graph, so memory does not grow with the samples.
 */
export function gramMatrices(
  where: Where,
  graph: Graph,
  values: readonly string[],
  data: CalibrationData,
): Promise<ReadonlyMap<string, Float64Array>> {
  const sites = values.flatMap((value) => {
    const width = asTensor(graph.type(value))?.shape?.at(-1)
    return typeof width === 'number' ? [matrixSite(value, width)] : []
  })
  return accumulate(where, graph, sites, data)
}

/**
 * The same for the inputs of convolutions, f64 `[group, K, K]` with K = C/group·kh·kw, by the names of the nodes: rows
 * are the patches that a kernel is laid on. Convolutions with open sizes, automatic padding or very many inputs are left
 * out.
 */
export function convolutionGrams(
  where: Where,
  graph: Graph,
  nodes: readonly Node[],
  data: CalibrationData,
  mostInputs = MOST_INPUTS,
): Promise<ReadonlyMap<string, Float64Array>> {
  return accumulate(
    where,
    graph,
    nodes.flatMap((node) => patchSite(graph, node, mostInputs) ?? []),
    data,
  )
}

const matrixSite = (value: string, width: number): Site => ({
  key: value,
  value,
  width,
  groups: 1,
  rows: (builder) => builder.op('Reshape', [value, builder.constant(`${value}/shape`, i64([1, -1, width]))]),
})

function patchSite(graph: Graph, node: Node, mostInputs: number): Site | undefined {
  const [value = '', weight = ''] = node.inputs
  const [, ...sizes] = asTensor(graph.type(value))?.shape ?? []
  const size = sizes.slice(1).filter((d) => typeof d === 'number')
  const kernel = graph.initializers.get(weight)?.dims
  const { group = 1, auto_pad: auto = 'NOTSET', ...given } = attributesOf(node, 'Conv')
  if (kernel?.length !== 4 || size.length !== 2 || auto !== 'NOTSET') return undefined
  const inputs = sizeOf(kernel.slice(1))
  if (inputs > mostInputs) return undefined
  const { pads = [0, 0, 0, 0], strides = [1, 1], dilations = [1, 1] } = given
  const geometry = { kernel: kernel.slice(2), pads, strides, dilations, size }
  const key = node.name
  return {
    key,
    value,
    width: inputs,
    groups: group,
    rows: (builder) => patches(builder, key, value, inputs, group, geometry),
  }
}

/** Two numbers for the two axes of an image each; pads are top, left, bottom, right. */
interface Geometry {
  readonly kernel: readonly number[]
  readonly pads: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  readonly size: readonly number[]
}

/** One slice for each tap of the kernel, put together as `[group, n, C/group·taps]`: channels outside, as weights lie. */
function patches(
  builder: Builder,
  key: string,
  value: string,
  inputs: number,
  group: number,
  { kernel, pads, strides, dilations, size }: Geometry,
): string {
  const at = (list: readonly number[], axis: number) => list[axis] ?? 1
  const out = [0, 1].map((axis) => {
    const whole = at(size, axis) + (pads[axis] ?? 0) + (pads[axis + 2] ?? 0)
    return Math.floor((whole - at(dilations, axis) * (at(kernel, axis) - 1) - 1) / at(strides, axis)) + 1
  })
  const skip = Math.max(1, Math.ceil(Math.sqrt((at(out, 0) * at(out, 1)) / PLACES)))
  const steps = [0, 1].map((axis) => at(strides, axis) * skip)
  const counts = out.map((n) => Math.ceil(n / skip))
  const constant = (name: string, numbers: readonly number[]) =>
    builder.constant(builder.fresh(`${key}/${name}`), i64([...numbers]))
  const border = [0, 0, pads[0] ?? 0, pads[1] ?? 0, 0, 0, pads[2] ?? 0, pads[3] ?? 0]
  const padded = pads.some((pad) => pad > 0) ? builder.op('Pad', [value, constant('pads', border)]) : value
  const axes = constant('axes', [2, 3])
  const step = constant('steps', steps)
  const third = constant('third', [2])
  const taps = Array.from({ length: at(kernel, 0) * at(kernel, 1) }, (_, tap) => {
    const from = [Math.floor(tap / at(kernel, 1)) * at(dilations, 0), (tap % at(kernel, 1)) * at(dilations, 1)]
    const to = from.map((start, axis) => start + (at(counts, axis) - 1) * at(steps, axis) + 1)
    const slice = builder.op('Slice', [padded, constant('from', from), constant('to', to), axes, step])
    return builder.op('Unsqueeze', [slice, third])
  })
  const all = taps.length === 1 ? (taps[0] ?? '') : builder.op('Concat', taps, { axis: 2 })
  const shaped = builder.op('Reshape', [all, constant('shape', [-1, group, inputs, at(counts, 0) * at(counts, 1)])])
  const turned = builder.op('Transpose', [shaped], { perm: [1, 0, 3, 2] })
  return builder.op('Reshape', [turned, constant('order', [group, -1, inputs])])
}

async function accumulate(
  { executor, threads }: Where,
  graph: Graph,
  sites: readonly Site[],
  data: CalibrationData,
): Promise<ReadonlyMap<string, Float64Array>> {
  const byKey = new Map(sites.map((site) => [site.key, site]))
  const sums = new Map<string, { sum: Float64Array; rows: number }>()
  const bytesOf = (key: string) => 4 * (byKey.get(key)?.groups ?? 0) * (byKey.get(key)?.width ?? 0) ** 2
  for (const keys of memoryGroups([...byKey.keys()], bytesOf, MEMORY)) {
    const group = keys.flatMap((key) => byKey.get(key) ?? [])
    const program = await executor.compile(withGrams(graph, group), threads === undefined ? {} : { threads })
    try {
      for await (const { feeds } of data()) {
        const results = await program.run(feeds)
        for (const { key } of group) add(sums, key, results[`${key}/gram`], results[`${key}/rows`])
      }
    } finally {
      await program.dispose()
    }
  }
  return new Map([...sums].map(([key, { sum, rows }]) => [key, sum.map((v) => (2 * v) / rows)]))
}

function add(
  sums: Map<string, { sum: Float64Array; rows: number }>,
  key: string,
  gram: Tensor | undefined,
  rows: Tensor | undefined,
): void {
  const products = gram ? (arrayOf(gram) as Float32Array) : new Float32Array()
  const count = rows ? Number((arrayOf(rows) as BigInt64Array)[1]) : 0
  const known = sums.get(key) ?? { sum: new Float64Array(products.length), rows: 0 }
  for (let i = 0; i < products.length; i++) known.sum[i] = (known.sum[i] as number) + (products[i] as number)
  sums.set(key, { sum: known.sum, rows: known.rows + count })
}

/** xᵀx over all rows of every site, and how many rows there are. */
function withGrams(graph: Graph, sites: readonly Site[]): Graph {
  const inputs = graph.requiredInputs.map((v) => v.name)
  const values = [...new Set(sites.map((site) => site.value))]
  const rewriter = new Rewriter(extract(graph, inputs, values))
  const { builder } = rewriter
  for (const { key, width, groups, rows: rowsOf } of sites) {
    const rows = rowsOf(builder)
    builder.op('MatMul', [builder.op('Transpose', [rows], { perm: [0, 2, 1] }), rows], {}, { names: [`${key}/gram`] })
    builder.op('Shape', [rows], {}, { names: [`${key}/rows`] })
    builder.types.set(`${key}/gram`, { kind: 'tensor', dtype: 'f32', shape: [groups, width, width] })
    builder.types.set(`${key}/rows`, { kind: 'tensor', dtype: 'i64', shape: [3] })
    builder.output(`${key}/gram`)
    builder.output(`${key}/rows`)
  }
  values.forEach((value) => rewriter.removeOutput(value))
  return rewriter.apply()
}
