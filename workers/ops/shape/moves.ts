import type { PlainAttributes } from '../../graph/attributes.ts'
import type { Dim } from '../../graph/types.ts'
import { sizeOf } from '../../graph/tensor.ts'
import { isNumber } from '../dims.ts'
import { broadcastShapes } from './broadcast.ts'
import { axisOf, type Call } from './call.ts'
import { build, elementAt, numbersIn, stridesOf, type Content } from './content.ts'
import type { KnownRules } from './known.ts'
import { reshaped, splitSizes } from './manipulate.ts'
import { positions, sliceBounds } from './slice.ts'

type Known = readonly (Content | undefined)[]
const NOTHING: Known = [undefined]

/** The same elements under other dimensions. */
const relabel = (content: Content | undefined, dims: readonly Dim[] | undefined): Known =>
  content && dims?.every(isNumber) && sizeOf(dims) === content.values.length
    ? [{ dims, values: content.values }]
    : NOTHING

export interface AxesAttribute {
  readonly axes?: readonly number[]
}

function squeeze(c: Call<AxesAttribute>): Known {
  const content = c.content(0)
  const axes = c.attr.axes ?? (c.has(1) ? c.numbers(1) : content?.dims.flatMap((d, i) => (d === 1 ? [i] : [])))
  const gone = axes?.map((a) => axisOf(a, content?.dims.length ?? 0))
  return relabel(content, gone && content?.dims.filter((_, i) => !gone.includes(i)))
}

function unsqueeze(c: Call<AxesAttribute>): Known {
  const content = c.content(0)
  const axes = c.attr.axes ?? c.numbers(1)
  if (!content || !axes) return NOTHING
  const rank = content.dims.length + axes.length
  const added = new Set(axes.map((a) => axisOf(a, rank)))
  const rest = content.dims.values()
  return relabel(
    content,
    Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : (rest.next().value ?? 1))),
  )
}

function reshape(c: Call<PlainAttributes<'Reshape'>>): Known {
  const content = c.content(0)
  const target = c.attr.shape ?? c.sizes(1)
  return relabel(content, content && target && reshaped(c, content.dims, target, (c.attr.allowzero ?? 0) !== 0))
}

function gather(c: Call<{ readonly axis?: number }>): Known {
  const [data, indices] = [c.content(0), c.content(1)]
  const at = numbersIn(indices)
  const axis = data && axisOf(c.attr.axis ?? 0, data.dims.length)
  if (!data || !indices || !at || axis === undefined) return NOTHING
  const size = data.dims[axis] ?? 0
  if (at.some((i) => i < -size || i >= size)) return NOTHING
  const strides = stridesOf(indices.dims)
  const inner = indices.dims.length
  const dims = [...data.dims.slice(0, axis), ...indices.dims, ...data.dims.slice(axis + 1)]
  const gathered = build(dims, (index) => {
    const flat = strides.reduce((sum, stride, i) => sum + stride * (index[axis + i] ?? 0), 0)
    const picked = at[flat] ?? 0
    return exactElement(data, [
      ...index.slice(0, axis),
      picked < 0 ? picked + size : picked,
      ...index.slice(axis + inner),
    ])
  })
  return [gathered]
}

/** The element at an index that is known to be inside. */
const exactElement = (content: Content, index: readonly number[]): Dim => {
  const strides = stridesOf(content.dims)
  return content.values[index.reduce((sum, v, i) => sum + v * (strides[i] ?? 1), 0)] ?? '?'
}

function gatherElements(c: Call<{ readonly axis?: number }>): Known {
  const [data, indices] = [c.content(0), c.content(1)]
  const axis = data && axisOf(c.attr.axis ?? 0, data.dims.length)
  if (!data || !indices || axis === undefined || indices.dims.length !== data.dims.length) return NOTHING
  const size = data.dims[axis] ?? 0
  const picked = build(indices.dims, (index) => {
    const at = exactElement(indices, index)
    return isNumber(at) ? exactElement(data, index.with(axis, at < 0 ? at + size : at)) : '?'
  })
  return [picked]
}

function concat(c: Call<{ readonly axis?: number }>): Known {
  const parts = c.inputsFrom(0).map((i) => c.content(i) ?? unknownElements(c, i))
  const [first] = parts
  const axis = first && axisOf(c.attr.axis ?? 0, first.dims.length)
  if (!first || axis === undefined || parts.some((p) => p?.dims.length !== first.dims.length)) return NOTHING
  const pieces = parts.filter((p) => p !== undefined)
  const total = pieces.reduce((sum, p) => sum + (p.dims[axis] ?? 0), 0)
  const joined = build(first.dims.with(axis, total), (index) => {
    let at = index[axis] ?? 0
    for (const piece of pieces) {
      const size = piece.dims[axis] ?? 0
      if (at < size) return exactElement(piece, index.with(axis, at))
      at -= size
    }
    return '?'
  })
  return [joined]
}

/** A part of a shape that is computed from data: of known length, of unknown elements. */
function unknownElements<A>(c: Call<A>, i: number): Content | undefined {
  const shape = c.shape(i)
  return shape?.every(isNumber) ? build(shape, () => '?') : undefined
}

function slice(c: Call<PlainAttributes<'Slice'>>): Known {
  const data = c.content(0)
  const { axes, starts, ends, steps } = sliceBounds(c)
  if (!data || !axes || !starts || !ends || !steps) return NOTHING
  const taken = data.dims.map((d) => Array.from({ length: d }, (_, i) => i))
  for (const [i, a] of axes.entries()) {
    const [axis, start, end, step] = [axisOf(a, data.dims.length), starts[i], ends[i], steps[i]]
    if (axis === undefined || !isNumber(start) || !isNumber(end) || !isNumber(step) || !Number.isInteger(step))
      return NOTHING
    taken[axis] = positions(data.dims[axis] ?? 0, start, end, step)
  }
  return [
    build(
      taken.map((t) => t.length),
      (index) =>
        exactElement(
          data,
          index.map((v, i) => taken[i]?.[v] ?? 0),
        ),
    ),
  ]
}

function split(c: Call<PlainAttributes<'Split'>>): Known {
  const data = c.content(0)
  const axis = data && axisOf(c.attr.axis ?? 0, data.dims.length)
  if (!data || axis === undefined) return NOTHING
  const sizes = splitSizes(c, data.dims[axis] ?? 0)
  let start = 0
  return sizes.map((size) => {
    if (!isNumber(size)) return undefined
    const from = start
    start += size
    return build(data.dims.with(axis, size), (index) => exactElement(data, index.with(axis, from + (index[axis] ?? 0))))
  })
}

function transpose(c: Call<PlainAttributes<'Transpose'>>): Known {
  const data = c.content(0)
  if (!data) return NOTHING
  const perm = c.attr.perm ?? data.dims.map((_, i) => data.dims.length - 1 - i)
  const dims = perm.map((a) => data.dims[a] ?? 1)
  return [
    build(dims, (index) =>
      exactElement(
        data,
        data.dims.map((_, axis) => index[perm.indexOf(axis)] ?? 0),
      ),
    ),
  ]
}

function expand(c: Call): Known {
  const [data, target] = [c.content(0), c.numbers(1)]
  const dims = data && target && broadcastShapes(data.dims, target)
  return [dims?.every(isNumber) ? build(dims, (index) => elementAt(data as Content, index)) : undefined]
}

function tile(c: Call): Known {
  const [data, repeats] = [c.content(0), c.numbers(1)]
  if (!data || !repeats) return NOTHING
  const dims = data.dims.map((d, i) => d * (repeats[i] ?? 1))
  return [
    build(dims, (index) =>
      exactElement(
        data,
        index.map((v, i) => v % (data.dims[i] ?? 1)),
      ),
    ),
  ]
}

/** Element-wise and slice-wise writes into a vector, as exporters do to change one entry of a shape. */
function scatter(c: Call<{ readonly reduction?: string }>): Known {
  const [data, indices, updates] = [c.content(0), c.content(1), c.content(2)]
  const at = numbersIn(indices)
  const plain = c.attr.reduction === undefined || c.attr.reduction === 'none'
  if (data?.dims.length !== 1 || !at || !updates || !plain || at.length !== updates.values.length) return NOTHING
  const values = [...data.values]
  for (const [i, position] of at.entries()) {
    values[position < 0 ? position + values.length : position] = updates.values[i] ?? '?'
  }
  return values.length === data.values.length ? [{ dims: data.dims, values }] : NOTHING
}

/** Known elements through operators that only move them. */
export const knownMoves = {
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Reshape: reshape,
  Flatten: (c) => {
    const content = c.content(0)
    const axis = c.attr.axis ?? 1
    const at = axis < 0 ? axis + (content?.dims.length ?? 0) : axis
    return relabel(content, content && [sizeOf(content.dims.slice(0, at)), sizeOf(content.dims.slice(at))])
  },
  Gather: gather,
  GatherElements: gatherElements,
  Concat: concat,
  Slice: slice,
  Split: split,
  Transpose: transpose,
  Expand: (c) => expand(c),
  Tile: (c) => tile(c),
  ScatterElements: scatter,
  ScatterND: scatter,
} satisfies KnownRules
