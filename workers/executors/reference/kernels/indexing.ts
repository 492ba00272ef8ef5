import type { Call, Kernel, Kernels } from '../call.ts'
import {
  around,
  broadcastDims,
  broadcastTo,
  coordinatesOf,
  normalizeAxis,
  ramp,
  separable,
  sizeOf,
  stridesOf,
  take,
} from '../iterate.ts'
import { allocate, array, int64s, integers, numbers, type NdArray } from '../value.ts'

const wrapped = (index: number, size: number, call: Call): number => {
  const i = index < 0 ? index + size : index
  return i >= 0 && i < size
    ? i
    : call.fail(`the index ${index} is out of range`, { expected: `-${size} … ${size - 1}` })
}

/** Slices of x along an axis, in the order and shape of the indices. */
export function gather(x: NdArray, indices: NdArray, axis: number, call: Call): NdArray {
  const { outer, size, inner } = around(x.dims, axis)
  const rows = integers(indices).map((i) => wrapped(i, size, call) * inner)
  const dims = [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)]
  return take(x, dims, separable([ramp(outer, size * inner), rows, ramp(inner, 1)]))
}

/** The offset in `dims` of every element of `indices` with its coordinate on one axis replaced by what stands there. */
function elementOffsets(indices: NdArray, dims: readonly number[], axis: number, call: Call): Int32Array {
  const strides = stridesOf(dims)
  const base = separable(indices.dims.map((size, d) => ramp(size, d === axis ? 0 : (strides[d] as number))))
  const list = numbers(indices)
  return base.map((b, i) => b + wrapped(list[i] as number, dims[axis] as number, call) * (strides[axis] as number))
}

function gatherElements(call: Call): NdArray {
  const [x, indices] = [call.input(0), call.input(1)]
  const axis = normalizeAxis(call.number('axis', 0), x.dims.length)
  return take(x, indices.dims, elementOffsets(indices, x.dims, axis, call))
}

/** Where each tuple of indices (the last axis) points in `dims`, with `batch` leading axes in common. */
function tupleOffsets(indices: NdArray, dims: readonly number[], batch: number, call: Call): number[] {
  const width = indices.dims.at(-1) as number
  const strides = stridesOf(dims)
  const list = numbers(indices)
  const tuples = sizeOf(indices.dims.slice(0, -1))
  const perBatch = tuples / sizeOf(indices.dims.slice(0, batch))
  const batchSize = sizeOf(dims.slice(batch))
  return Array.from({ length: tuples }, (_, t) => {
    let offset = Math.floor(t / perBatch) * batchSize
    for (let k = 0; k < width; k++) {
      offset += wrapped(list[t * width + k] as number, dims[batch + k] as number, call) * (strides[batch + k] as number)
    }
    return offset
  })
}

function gatherND(call: Call): NdArray {
  const [x, indices] = [call.input(0), call.input(1)]
  const batch = call.number('batch_dims', 0)
  const rest = x.dims.slice(batch + (indices.dims.at(-1) as number))
  const starts = tupleOffsets(indices, x.dims, batch, call)
  return take(x, [...indices.dims.slice(0, -1), ...rest], separable([starts, ramp(sizeOf(rest), 1)]))
}

type Combine = (old: number, update: number) => number
type CombineBig = (old: bigint, update: bigint) => bigint

/** How an update meets what is already there; `none` replaces it. */
const combiners: Readonly<Record<string, readonly [Combine, CombineBig]>> = {
  add: [(a, b) => a + b, (a, b) => a + b],
  mul: [(a, b) => a * b, (a, b) => a * b],
  max: [(a, b) => (b > a ? b : a), (a, b) => (b > a ? b : a)],
  min: [(a, b) => (b < a ? b : a), (a, b) => (b < a ? b : a)],
}

/** A copy of x with updates at given offsets. */
export function scatterInto(x: NdArray, updates: NdArray, offsets: ArrayLike<number>, reduction: string): NdArray {
  const data = allocate(x.dtype, x.data.length)
  const to = data as unknown[]
  const from = updates.data as ArrayLike<unknown>
  for (let i = 0; i < to.length; i++) to[i] = x.data[i]
  const pair = combiners[reduction]
  // Old and new have one type; a 64-bit integer takes the second combiner.
  const combine = typeof to[0] === 'bigint' ? pair?.[1] : pair?.[0]
  for (let i = 0; i < offsets.length; i++) {
    const at = offsets[i] as number
    to[at] = combine ? (combine as (a: unknown, b: unknown) => unknown)(to[at], from[i]) : from[i]
  }
  return array(x.dtype, x.dims, data)
}

function scatterElements(call: Call): NdArray {
  const [x, indices, updates] = [call.input(0), call.input(1), call.input(2)]
  const axis = normalizeAxis(call.number('axis', 0), x.dims.length)
  return scatterInto(x, updates, elementOffsets(indices, x.dims, axis, call), call.text('reduction', 'none'))
}

function scatterND(call: Call): NdArray {
  const [x, indices, updates] = [call.input(0), call.input(1), call.input(2)]
  const row = sizeOf(x.dims.slice(indices.dims.at(-1)))
  const offsets = separable([tupleOffsets(indices, x.dims, 0, call), ramp(row, 1)])
  return scatterInto(x, updates, offsets, call.text('reduction', 'none'))
}

/** Writes a chunk of a key/value cache at each batch entry's position (circular: around the end). */
function tensorScatter(call: Call): NdArray {
  const [cache, update] = [call.input(0), call.input(1)]
  const axis = normalizeAxis(call.number('axis', -2), cache.dims.length)
  const starts = call.optional(2)
  const at = starts ? integers(starts) : new Array<number>(cache.dims[0] as number).fill(0)
  const circular = call.text('mode', 'linear') === 'circular'
  const strides = stridesOf(cache.dims)
  const size = cache.dims[axis] as number
  const offsets = Int32Array.from({ length: update.data.length }, (_, i) => {
    const coordinates = coordinatesOf(i, update.dims)
    const moved = (coordinates[axis] as number) + (at[coordinates[0] as number] as number)
    coordinates[axis] = circular ? moved % size : moved
    return coordinates.reduce((sum, c, d) => sum + c * (strides[d] as number), 0)
  })
  return scatterInto(cache, update, offsets, 'none')
}

/** Elements of x where the condition holds, of y elsewhere. */
function where(call: Call): NdArray {
  const [condition, x, y] = [call.input(0), call.input(1), call.input(2)]
  const dims = broadcastDims(condition.dims, x.dims, y.dims)
  const [c, a, b] = [numbers(broadcastTo(condition, dims)), broadcastTo(x, dims), broadcastTo(y, dims)]
  const data = allocate(x.dtype, sizeOf(dims))
  const to = data as unknown[]
  for (let i = 0; i < to.length; i++) to[i] = c[i] ? a.data[i] : b.data[i]
  return array(x.dtype, dims, data)
}

/** Coordinates of the elements that are not zero, one column each. */
function nonZero(call: Call): NdArray {
  const x = call.input(0)
  const found: number[][] = []
  for (let i = 0; i < x.data.length; i++) {
    const v = x.data[i]
    if (v !== 0 && v !== 0n && v !== '') found.push(coordinatesOf(i, x.dims))
  }
  const data = x.dims.flatMap((_, d) => found.map((c) => c[d] as number))
  return int64s(data, [x.dims.length, found.length])
}

/** `on` where an index says, `off` elsewhere and for indices that are out of range. */
function oneHot(call: Call): NdArray {
  const [indices, depthInput, values] = [call.input(0), call.input(1), call.input(2)]
  const depth = integers(depthInput)[0] as number
  const axis = normalizeAxis(call.number('axis', -1), indices.dims.length + 1)
  const dims = [...indices.dims.slice(0, axis), depth, ...indices.dims.slice(axis)]
  const inner = sizeOf(indices.dims.slice(axis))
  const list = numbers(indices)
  const offsets = Int32Array.from({ length: sizeOf(dims) }, (_, i) => {
    const given = list[Math.floor(i / (depth * inner)) * inner + (i % inner)] as number
    const index = given < 0 ? given + depth : given
    return index === Math.floor(i / inner) % depth ? 1 : 0
  })
  return take(values, dims, offsets)
}

type Cell = number | bigint | string
const order = (a: Cell, b: Cell): number => {
  if (a < b) return -1
  if (a > b) return 1
  // NaN comes last.
  return Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : 0
}

/** The k largest (or smallest) along an axis, ties to the lower index. */
function topK(call: Call): NdArray[] {
  const x = call.input(0)
  const k = call.numberFrom(1, 'k', 1)
  const axis = normalizeAxis(call.number('axis', -1), x.dims.length)
  const sign = call.flag('largest', true) ? -1 : 1
  const { outer, size, inner } = around(x.dims, axis)
  const dims = x.dims.map((d, i) => (i === axis ? k : d))
  const offsets = new Int32Array(sizeOf(dims))
  const indices = new Array<number>(offsets.length)
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = (n: number) => (o * size + n) * inner + i
      const line = ramp(size, 1).sort((a, b) => sign * order(x.data[at(a)] as Cell, x.data[at(b)] as Cell) || a - b)
      for (let n = 0; n < k; n++) {
        offsets[(o * k + n) * inner + i] = at(line[n] as number)
        indices[(o * k + n) * inner + i] = line[n] as number
      }
    }
  }
  return [take(x, dims, offsets), int64s(indices, dims)]
}

/** Distinct slices along an axis (or elements), with first positions, the way back, and counts. */
function unique(call: Call): NdArray[] {
  const x = call.input(0)
  const whole = !call.has('axis')
  const axis = whole ? 0 : normalizeAxis(call.number('axis', 0), x.dims.length)
  const { outer, size, inner } = whole ? { outer: 1, size: x.data.length, inner: 1 } : around(x.dims, axis)
  const sliceOf = (k: number): Cell[] =>
    Array.from(
      { length: outer * inner },
      (_, i) => x.data[(Math.floor(i / inner) * size + k) * inner + (i % inner)] as Cell,
    )
  const slices = ramp(size, 1).map(sliceOf)
  const groups = new Map<string, number[]>()
  slices.forEach((slice, k) => {
    const key = slice.join('\u0000')
    const group = groups.get(key)
    if (group) group.push(k)
    else groups.set(key, [k])
  })
  const compareSlices = (a: number[], b: number[]) => {
    const [left, right] = [slices[a[0] as number] as Cell[], slices[b[0] as number] as Cell[]]
    for (let i = 0; i < left.length; i++) {
      const difference = order(left[i] as Cell, right[i] as Cell)
      if (difference !== 0) return difference
    }
    return 0
  }
  const list = [...groups.values()]
  if (call.flag('sorted', true)) list.sort(compareSlices)
  const inverse = new Array<number>(size)
  list.forEach((group, g) => group.forEach((k) => (inverse[k] = g)))
  const firsts = list.map((group) => group[0] as number)
  const dims = whole ? [list.length] : x.dims.map((d, i) => (i === axis ? list.length : d))
  const offsets = separable([ramp(outer, size * inner), firsts.map((k) => k * inner), ramp(inner, 1)])
  return [take(x, dims, offsets), int64s(firsts), int64s(inverse), int64s(list.map((group) => group.length))]
}

const gatherKernel: Kernel = (call) => {
  const x = call.input(0)
  return gather(x, call.input(1), normalizeAxis(call.number('axis', 0), x.dims.length), call)
}

export const indexing: Kernels = {
  Gather: gatherKernel,
  GatherElements: gatherElements,
  GatherND: gatherND,
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  TensorScatter: tensorScatter,
  Where: where,
  NonZero: nonZero,
  OneHot: oneHot,
  TopK: topK,
  Unique: unique,
}
