import { addBias } from '../convolution.ts'
import type { Call, Kernels } from '../call.ts'
import { roundHalfEven } from '../formats.ts'
import { sizeOf, stridesOf } from '../iterate.ts'
import { array, floats, type NdArray } from '../value.ts'
import { cubicKernel } from './resize.ts'

/** Whole coordinates around a fractional one, with their weights. */
type Neighbours = readonly (readonly [coordinate: number, weight: number])[]

function linearNeighbours(x: number): Neighbours {
  const low = Math.floor(x)
  return [
    [low, 1 - (x - low)],
    [low + 1, x - low],
  ]
}

/** One element at fractional coordinates: every combination of the neighbours along each axis, weighted. */
function interpolate(
  plane: (coordinates: readonly number[]) => number,
  neighbours: readonly Neighbours[],
  picked: readonly number[] = [],
): number {
  const [first, ...rest] = neighbours
  if (!first) return plane(picked)
  let sum = 0
  for (const [coordinate, weight] of first) {
    if (weight !== 0) sum += weight * interpolate(plane, rest, [...picked, coordinate])
  }
  return sum
}

const neighbourRules: Readonly<Record<string, (x: number) => Neighbours>> = {
  nearest: (x) => [[roundHalfEven(x), 1]],
  linear: linearNeighbours,
  cubic: (x) => {
    const low = Math.floor(x)
    return [-1, 0, 1, 2].map((k) => [low + k, cubicKernel(x - low - k, -0.75)] as const)
  },
}

/** Mirrors a coordinate at both borders until it lies between them. */
function reflect(x: number, low: number, high: number): number {
  const range = high - low
  if (range === 0) return low
  const distance = x < low ? low - x : x > high ? x - high : 0
  if (distance === 0) return x
  const turns = Math.trunc(distance / range)
  const rest = distance - turns * range
  return x < low === (turns % 2 === 0) ? low + rest : high - rest
}

interface GridRules {
  /** Where a grid's coordinate in [-1, 1] lies on an axis, among which neighbours. */
  readonly neighbours: (n: number, size: number) => Neighbours
  /** The element that stands for a whole coordinate; outside the axis for none. */
  readonly pixel: (i: number, size: number) => number
}

function gridRules(call: Call): GridRules {
  const aligned = call.flag('align_corners')
  const padding = call.text('padding_mode', 'zeros')
  // Until opset 20 the modes had the names of two dimensions.
  const mode = call.text('mode', 'linear').replace('bilinear', 'linear').replace('bicubic', 'cubic')
  const rule = neighbourRules[mode] ?? call.fail(`has no mode "${mode}"`)
  const clamp = (c: number, size: number) => Math.min(size - 1, Math.max(0, c))
  const within = (c: number, size: number) => {
    const [low, high] = aligned ? [0, size - 1] : [-0.5, size - 0.5]
    if (c >= low && c <= high) return c
    if (padding === 'border') return clamp(c, size)
    return padding === 'reflection' ? reflect(c, low, high) : c
  }
  return {
    neighbours: (n, size) => {
      const c = aligned ? ((n + 1) / 2) * (size - 1) : ((n + 1) * size - 1) / 2
      // A cubic's border is where its neighbours are clamped, as in PyTorch and onnxruntime.
      if (mode === 'cubic' && padding === 'border') return rule(c)
      return rule(within(mode === 'nearest' ? roundHalfEven(c) : c, size))
    },
    pixel: (i, size) => (padding === 'border' ? clamp(i, size) : Math.trunc(within(i, size))),
  }
}

/** Samples x at the points of a grid in [-1, 1], whose last axis is x, y(, z). Jaderberg et al. 2015, arXiv:1506.02025. */
function gridSample(call: Call): NdArray {
  const [x, grid] = [call.input(0), call.input(1)]
  const { neighbours, pixel } = gridRules(call)
  const [values, points] = [floats(x), floats(grid)]
  const [spatial, outSpatial] = [x.dims.slice(2), grid.dims.slice(1, -1)]
  const [batch, channels] = [x.dims[0] as number, x.dims[1] as number]
  const [count, plane, rank] = [sizeOf(outSpatial), sizeOf(spatial), spatial.length]
  const strides = stridesOf(spatial)
  const elementAt = (start: number, coordinates: readonly number[]) => {
    let offset = start
    for (let d = 0; d < rank; d++) {
      const size = spatial[d] as number
      const i = pixel(coordinates[d] as number, size)
      if (i < 0 || i >= size) return 0
      offset += i * (strides[d] as number)
    }
    return values[offset] as number
  }
  const out = new Float64Array(batch * channels * count)
  for (let p = 0; p < batch * count; p++) {
    const around = spatial.map((size, d) => neighbours(points[p * rank + rank - 1 - d] as number, size))
    for (let c = 0; c < channels; c++) {
      const channel = Math.floor(p / count) * channels + c
      out[channel * count + (p % count)] = interpolate((coordinates) => elementAt(channel * plane, coordinates), around)
    }
  }
  return array(x.dtype, [batch, channels, ...outSpatial], out)
}

/** What a deformable convolution multiplies with its weights: [N, C, kernel positions, outputs]. */
function deformedColumns(call: Call, taps: number, kernelWidth: number): Float64Array {
  const [x, offset, mask] = [call.input(0), call.input(2), call.optional(4)]
  const [batch, channels, height, width] = x.dims as [number, number, number, number]
  const [rows, columns] = offset.dims.slice(2) as [number, number]
  const cells = rows * columns
  const groups = call.number('offset_group', 1)
  const [strideY, strideX] = (call.numbers('strides') ?? [1, 1]) as [number, number]
  const [dilationY, dilationX] = (call.numbers('dilations') ?? [1, 1]) as [number, number]
  const [top, left] = (call.numbers('pads') ?? [0, 0, 0, 0]) as [number, number]
  const [values, moves, masks] = [floats(x), floats(offset), mask && floats(mask)]
  return Float64Array.from({ length: batch * channels * taps * cells }, (_, at) => {
    const [plane, k, cell] = [Math.floor(at / (taps * cells)), Math.floor(at / cells) % taps, at % cells]
    const group = Math.floor((plane % channels) / (channels / groups))
    const tap = (Math.floor(plane / channels) * groups + group) * taps + k
    const y = Math.floor(cell / columns) * strideY - top + Math.floor(k / kernelWidth) * dilationY
    const u = (cell % columns) * strideX - left + (k % kernelWidth) * dilationX
    const moved = [y + (moves[2 * tap * cells + cell] as number), u + (moves[(2 * tap + 1) * cells + cell] as number)]
    const value = interpolate((coordinates) => {
      const [i, j] = coordinates as [number, number]
      const inside = i >= 0 && i < height && j >= 0 && j < width
      return inside ? (values[(plane * height + i) * width + j] as number) : 0
    }, moved.map(linearNeighbours))
    return value * (masks ? (masks[tap * cells + cell] as number) : 1)
  })
}

/** A convolution whose taps are moved by learned offsets and weighted by a mask; Zhu et al. 2019, arXiv:1811.11168. */
function deformConv(call: Call): NdArray {
  const [x, w, bias] = [call.input(0), call.input(1), call.optional(3)]
  const [outputs, perGroup, kernelHeight, kernelWidth] = w.dims as [number, number, number, number]
  const [batch, channels] = [x.dims[0] as number, x.dims[1] as number]
  const spatial = call.input(2).dims.slice(2)
  const [taps, cells] = [kernelHeight * kernelWidth, sizeOf(spatial)]
  const columns = deformedColumns(call, taps, kernelWidth)
  const outputsPerGroup = outputs / call.number('group', 1)
  const weights = floats(w)
  const y = Float64Array.from({ length: batch * outputs * cells }, (_, at) => {
    const [n, m, cell] = [Math.floor(at / (outputs * cells)), Math.floor(at / cells) % outputs, at % cells]
    const first = (n * channels + Math.floor(m / outputsPerGroup) * perGroup) * taps
    let sum = 0
    for (let t = 0; t < perGroup * taps; t++) {
      sum += (weights[m * perGroup * taps + t] as number) * (columns[(first + t) * cells + cell] as number)
    }
    return sum
  })
  return array(x.dtype, [batch, outputs, ...spatial], bias ? addBias(y, floats(bias), cells) : y)
}

export const samplers: Kernels = { GridSample: gridSample, DeformConv: deformConv }
