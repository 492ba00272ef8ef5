import { tensorOf } from '../../graph/tensor.ts'
import type { Emitter } from '../emit.ts'
import {
  constantNumbers,
  positive,
  range,
  stops,
  unsupported,
  type GradientContext,
  type GradientTable,
} from './rule.ts'

const inversePermutation = (perm: readonly number[]): number[] => {
  const inverse = Array<number>(perm.length).fill(0)
  perm.forEach((axis, i) => (inverse[axis] = i))
  return inverse
}

function concat({ g, node, dy, attr }: GradientContext<'Concat'>): readonly string[] {
  const axis = positive(attr.axis ?? 0, g.rank(dy))
  return g.split(
    dy,
    axis,
    node.inputs.map((x) => g.dims(x)[axis] as number),
  )
}

function split({ g, node, grads, attr }: GradientContext<'Split'>): string[] {
  const parts = node.outputs.map((y, i) => grads[i] ?? g.zerosLike(y))
  return [g.concat(parts, attr.axis ?? 0)]
}

/** Starts, ends and steps of a Slice along every axis, clamped as ONNX says; the end is one past in step direction. */
function sliceBounds(c: GradientContext<'Slice'>): { start: number; count: number; step: number }[] {
  const dims = c.g.dims(c.x)
  const out = c.g.dims(c.y)
  const starts = constantNumbers(c, 1) ?? []
  const axes = constantNumbers(c, 3) ?? range(starts.length)
  const steps = constantNumbers(c, 4) ?? starts.map(() => 1)
  const bounds = dims.map((_, axis) => ({ start: 0, count: out[axis] as number, step: 1 }))
  axes.forEach((given, i) => {
    const axis = positive(given, dims.length)
    const size = dims[axis] as number
    const step = steps[i] ?? 1
    const raw = starts[i] as number
    const start = Math.min(Math.max(raw < 0 ? raw + size : raw, 0), step < 0 ? size - 1 : size)
    bounds[axis] = { start, count: out[axis] as number, step }
  })
  return bounds
}

/** The gradient of a slice is the slice put back among zeros: flipped, spread out, padded, axis by axis. */
function slice(c: GradientContext<'Slice'>): string[] {
  const { g, x, dy } = c
  const dims = g.dims(x)
  const before = dims.map(() => 0)
  const after = dims.map(() => 0)
  let grad = dy
  sliceBounds(c).forEach(({ start, count, step }, axis) => {
    const size = dims[axis] as number
    if (step < 0) grad = flip(g, grad, axis, count)
    const stride = Math.abs(step)
    if (stride > 1) grad = spreadOut(g, grad, axis, stride)
    const reach = (count - 1) * stride + 1
    const first = step < 0 ? start - reach + 1 : start
    before[axis] = first
    after[axis] = size - first - (stride > 1 ? count * stride : count)
  })
  return [g.pad(grad, [...before, ...after])]
}

const flip = (g: Emitter, a: string, axis: number, count: number): string =>
  count < 2 ? a : g.slice(a, [axis], [-1], [-count - 1], [-1])

/** Puts `stride − 1` zeros behind every element along an axis. */
function spreadOut(g: Emitter, a: string, axis: number, stride: number): string {
  const dims = g.dims(a)
  const apart = g.unsqueeze(a, [axis + 1])
  const pads = [...dims, 0, ...dims, 0].map(() => 0)
  pads[dims.length + 1 + axis + 1] = stride - 1
  const spread = g.pad(apart, pads)
  return g.reshape(
    spread,
    dims.map((d, i) => (i === axis ? d * stride : d)),
  )
}

/** Zero padding is undone by cropping; the other modes read each source element through a 0/1 matrix per axis. */
function pad(c: GradientContext<'Pad'>): (string | undefined)[] {
  const { g, x, dy, attr } = c
  const dims = g.dims(x)
  const given = constantNumbers(c, 1) ?? []
  const axes = (constantNumbers(c, 3) ?? range(dims.length)).map((a) => positive(a, dims.length))
  const pads = Array<number>(2 * dims.length).fill(0)
  axes.forEach((axis, i) => {
    pads[axis] = given[i] ?? 0
    pads[axis + dims.length] = given[i + axes.length] ?? 0
  })
  const mode = attr.mode ?? 'constant'
  if (mode === 'constant')
    return [
      g.pad(
        dy,
        pads.map((p) => -p),
      ),
    ]
  let grad = dy
  dims.forEach((size, axis) => {
    const [before, after] = [pads[axis] as number, pads[axis + dims.length] as number]
    if (before === 0 && after === 0) return
    const sources = range(before + size + after).map((i) => sourceOf(i - before, size, mode))
    grad = alongAxis(g, grad, axis, oneHot(sources, size))
  })
  return [grad]
}

/** Which element a padded position copies. */
function sourceOf(i: number, size: number, mode: string): number {
  if (mode === 'edge') return Math.min(Math.max(i, 0), size - 1)
  if (mode === 'wrap') return ((i % size) + size) % size
  if (size === 1) return 0
  const period = 2 * (size - 1)
  const wrapped = ((i % period) + period) % period
  return wrapped < size ? wrapped : period - wrapped
}

interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float32Array
}

function oneHot(sources: readonly number[], columns: number): Matrix {
  const data = new Float32Array(sources.length * columns)
  sources.forEach((source, row) => (data[row * columns + source] = 1))
  return { rows: sources.length, columns, data }
}

/** Contracts an axis of size `rows` with a constant `[rows, columns]` matrix. */
export function alongAxis(g: Emitter, a: string, axis: number, matrix: Matrix): string {
  const rank = g.rank(a)
  const perm = [...range(rank).filter((i) => i !== axis), axis]
  const weights = g.cast(
    g.constant('axis_matrix', tensorOf('f32', [matrix.rows, matrix.columns], matrix.data)),
    g.dtype(a),
  )
  return g.transpose(g.matmul(g.transpose(a, perm), weights), inversePermutation(perm))
}

/** Every repetition's gradient is added up: [r₀·d₀, …] → [r₀, d₀, …] → sum over the rs. */
function tile(c: GradientContext<'Tile'>): (string | undefined)[] {
  const { g, x, dy } = c
  const dims = g.dims(x)
  const repeats = constantNumbers(c, 1) ?? dims.map(() => 1)
  const apart = g.reshape(
    dy,
    dims.flatMap((d, i) => [repeats[i] as number, d]),
  )
  return [
    g.sum(
      apart,
      dims.map((_, i) => 2 * i),
      false,
    ),
    undefined,
  ]
}

/** Depth-to-space and its inverse are permutations; the column-row-depth order has no inverse operator of its own. */
function depthToSpace({ g, x, dy, attr }: GradientContext<'DepthToSpace'>): string[] {
  const blocksize = attr.blocksize ?? 1
  if ((attr.mode ?? 'DCR') === 'DCR') return [g.op('SpaceToDepth', [dy], { blocksize })]
  const [n, c, h, w] = g.dims(x) as readonly [number, number, number, number]
  const apart = g.reshape(dy, [n, c / blocksize ** 2, h, blocksize, w, blocksize])
  return [g.reshape(g.transpose(apart, [0, 1, 3, 5, 2, 4]), [n, c, h, w])]
}

const metadata = stops('its output describes shapes, not values')

export const shape = {
  Reshape: ({ g, x, dy }) => [g.reshapeLike(dy, x)],
  Flatten: ({ g, x, dy }) => [g.reshapeLike(dy, x)],
  Squeeze: ({ g, x, dy }) => [g.reshapeLike(dy, x)],
  Unsqueeze: ({ g, x, dy }) => [g.reshapeLike(dy, x)],
  Transpose: ({ g, x, dy, attr }) => [g.transpose(dy, inversePermutation(attr.perm ?? range(g.rank(x)).reverse()))],
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Expand: ({ dy }) => [dy],
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: ({ g, dy, attr }) => [g.op('DepthToSpace', [dy], { blocksize: attr.blocksize ?? 1, mode: 'DCR' })],
  Trilu: ({ g, node, dy, attr }) => [g.op('Trilu', [dy, ...node.inputs.slice(1)], attr)],
  ReverseSequence: ({ g, inputs, dy, attr }) => [g.op('ReverseSequence', [dy, inputs[1]], attr)],
  CenterCropPad: unsupported('cropping to a computed size'),
  Shape: metadata,
  Size: metadata,
  ConstantOfShape: metadata,
  EyeLike: metadata,
  Range: metadata,
  Constant: stops('it is a constant'),
} satisfies GradientTable
