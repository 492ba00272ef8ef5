import { AlambicError } from '../../protocol/errors.ts'
import { sizeOf } from '../../graph/tensor.ts'
import { allocate, array, isBig, type NdArray } from './value.ts'

export { sizeOf }

/** Row-major strides of a shape. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1)
  for (let d = dims.length - 2; d >= 0; d--) strides[d] = (strides[d + 1] as number) * (dims[d + 1] as number)
  return strides
}

/** A non-negative axis. Throws `reference.axis` when it is out of range. */
export function normalizeAxis(axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis
  if (normal < 0 || normal >= Math.max(rank, 1)) {
    throw new AlambicError('reference.axis', `axis ${axis} is out of range for a tensor of rank ${rank}`)
  }
  return normal
}

/** The multidirectional broadcast of shapes (numpy rules). Throws `reference.broadcast`. */
export function broadcastDims(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length))
  return Array.from({ length: rank }, (_, axis) => {
    let size = 1
    for (const shape of shapes) {
      const dim = shape[axis - rank + shape.length] ?? 1
      if (dim === 1 || dim === size) continue
      if (size !== 1) {
        const found = shapes.map((s) => `[${s.join(',')}]`).join(' and ')
        throw new AlambicError('reference.broadcast', `shapes ${found} do not broadcast`)
      }
      size = dim
    }
    return size
  })
}

/**
 * Source offsets of a result whose every coordinate picks along one source axis: `tables[axis][coordinate]` is that
 * axis's contribution, -1 for "nothing there". Transposing, slicing, padding, tiling, expanding and gathering are all
 * such a sum of tables.
 */
export function separable(tables: readonly ArrayLike<number>[], base = 0): Int32Array {
  let offsets: Int32Array = Int32Array.of(base)
  for (const table of tables) {
    const next = new Int32Array(offsets.length * table.length)
    let at = 0
    for (let i = 0; i < offsets.length; i++) {
      const offset = offsets[i] as number
      for (let j = 0; j < table.length; j++) {
        const step = table[j] as number
        next[at++] = offset < 0 || step < 0 ? -1 : offset + step
      }
    }
    offsets = next
  }
  return offsets
}

/** 0, step, 2·step … */
export const ramp = (length: number, step: number): number[] => Array.from({ length }, (_, i) => i * step)

/** Source offsets that broadcast `dims` to `target`. */
export function broadcastOffsets(dims: readonly number[], target: readonly number[]): Int32Array {
  const strides = stridesOf(dims)
  const lead = target.length - dims.length
  return separable(
    target.map((size, axis) =>
      ramp(size, axis < lead || dims[axis - lead] === 1 ? 0 : (strides[axis - lead] as number)),
    ),
  )
}

/** A new tensor whose element i is the source's element `offsets[i]`, or `fill` (zero unless given) where that is -1. */
export function take(
  x: NdArray,
  dims: readonly number[],
  offsets: Int32Array,
  fill?: number | bigint | string,
): NdArray {
  const data = allocate(x.dtype, offsets.length)
  // Elements move between arrays of one type; which type does not matter here.
  const to = data as unknown[]
  const from = x.data as unknown[]
  const filled = fill !== undefined && isBig(data) ? BigInt(fill) : fill
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i] as number
    if (offset >= 0) to[i] = from[offset]
    else if (filled !== undefined) to[i] = filled
  }
  return array(x.dtype, dims, data)
}

export const broadcastTo = (x: NdArray, dims: readonly number[]): NdArray =>
  sameDims(x.dims, dims) ? x : take(x, dims, broadcastOffsets(x.dims, dims))

export const reshape = (x: NdArray, dims: readonly number[]): NdArray => array(x.dtype, dims, x.data)

export function transpose(x: NdArray, perm: readonly number[]): NdArray {
  const strides = stridesOf(x.dims)
  const dims = perm.map((axis) => x.dims[axis] as number)
  return take(x, dims, separable(perm.map((axis, i) => ramp(dims[i] as number, strides[axis] as number))))
}

export const sameDims = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i])

/** A tensor seen around one axis: `outer` blocks of `size` rows of `inner` elements. */
export function around(dims: readonly number[], axis: number): { outer: number; size: number; inner: number } {
  return { outer: sizeOf(dims.slice(0, axis)), size: dims[axis] ?? 1, inner: sizeOf(dims.slice(axis + 1)) }
}

/** Coordinates of a linear row-major offset. */
export function coordinatesOf(offset: number, dims: readonly number[]): number[] {
  const coordinates = new Array<number>(dims.length)
  let rest = offset
  for (let d = dims.length - 1; d >= 0; d--) {
    const size = dims[d] as number
    coordinates[d] = rest % size
    rest = Math.floor(rest / size)
  }
  return coordinates
}

/** Joins tensors along an axis. */
export function concat(parts: readonly NdArray[], axis: number): NdArray {
  const first = parts[0] as NdArray
  const at = normalizeAxis(axis, first.dims.length)
  const dims = first.dims.map((d, i) => (i === at ? parts.reduce((n, p) => n + (p.dims[at] as number), 0) : d))
  const data = allocate(first.dtype, sizeOf(dims))
  const to = data as unknown[]
  const row = sizeOf(dims.slice(at))
  let column = 0
  for (const part of parts) {
    const width = sizeOf(part.dims.slice(at))
    const from = part.data as unknown[]
    for (let i = 0; i < from.length; i++) to[Math.floor(i / width) * row + column + (i % width)] = from[i]
    column += width
  }
  return array(first.dtype, dims, data)
}

/** Elements `start` (inclusive) to `end` (exclusive) along an axis. */
export function sliceAxis(x: NdArray, axis: number, start: number, end: number): NdArray {
  const { outer, size, inner } = around(x.dims, axis)
  const dims = x.dims.map((d, i) => (i === axis ? end - start : d))
  return take(x, dims, separable([ramp(outer, size * inner), ramp(end - start, inner), ramp(inner, 1)], start * inner))
}

/** Stacks tensors of one shape along a new axis. */
export function stack(parts: readonly NdArray[], axis: number): NdArray {
  const rank = (parts[0] as NdArray).dims.length + 1
  const at = normalizeAxis(axis, rank)
  return concat(
    parts.map((p) => reshape(p, [...p.dims.slice(0, at), 1, ...p.dims.slice(at)])),
    at,
  )
}
