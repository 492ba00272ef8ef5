import { attributesOf, type LooseAttributes } from '../../../graph/attributes.ts'
import type { Graph, Node } from '../../../graph/graph.ts'
import { f32, sizeOf } from '../../../graph/tensor.ts'
import { asTensor, staticShape } from '../../../graph/types.ts'
import { COMPOSITES } from '../../../ops/composites.ts'
import type { Emitter } from '../../../ops/emit.ts'
import type { LowerContext, Lowering } from '../lower.ts'
import { blocked, fromBlocked, toBlocked } from './blocked.ts'
import { geometryOf, type Geometry } from './geometry.ts'

/** The value that holds a max-pool's indices, once `preparePools` has asked for it. */
const indicesOf = (y: string): string => `${y}.indices`

/** A MaxPool whose windows tile the blocked layout. Its gradient compares instead of keeping indices. */
const BLOCKED_MAX_POOL = 'BlockedMaxPool'

/** Makes every MaxPool whose gradient is taken put out its indices too, unless it can do without in the blocked layout. */
export function preparePools(graph: Graph, block: number | undefined): Graph {
  const pooled = new Set(
    graph.nodes.filter((n) => n.domain === COMPOSITES && n.op === 'MaxPoolGrad').map((n) => n.inputs[2]),
  )
  if (pooled.size === 0) return graph
  return graph.with({
    nodes: graph.nodes.map((node) => {
      const [y = '', indices = ''] = node.outputs
      if (node.op !== 'MaxPool' || !pooled.has(y) || indices !== '') return node
      return tilesBlocks(graph, node, block)
        ? { ...node, op: BLOCKED_MAX_POOL, domain: COMPOSITES }
        : { ...node, outputs: [y, indicesOf(y)] }
    }),
  })
}

/** Whether whole channel blocks are pooled by windows that neither overlap nor leave anything out. */
function tilesBlocks(graph: Graph, pool: Node, block: number | undefined): boolean {
  const [x, y] = [pool.inputs[0] ?? '', pool.outputs[0] ?? ''].map((value) => staticShape(graph.type(value)))
  if (block === undefined || asTensor(graph.type(pool.inputs[0] ?? ''))?.dtype !== 'f32') return false
  if (x?.length !== 4 || y === undefined || (x[1] as number) % block !== 0) return false
  const attr = attributesOf(pool)
  const kernel = attr['kernel_shape'] as readonly number[]
  const { strides, dilations } = geometryOf(attr, x, y, kernel)
  return kernel.every((k, i) => k === strides[i] && dilations[i] === 1 && x[i + 2] === (y[i + 2] as number) * k)
}

/** The pooling operators of the blocked layout know no defaults for what they leave out. */
const windows = (attr: LooseAttributes) => ({
  kernel_shape: attr['kernel_shape'] as readonly number[],
  strides: attr['kernel_shape'] as readonly number[],
})

export const blockedMaxPool: Lowering = ({ g, node, attr, graph }) => {
  const output = staticShape(graph.type(node.outputs[0] as string)) as readonly number[]
  return [fromBlocked(g, blocked(g, 'MaxPool', [toBlocked(g, node.inputs[0] as string)], windows(attr), output))]
}

/**
 * A window's gradient goes to the elements that equal its maximum, in equal shares, by broadcasting over blocks of
 * whole vectors: several times faster than indices.
 */
function blockedMaxPoolGrad({ g, node, attr, block }: LowerContext): string {
  const [dy, x, y] = node.inputs.map((value) => toBlocked(g, value)) as [string, string, string]
  const [n, c, h, w] = g.dims(x) as [number, number, number, number]
  const [kh, kw] = attr['kernel_shape'] as [number, number]
  const [planes, b] = [(n * c) / (block as number), block as number]
  const each = [planes * (h / kh), kh, w / kw, kw, b]
  const perWindow = [planes * (h / kh), 1, w / kw, 1, b]
  const largest = g.cast(g.equal(g.reshape(x, each), g.reshape(y, perWindow)), 'f32')
  const share = blocked(g, 'AveragePool', [g.reshape(largest, [n, c, h, w])], windows(attr), g.dims(y))
  const passed = g.div(dy, g.mul(share, kh * kw))
  return fromBlocked(g, g.reshape(g.mul(largest, g.reshape(passed, perWindow)), [n, c, h, w]))
}

/** Windows that don't overlap are unpooled; else gradients that meet at one element are added up. */
export function maxPoolGrad(c: LowerContext): string[] {
  const { g, node, attr, graph } = c
  const [dy = '', x = '', y = ''] = node.inputs
  if (graph.producer(y)?.op === BLOCKED_MAX_POOL) return [blockedMaxPoolGrad(c)]
  const dims = g.dims(x)
  const indices = graph.producer(y)?.outputs[1] ?? indicesOf(y)
  const kernel = attr['kernel_shape'] as readonly number[]
  const { strides, dilations, before, after } = geometryOf(attr, dims, g.dims(dy), kernel)
  const apart = kernel.every((k, i) => k <= (strides[i] as number) && dilations[i] === 1)
  const plain = kernel.every((k, i) => k === strides[i]) && [...before, ...after].every((p) => p === 0)
  if (apart && plain) return [g.op('MaxUnpool', [dy, indices, g.ints(dims)], { kernel_shape: kernel, strides })]
  const zeros = g.expand(g.scalar(0, g.dtype(dy)), [sizeOf(dims)])
  const flat = [zeros, g.reshape(indices, [-1]), g.reshape(dy, [-1])]
  return [g.reshape(g.op('ScatterElements', flat, { axis: 0, reduction: 'add' }), dims)]
}

/** Every input element gets its windows' gradients, each divided by the number of elements that window averaged. */
export function averagePoolGrad({ g, node, attr }: LowerContext): string[] {
  const [dy = '', x = ''] = node.inputs
  const [xd, yd] = [g.dims(x), g.dims(dy)]
  const kernel = attr['kernel_shape'] as readonly number[]
  const geometry = geometryOf(attr, xd, yd, kernel)
  const counts = windowCounts(geometry, xd, yd, Boolean(attr['count_include_pad']))
  const shares = g.div(dy, g.constant('window_counts', f32(counts, [1, 1, ...yd.slice(2)])))
  const planes = g.reshape(shares, [sizeOf(xd.slice(0, 2)), 1, ...yd.slice(2)])
  const ones = g.constant('window_ones', f32(Array<number>(sizeOf(kernel)).fill(1), [1, 1, ...kernel]))
  return [g.reshape(spreadWindows(g, planes, ones, geometry, xd, yd), xd)]
}

/**
 * Every window's values added to where the window lies in the input: `planes` [P, K, …] by the kernels of [K, 1, k…]
 * to [P, 1, …], the spatial sizes of `xd`.
 */
export function spreadWindows(
  g: Emitter,
  planes: string,
  kernels: string,
  { kernel, strides, dilations, before, after }: Geometry,
  xd: readonly number[],
  yd: readonly number[],
): string {
  const output_padding = kernel.map((k, i) => {
    const covered = ((yd[i + 2] as number) - 1) * (strides[i] as number) + (k - 1) * (dilations[i] as number) + 1
    return (xd[i + 2] as number) - (covered - (before[i] as number) - (after[i] as number))
  })
  // With ceil_mode the last window may reach beyond the padded input: that part is cropped.
  const cropped = after.map((a, i) => a + Math.max(0, -(output_padding[i] as number)))
  return g.op('ConvTranspose', [planes, kernels], {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...before, ...cropped],
    output_padding: output_padding.map((p) => Math.max(0, p)),
  })
}

/** How many elements each window averages: its own size, or only those that are not padding. */
function windowCounts(
  geometry: Geometry,
  xd: readonly number[],
  yd: readonly number[],
  withPadding: boolean,
): Float32Array {
  const perAxis = geometry.kernel.map((k, i) => {
    const [stride, dilation, before, after] = [
      geometry.strides[i],
      geometry.dilations[i],
      geometry.before[i],
      geometry.after[i],
    ] as [number, number, number, number]
    const size = xd[i + 2] as number
    const [low, high] = withPadding ? [-before, size + after] : [0, size]
    return Array.from({ length: yd[i + 2] as number }, (_, o) => {
      const positions = Array.from({ length: k }, (_, j) => o * stride - before + j * dilation)
      return positions.filter((p) => p >= low && p < high).length
    })
  })
  const counts = perAxis.reduce<number[]>((all, axis) => all.flatMap((a) => axis.map((b) => a * b)), [1])
  return Float32Array.from(counts)
}
