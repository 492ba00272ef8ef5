import type { Call, Kernels } from '../call.ts'
import { concat, normalizeAxis, ramp, separable, sizeOf, sliceAxis, stridesOf, take } from '../iterate.ts'
import { floatArray, floats, integers, type NdArray } from '../value.ts'
import { forEachPair, tapsOf, type Geometry } from '../windows.ts'

/** The coordinates start, start + step … before end, clamped as numpy does. */
function slicedCoordinates(size: number, start: number, end: number, step: number): number[] {
  const clamp = (v: number, low: number, high: number) => Math.min(high, Math.max(low, v < 0 ? v + size : v))
  const coordinates: number[] = []
  if (step > 0) for (let i = clamp(start, 0, size); i < clamp(end, 0, size); i += step) coordinates.push(i)
  else for (let i = clamp(start, -1, size - 1); i > clamp(end, -1, size - 1); i += step) coordinates.push(i)
  return coordinates
}

/** Starts, ends, axes and steps are inputs since opset 10, attributes before. */
function slice(call: Call): NdArray {
  const x = call.input(0)
  const starts = call.intsFrom(1, 'starts') ?? call.fail('has no starts')
  const ends = call.intsFrom(2, 'ends') ?? call.fail('has no ends')
  const axes = (call.intsFrom(3, 'axes') ?? ramp(starts.length, 1)).map((a) => normalizeAxis(a, x.dims.length))
  const steps = call.intsFrom(4, 'steps') ?? starts.map(() => 1)
  const coordinates = x.dims.map((size, d) => {
    const at = axes.indexOf(d)
    if (at < 0) return ramp(size, 1)
    return slicedCoordinates(size, starts[at] as number, ends[at] as number, steps[at] as number)
  })
  return pick(x, coordinates)
}

/** Every combination of given coordinates per axis; −1 stands for nothing. */
function pick(x: NdArray, coordinates: readonly number[][], fill?: number | bigint | string): NdArray {
  const strides = stridesOf(x.dims)
  const tables = coordinates.map((list, d) => list.map((c) => (c < 0 ? -1 : c * (strides[d] as number))))
  return take(
    x,
    coordinates.map((list) => list.length),
    separable(tables),
    fill,
  )
}

/** Equal parts (the last smaller) unless sizes are given, as an input since opset 13. */
function split(call: Call): NdArray[] {
  const x = call.input(0)
  const axis = normalizeAxis(call.number('axis', 0), x.dims.length)
  const parts = call.number('num_outputs', call.outputCount)
  const size = x.dims[axis] as number
  const even = Math.ceil(size / parts)
  const sizes =
    call.intsFrom(1, 'split') ?? Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(even, size - i * even)))
  let start = 0
  return sizes.map((length) => {
    const part = sliceAxis(x, axis, start, start + length)
    start += length
    return part
  })
}

/** The source coordinate of position i − before; −1 for a constant. */
const padded: Readonly<Record<string, (i: number, size: number) => number>> = {
  constant: (i, size) => (i < 0 || i >= size ? -1 : i),
  edge: (i, size) => Math.min(size - 1, Math.max(0, i)),
  wrap: (i, size) => ((i % size) + size) % size,
  reflect: (i, size) => {
    if (size === 1) return 0
    const period = 2 * (size - 1)
    const at = ((i % period) + period) % period
    return at < size ? at : period - at
  },
}

/** Pads are an input since opset 11, `pads` since 2, `paddings` before; negative ones crop. */
function pad(call: Call): NdArray {
  const x = call.input(0)
  const pads = call.intsFrom(1, 'pads') ?? call.numbers('paddings') ?? call.fail('has no pads')
  const rank = x.dims.length
  const axes = (call.intsFrom(3, '') ?? ramp(rank, 1)).map((a) => normalizeAxis(a, rank))
  const mode = call.text('mode', 'constant')
  const sourceOf = padded[mode] ?? call.fail(`has no mode "${mode}"`)
  const coordinates = x.dims.map((size, d) => {
    const at = axes.indexOf(d)
    if (at < 0) return ramp(size, 1)
    const [before, after] = [pads[at] as number, pads[at + axes.length] as number]
    const length = size + before + after
    // Cropping comes first, so that what is mirrored or repeated is what is left.
    const [first, last] = [Math.max(0, -before), size - Math.max(0, -after)]
    return Array.from({ length }, (_, i) => {
      const source = sourceOf(i - Math.max(0, before), last - first)
      return source < 0 ? -1 : source + first
    })
  })
  const value = call.optional(2)
  return pick(x, coordinates, value ? value.data[0] : call.number('value', undefined))
}

/** The transpose of im2col: every column is added back to the patch that it came from. */
function col2im(call: Call): NdArray {
  const [x, image, block] = [call.input(0), integers(call.input(1)), integers(call.input(2))]
  const ones = image.map(() => 1)
  const strides = call.numbers('strides') ?? ones
  const dilations = call.numbers('dilations') ?? ones
  const pads = call.numbers('pads') ?? image.flatMap(() => [0, 0])
  const padBegin = pads.slice(0, image.length)
  const padEnd = pads.slice(image.length)
  const output = image.map((size, d) => {
    const extent = ((block[d] as number) - 1) * (dilations[d] as number) + 1
    return Math.floor((size + (padBegin[d] as number) + (padEnd[d] as number) - extent) / (strides[d] as number)) + 1
  })
  const geometry: Geometry = { input: image, output, kernel: block, strides, dilations, padBegin, padEnd }
  const taps = tapsOf(geometry)
  const [columns, pixels] = [sizeOf(output), sizeOf(image)]
  const [batch, channels] = [x.dims[0] as number, (x.dims[1] as number) / taps.length]
  const data = floats(x)
  const out = new Float64Array(batch * channels * pixels)
  for (let plane = 0; plane < batch * channels; plane++) {
    taps.forEach((tap, k) => {
      forEachPair(tap, (o, i) => {
        const at = plane * pixels + i
        out[at] = (out[at] as number) + (data[(plane * taps.length + k) * columns + o] as number)
      })
    })
  }
  return floatArray(x.dtype, [batch, channels, ...image], out)
}

/** The slices along an axis (or the elements, without one) where the condition holds. */
function compress(call: Call): NdArray {
  const [x, condition] = [call.input(0), call.input(1)]
  const chosen = integers(condition).flatMap((c, i) => (c ? [i] : []))
  if (!call.has('axis')) return take(x, [chosen.length], Int32Array.from(chosen))
  const axis = normalizeAxis(call.number('axis', 0), x.dims.length)
  return pick(
    x,
    x.dims.map((size, d) => (d === axis ? chosen : ramp(size, 1))),
  )
}

export const slicing: Kernels = {
  Slice: slice,
  Split: split,
  Concat: (call) => concat(call.rest(0), call.number('axis', 1)),
  Pad: pad,
  Col2Im: col2im,
  Compress: compress,
}
