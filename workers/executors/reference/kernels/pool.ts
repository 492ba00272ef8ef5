import type { Call, Kernel, Kernels } from '../call.ts'
import { sizeOf } from '../iterate.ts'
import {
  allocate,
  array,
  floatArray,
  floats,
  int64s,
  integers,
  numbers,
  type NdArray,
  type NumberArray,
} from '../value.ts'
import { forEachPair, geometryOf, tapsOf, type Geometry } from '../windows.ts'

/** Every pair of an output and an input of its window, over all planes, each window in row-major order. */
function forEachInWindow(planes: number, g: Geometry, visit: (output: number, input: number) => void): void {
  const [xSize, ySize] = [sizeOf(g.input), sizeOf(g.output)]
  const taps = tapsOf(g)
  for (let p = 0; p < planes; p++) {
    for (const tap of taps) forEachPair(tap, (o, i) => visit(p * ySize + o, p * xSize + i))
  }
}

const planesOf = (x: NdArray): number => sizeOf(x.dims.slice(0, 2))

/** For every output of every plane, the offset in x of its first maximum in row-major order; −1 for empty windows. */
function firstMaxima(values: ArrayLike<number>, planes: number, g: Geometry): Int32Array {
  const best = new Int32Array(planes * sizeOf(g.output)).fill(-1)
  forEachInWindow(planes, g, (o, i) => {
    const held = best[o] as number
    if (held < 0 || (values[i] as number) > (values[held] as number)) best[o] = i
  })
  return best
}

function maxPool(call: Call): NdArray[] {
  const x = call.input(0)
  const g = geometryOf(call, x.dims.slice(2))
  const values = numbers(x)
  const best = firstMaxima(values, planesOf(x), g)
  const data = allocate(x.dtype, best.length) as NumberArray
  for (let i = 0; i < data.length; i++) {
    const from = best[i] as number
    data[i] = from < 0 ? -Infinity : (values[from] as number)
  }
  const dims = [...x.dims.slice(0, 2), ...g.output]
  const y = array(x.dtype, dims, data)
  if (!call.wants(1)) return [y]
  const indices = call.flag('storage_order') ? Array.from(best, (i) => columnMajor(i, g.input)) : Array.from(best)
  return [y, int64s(indices, dims)]
}

/** The same element's index when each plane is counted column by column. */
function columnMajor(index: number, spatial: readonly number[]): number {
  const plane = sizeOf(spatial)
  let rest = index % plane
  let within = 0
  let scale = plane
  for (let d = spatial.length - 1; d >= 0; d--) {
    const size = spatial[d] as number
    scale /= size
    within += (rest % size) * scale
    rest = Math.floor(rest / size)
  }
  return Math.floor(index / plane) * plane + within
}

/** dX of MaxPool: the gradient of each window goes to its first maximum, as MaxPool's Indices say. */
export function maxPoolGrad(call: Call): NdArray {
  const [dy, x] = [call.input(0), call.input(1)]
  const best = firstMaxima(numbers(x), planesOf(x), geometryOf(call, x.dims.slice(2)))
  const gradient = floats(dy)
  const dx = new Float64Array(x.data.length)
  best.forEach((to, i) => {
    if (to >= 0) dx[to] = (dx[to] as number) + (gradient[i] as number)
  })
  return floatArray(x.dtype, x.dims, dx)
}

/** How many elements each window of a plane averages over. */
function windowCounts(g: Geometry, includePad: boolean): Float64Array {
  const counted = includePad
    ? {
        ...g,
        input: g.input.map((size, d) => size + (g.padBegin[d] as number) + (g.padEnd[d] as number)),
        padBegin: g.input.map(() => 0),
      }
    : g
  const counts = new Float64Array(sizeOf(g.output))
  forEachInWindow(1, counted, (o) => (counts[o] = (counts[o] as number) + 1))
  return counts
}

/** Σ f(x) over each window. */
function windowSums(x: Float64Array, planes: number, g: Geometry, f: (x: number) => number): Float64Array {
  const sums = new Float64Array(planes * sizeOf(g.output))
  forEachInWindow(planes, g, (o, i) => (sums[o] = (sums[o] as number) + f(x[i] as number)))
  return sums
}

function averagePool(call: Call): NdArray {
  const x = call.input(0)
  const g = geometryOf(call, x.dims.slice(2))
  const counts = windowCounts(g, call.flag('count_include_pad'))
  const sums = windowSums(floats(x), planesOf(x), g, (v) => v)
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) / (counts[i % counts.length] as number)
  return floatArray(x.dtype, [...x.dims.slice(0, 2), ...g.output], sums)
}

/** dX of AveragePool: each window's gradient is shared out evenly among what it averaged. X gives the shape. */
export function averagePoolGrad(call: Call): NdArray {
  const [dy, x] = [call.input(0), call.input(1)]
  const g = geometryOf(call, x.dims.slice(2))
  const counts = windowCounts(g, call.flag('count_include_pad'))
  const gradient = floats(dy)
  const dx = new Float64Array(x.data.length)
  forEachInWindow(planesOf(x), g, (o, i) => {
    dx[i] = (dx[i] as number) + (gradient[o] as number) / (counts[o % counts.length] as number)
  })
  return floatArray(x.dtype, x.dims, dx)
}

function lpPool(call: Call): NdArray {
  const x = call.input(0)
  const p = call.number('p', 2)
  const g = geometryOf(call, x.dims.slice(2))
  const sums = windowSums(floats(x), planesOf(x), g, (v) => Math.abs(v) ** p)
  return floatArray(
    x.dtype,
    [...x.dims.slice(0, 2), ...g.output],
    sums.map((sum) => sum ** (1 / p)),
  )
}

/** One number per plane. */
const globalPool =
  (reduce: (plane: Float64Array, call: Call) => number): Kernel =>
  (call) => {
    const x = call.input(0)
    const plane = sizeOf(x.dims.slice(2))
    const values = floats(x)
    const out = new Float64Array(sizeOf(x.dims.slice(0, 2)))
    for (let p = 0; p < out.length; p++) out[p] = reduce(values.subarray(p * plane, (p + 1) * plane), call)
    return floatArray(x.dtype, [...x.dims.slice(0, 2), ...x.dims.slice(2).map(() => 1)], out)
  }

/** Puts pooled values back where their indices say; the rest is zero. */
function maxUnpool(call: Call): NdArray {
  const [x, indices, shape] = [call.input(0), call.input(1), call.optional(2)]
  const kernel = call.numbers('kernel_shape') ?? call.fail('attribute "kernel_shape" is missing')
  const strides = call.numbers('strides') ?? kernel.map(() => 1)
  const pads = call.numbers('pads') ?? kernel.flatMap(() => [0, 0])
  const rank = kernel.length
  const natural = kernel.map(
    (k, d) =>
      ((x.dims[d + 2] as number) - 1) * (strides[d] as number) + k - (pads[d] as number) - (pads[d + rank] as number),
  )
  const inner = [...x.dims.slice(0, 2), ...natural]
  const dims = shape ? integers(shape) : inner
  const out = new Float64Array(sizeOf(dims))
  const values = floats(x)
  integers(indices).forEach((index, i) => (out[relocate(index, inner, dims)] = values[i] as number))
  return floatArray(x.dtype, dims, out)
}

/** An offset in a tensor of shape `from` as the offset of the same coordinates in a tensor of shape `to`. */
function relocate(offset: number, from: readonly number[], to: readonly number[]): number {
  let rest = offset
  let result = 0
  let scale = 1
  for (let d = from.length - 1; d >= 0; d--) {
    result += (rest % (from[d] as number)) * scale
    rest = Math.floor(rest / (from[d] as number))
    scale *= to[d] as number
  }
  return result
}

export const pools: Kernels = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  MaxUnpool: maxUnpool,
  GlobalAveragePool: globalPool((plane) => plane.reduce((a, b) => a + b, 0) / plane.length),
  GlobalMaxPool: globalPool((plane) => plane.reduce((a, b) => (b > a ? b : a), -Infinity)),
  GlobalLpPool: globalPool((plane, call) => {
    const p = call.number('p', 2)
    return plane.reduce((a, b) => a + Math.abs(b) ** p, 0) ** (1 / p)
  }),
}
