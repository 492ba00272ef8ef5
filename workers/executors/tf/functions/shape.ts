import { sizeOf } from '../../../graph/tensor.ts'
import { int64s } from '../../reference/value.ts'
import { normalAxis, type Call, type Function, type Functions } from '../call.ts'
import { Value } from '../value.ts'
import { broadcast } from './elementwise.ts'

const same: Function = (c) => c.value(0)

/** Reshapes without moving anything, where channels last would not show. */
const reshaped = (c: Call, dims: readonly number[]): Value => c.plain(c.reshape(c.x(0), dims))

function reshape(c: Call): Value {
  const { dims, size } = c.value(0)
  const asked = c.intsFrom(1, 'shape') ?? []
  const keepsZero = c.number('allowzero', 0) !== 0
  const known = asked.map((d, i) => (d === 0 && !keepsZero ? (dims[i] as number) : d))
  const rest = known.reduce((n, d) => (d === -1 ? n : n * d), 1)
  return reshaped(
    c,
    known.map((d) => (d === -1 ? size / rest : d)),
  )
}

function flatten(c: Call): Value {
  const { dims, rank } = c.value(0)
  const axis = c.axis('axis', 1, rank)
  return reshaped(c, [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis))])
}

function squeeze(c: Call): Value {
  const { dims, rank } = c.value(0)
  const axes = c.intsFrom(1, 'axes')?.map((a) => normalAxis(a, rank))
  return reshaped(
    c,
    dims.filter((d, i) => (axes ? !axes.includes(i) : d !== 1)),
  )
}

function unsqueeze(c: Call): Value {
  const { dims } = c.value(0)
  const axes = c.intsFrom(1, 'axes') ?? []
  const rank = dims.length + axes.length
  const at = new Set(axes.map((a) => normalAxis(a, rank)))
  const rest = [...dims]
  return reshaped(
    c,
    Array.from({ length: rank }, (_, i) => (at.has(i) ? 1 : (rest.shift() as number))),
  )
}

function transpose(c: Call): Value {
  const { rank } = c.value(0)
  const perm = c.numbers('perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i)
  return c.plain(c.transpose(c.x(0), perm))
}

function concat(c: Call): Value {
  const values = c.values.map((_, i) => c.value(i))
  const [first] = values as [Value]
  const axis = c.axis('axis', 0, first.rank)
  const filled = values.filter((v) => v.size > 0)
  if (filled.length === 0) return first
  const useLast = filled.some((v) => v.isLastOnly)
  const { axisOf, wrap } = c.asItIs(filled.find((v) => v.isLastOnly === useLast) as Value)
  const tensors = filled.map((v) => (useLast ? v.last() : v.plain()))
  return wrap(c.run('Concat', tensors, { axis: axisOf(axis) }))
}

function split(c: Call): Value[] {
  const value = c.value(0)
  const axis = c.axis('axis', 0, value.rank)
  const size = value.dims[axis] as number
  const count = c.number('num_outputs', c.node.outputs.length)
  const chunk = Math.ceil(size / count)
  const even = Array.from({ length: count }, (_, i) => Math.min(chunk, size - i * chunk))
  const sizes = [...(c.intsFrom(1, 'split') ?? even)]
  const { x, axisOf, wrap } = c.asItIs(value)
  return c.tf.kernel('SplitV', { x }, { numOrSizeSplits: sizes, axis: axisOf(axis) }).map((t) => wrap(t))
}

/** The first and the last index along an axis, as ONNX clamps them (operator Slice-13). */
function bounds(start: number, end: number, step: number, size: number): { from: number; count: number } {
  const clamp = (v: number, low: number, high: number) => Math.min(high, Math.max(low, v < 0 ? v + size : v))
  const [from, to] = step > 0 ? [clamp(start, 0, size), clamp(end, 0, size)] : [clamp(start, 0, size - 1), end]
  const stop = step > 0 ? to : to < -size ? -1 : clamp(to, -1, size - 1)
  return { from, count: Math.max(0, Math.ceil((stop - from) / step)) }
}

function slice(c: Call): Value {
  const value = c.value(0)
  const [starts, ends] = [c.intsFrom(1, 'starts') ?? [], c.intsFrom(2, 'ends') ?? []]
  const axes = (c.intsFrom(3, 'axes') ?? starts.map((_, i) => i)).map((a) => normalAxis(a, value.rank))
  const steps = c.optional(4)?.numbers() ?? starts.map(() => 1)
  const begin = value.dims.map(() => 0)
  const counts = [...value.dims]
  const strides = value.dims.map(() => 1)
  axes.forEach((axis, i) => {
    const step = steps[i] as number
    const { from, count } = bounds(starts[i] as number, ends[i] as number, step, value.dims[axis] as number)
    ;[begin[axis], counts[axis], strides[axis]] = [from, count, step]
  })
  return c.plain(strided(c, c.x(0), begin, counts, strides))
}

/** `counts` elements from `begin` on at a distance of `strides`, which may be negative. */
export function strided(
  c: Call,
  x: ReturnType<Call['x']>,
  begin: readonly number[],
  counts: readonly number[],
  strides: readonly number[],
): ReturnType<Call['x']> {
  const distance = strides.map(Math.abs)
  const span = counts.map((n, i) => (n === 0 ? 0 : (n - 1) * (distance[i] as number) + 1))
  const low = begin.map((b, i) => ((strides[i] as number) < 0 ? b - (span[i] as number) + 1 : b))
  const cut = c.run('Slice', { x }, { begin: low.map((b, i) => (counts[i] === 0 ? 0 : b)), size: span })
  const backwards = strides.flatMap((s, i) => (s < 0 ? [i] : []))
  const turned = backwards.length > 0 ? c.run('Reverse', { x: cut }, { dims: backwards }) : cut
  if (distance.every((s) => s === 1)) return turned
  const masks = { beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 0 }
  const attrs = { begin: span.map(() => 0), end: span, strides: distance, ...masks }
  return c.run('StridedSlice', { x: turned }, attrs)
}

function expand(c: Call): Value {
  const value = c.value(0)
  const asked = c.value(1).numbers()
  const rank = Math.max(asked.length, value.rank)
  const at = (dims: readonly number[], i: number) => dims[i - rank + dims.length] ?? 1
  const dims = Array.from({ length: rank }, (_, i) => {
    const [own, wanted] = [at(value.dims, i), at(asked, i)]
    return own === 1 ? wanted : own
  })
  return c.plain(broadcast(c, c.x(0), dims))
}

function pad(c: Call): Value {
  const value = c.value(0)
  const pads = c.intsFrom(1, 'pads') ?? []
  const axes = (c.optional(3)?.numbers() ?? value.dims.map((_, i) => i)).map((a) => normalAxis(a, value.rank))
  const before = value.dims.map(() => 0)
  const after = value.dims.map(() => 0)
  axes.forEach((axis, i) => ([before[axis], after[axis]] = [pads[i] as number, pads[i + axes.length] as number]))
  const { x, axisOf, wrap } = c.asItIs(value)
  const cut = value.dims.map((d, i) => d + Math.min(0, before[i] as number) + Math.min(0, after[i] as number))
  const begin = before.map((p) => Math.max(0, -p))
  const inForm = (list: readonly number[]): number[] => {
    const moved = [...list]
    list.forEach((v, axis) => (moved[axisOf(axis)] = v))
    return moved
  }
  const isCut = [...before, ...after].some((p) => p < 0)
  const kept = isCut ? c.run('Slice', { x }, { begin: inForm(begin), size: inForm(cut) }) : x
  const [low, high] = [inForm(before), inForm(after)]
  const paddings = low.map((p, i) => [Math.max(0, p), Math.max(0, high[i] as number)])
  const mode = c.text('mode', 'constant')
  if (mode === 'reflect') return wrap(c.run('MirrorPad', { x: kept }, { paddings, mode: 'reflect' }))
  const constantValue = c.optional(2)?.numbers()[0] ?? c.number('value', 0)
  return wrap(c.run('PadV2', { x: kept }, { paddings, constantValue }))
}

const tile: Function = (c) => c.plain(c.run('Tile', { x: c.x(0) }, { reps: c.value(1).numbers() }))

/** The size of a value, which is known without looking at its elements. */
function shape(c: Call): Value {
  const { dims, rank } = c.value(0)
  const end = c.number('end', rank)
  const start = normalAxis(c.number('start', 0), rank)
  return Value.host(c.tf, int64s(dims.slice(start, normalAxis(end, rank))))
}

function constantOfShape(c: Call): Value {
  const dims = c.value(0).numbers()
  const value = c.tensor('value')
  const one = value
    ? Value.of(c.tf, value)
    : Value.host(c.tf, { kind: 'tensor', dtype: 'f32', dims: [1], data: new Float64Array(1) })
  const filled = broadcast(
    c,
    c.reshape(
      one.plain(),
      dims.map(() => 1),
    ),
    dims,
  )
  return c.plain(filled, one.dtype)
}

/** Depth to space and back: reshapes around a transposition of six axes. */
function depthToSpace(c: Call): Value {
  const [n, channels, h, w] = c.value(0).dims as [number, number, number, number]
  const b = c.number('blocksize', 1)
  const depth = channels / (b * b)
  const isDcr = c.text('mode', 'DCR') === 'DCR'
  const apart = c.reshape(c.x(0), isDcr ? [n, b, b, depth, h, w] : [n, depth, b, b, h, w])
  const moved = c.transpose(apart, isDcr ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3])
  return c.plain(c.reshape(moved, [n, depth, h * b, w * b]))
}

function spaceToDepth(c: Call): Value {
  const [n, channels, h, w] = c.value(0).dims as [number, number, number, number]
  const b = c.number('blocksize', 1)
  const apart = c.reshape(c.x(0), [n, channels, h / b, b, w / b, b])
  return c.plain(c.reshape(c.transpose(apart, [0, 3, 5, 1, 2, 4]), [n, channels * b * b, h / b, w / b]))
}

export const shapes: Functions = {
  Concat: concat,
  ConstantOfShape: constantOfShape,
  DepthToSpace: depthToSpace,
  Dropout: same,
  Expand: expand,
  Flatten: flatten,
  Identity: same,
  Pad: pad,
  Reshape: reshape,
  Shape: shape,
  Size: (c) => Value.host(c.tf, int64s([c.value(0).size], [])),
  Slice: slice,
  SpaceToDepth: spaceToDepth,
  Split: split,
  Squeeze: squeeze,
  Tile: tile,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
}
