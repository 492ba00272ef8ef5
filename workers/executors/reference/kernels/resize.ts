import type { Call, Kernels } from '../call.ts'
import { around, normalizeAxis, ramp, sizeOf } from '../iterate.ts'
import { array, floats, fromNumbers, integers, isFloating, numbers, type NdArray } from '../value.ts'
import { roundHalfEven } from '../formats.ts'

/** Weights of the neighbours of a point whose fraction is `ratio` in (0, 1]; their number depends on the scale alone. */
type Coefficients = (ratio: number, scale: number) => number[]

/** Keys 1981, eq. 15, with its free parameter a. */
export const cubicKernel = (x: number, a: number): number => {
  const d = Math.abs(x)
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1
  return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0
}

const normalized = (weights: number[]): number[] => {
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map((w) => w / sum)
}

/** Antialiasing stretches the kernel by the scale when shrinking, as Pillow does. */
const stretched =
  (support: number, kernel: (x: number) => number): Coefficients =>
  (ratio, scale) => {
    const shrink = Math.min(scale, 1)
    const start = Math.floor(-support / shrink) + 1
    return normalized(Array.from({ length: 2 - 2 * start }, (_, i) => kernel((start + i - ratio) * shrink)))
  }

const nearestRules: Readonly<Record<string, (ratio: number) => boolean>> = {
  round_prefer_floor: (ratio) => ratio > 0.5,
  round_prefer_ceil: (ratio) => ratio >= 0.5,
  floor: () => false,
  ceil: () => true,
}

function coefficientsOf(call: Call, mode: string): Coefficients {
  const antialias = call.flag('antialias')
  if (mode === 'nearest') {
    // Upsample and Resize-10 came before the attribute; onnxruntime takes the left pixel, or the right when shrinking.
    if (call.opset < 11) return (ratio, scale) => (ratio === 1 || scale < 1 ? [0, 1] : [1, 0])
    const rule = call.text('nearest_mode', 'round_prefer_floor')
    const right = nearestRules[rule] ?? call.fail(`has no nearest_mode "${rule}"`)
    return (ratio) => (ratio === 1 || right(ratio) ? [0, 1] : [1, 0])
  }
  if (mode === 'linear') {
    const tent = (x: number) => Math.max(0, 1 - Math.abs(x))
    return antialias ? stretched(1, tent) : (ratio) => [1 - ratio, ratio]
  }
  if (mode !== 'cubic') return call.fail(`has no mode "${mode}"`)
  const a = call.number('cubic_coeff_a', -0.75)
  const kernel = (x: number) => cubicKernel(x, a)
  return antialias ? stretched(2, kernel) : (ratio) => [1 + ratio, ratio, 1 - ratio, 2 - ratio].map(kernel)
}

/** One axis of a resize. `length` is input size × scale, which need not be whole; `output` is the size that comes out. */
interface Axis {
  readonly input: number
  readonly output: number
  readonly scale: number
  readonly length: number
  readonly roi: readonly [number, number]
}

/** Output coordinate → input coordinate, by `coordinate_transformation_mode`. */
const transformations: Readonly<Record<string, (x: number, axis: Axis) => number>> = {
  half_pixel: (x, { scale }) => (x + 0.5) / scale - 0.5,
  pytorch_half_pixel: (x, { scale, length }) => (length === 1 ? -0.5 : (x + 0.5) / scale - 0.5),
  half_pixel_symmetric: (x, { scale, input, output, length }) =>
    (input / 2) * (1 - output / length) + (x + 0.5) / scale - 0.5,
  align_corners: (x, { input, length }) => (length === 1 ? 0 : (x * (input - 1)) / (length - 1)),
  asymmetric: (x, { scale }) => x / scale,
  tf_half_pixel_for_nn: (x, { scale }) => (x + 0.5) / scale,
  tf_crop_and_resize: (x, { input, length, roi: [start, end] }) =>
    start * (input - 1) +
    (length === 1 ? ((end - start) * (input - 1)) / 2 : (x * (end - start) * (input - 1)) / (length - 1)),
}

/** What one output coordinate is made of: input coordinates with weights; undefined for the extrapolation value. */
export interface Sample {
  readonly indices: readonly number[]
  readonly weights: readonly number[]
}

function samplesOf(call: Call, axis: Axis, coefficients: Coefficients, mode: string): (Sample | undefined)[] {
  const source = transformations[mode] ?? call.fail(`has no coordinate_transformation_mode "${mode}"`)
  const exclude = call.flag('exclude_outside')
  return ramp(axis.output, 1).map((out) => {
    const x = source(out, axis)
    if (mode === 'tf_crop_and_resize' && (x < 0 || x > axis.input - 1)) return undefined
    const ratio = Number.isInteger(x) ? 1 : x - Math.floor(x)
    const weights = coefficients(ratio, axis.scale)
    const n = weights.length
    // The n nearest pixels, the left one on a tie.
    const first = Number.isInteger(x) ? x - n / 2 : Math.floor(x) - n / 2 + 1
    const indices = ramp(n, 1).map((i) => first + i)
    const inside = (i: number) => i >= 0 && i < axis.input
    return {
      indices: indices.map((i) => Math.min(axis.input - 1, Math.max(0, i))),
      weights: exclude ? normalized(weights.map((w, i) => (inside(indices[i] as number) ? w : 0))) : weights,
    }
  })
}

/** Resizes one axis of plain numbers. */
function resizeAxis(
  data: Float64Array,
  dims: readonly number[],
  d: number,
  samples: readonly (Sample | undefined)[],
  extrapolation: number,
): Float64Array {
  const { outer, size, inner } = around(dims, d)
  const out = new Float64Array(outer * samples.length * inner)
  for (let o = 0; o < outer; o++) {
    samples.forEach((sample, s) => {
      const to = (o * samples.length + s) * inner
      if (!sample) return out.fill(extrapolation, to, to + inner)
      return sample.indices.forEach((index, k) => {
        const weight = sample.weights[k] as number
        const from = (o * size + index) * inner
        if (weight !== 0)
          for (let i = 0; i < inner; i++) out[to + i] = (out[to + i] as number) + weight * (data[from + i] as number)
      })
    })
  }
  return out
}

/** Scales and sizes of every axis, from `scales` or `sizes` and the policy that keeps their ratio. */
function axesOf(call: Call, x: NdArray, roi: readonly number[], scales?: number[], sizes?: number[]): Axis[] {
  const rank = x.dims.length
  const axes = (call.numbers('axes') ?? ramp(rank, 1)).map((a) => normalizeAxis(a, rank))
  const policy = call.text('keep_aspect_ratio_policy', 'stretch')
  const ratios = sizes?.map((size, i) => size / (x.dims[axes[i] as number] as number))
  const common = ratios && (policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios))
  return x.dims.map((input, d): Axis => {
    const at = axes.indexOf(d)
    if (at < 0) return { input, output: input, scale: 1, length: input, roi: [0, 1] }
    const window = [roi[at] ?? 0, roi[at + axes.length] ?? 1] as const
    if (scales) {
      const scale = scales[at] as number
      return { input, output: Math.floor(input * scale + 1e-9), scale, length: input * scale, roi: window }
    }
    if (policy === 'stretch' || common === undefined) {
      const output = sizes?.[at] ?? input
      return { input, output, scale: output / input, length: output, roi: window }
    }
    return { input, output: Math.floor(common * input + 0.5), scale: common, length: common * input, roi: window }
  })
}

/** Whether nothing happens along an axis. */
const isKept = ({ roi, scale, output, input }: Axis): boolean =>
  roi[0] === 0 && roi[1] === 1 && scale === 1 && output === input

function resizeWith(call: Call, x: NdArray, axes: readonly Axis[], mode: string, transformation: string): NdArray {
  const coefficients = coefficientsOf(call, mode)
  let data: Float64Array = floats(x)
  const dims = [...x.dims]
  axes.forEach((axis, d) => {
    if (isKept(axis)) return
    data = resizeAxis(
      data,
      dims,
      d,
      samplesOf(call, axis, coefficients, transformation),
      call.number('extrapolation_value', 0),
    )
    dims[d] = axis.output
  })
  if (isFloating(x.dtype)) return array(x.dtype, dims, data)
  return fromNumbers(x.dtype, dims, saturated(x, data))
}

/** Interpolated integers are rounded and kept in range. */
function saturated(x: NdArray, data: Float64Array): Float64Array {
  const [low, high] = x.dtype === 'u8' ? [0, 255] : x.dtype === 'i8' ? [-128, 127] : [-Infinity, Infinity]
  return data.map((v) => Math.min(high, Math.max(low, roundHalfEven(v))))
}

function resize(call: Call): NdArray {
  const { axes, mode, transformation } = resizeForm(call)
  return resizeWith(call, call.input(0), axes, mode, transformation)
}

/** What each axis of a Resize is made of; undefined for one that stays. Reads the dims of the tensor, not its elements. */
export function resizeSamples(call: Call): readonly ((Sample | undefined)[] | undefined)[] {
  const { axes, mode, transformation } = resizeForm(call)
  const coefficients = coefficientsOf(call, mode)
  return axes.map((axis) => (isKept(axis) ? undefined : samplesOf(call, axis, coefficients, transformation)))
}

function resizeForm(call: Call): { axes: Axis[]; mode: string; transformation: string } {
  const x = call.input(0)
  const mode = call.text('mode', 'nearest')
  // Opset 10 has no region of interest: its second input is the scales.
  const old = call.opset < 11
  const list = (i: number) => {
    const input = call.optional(i)
    return input && input.data.length > 0 ? Array.from(numbers(input)) : undefined
  }
  const scales = list(old ? 1 : 2)
  const sizes = old ? undefined : list(3)
  const transformation = call.text('coordinate_transformation_mode', old ? 'asymmetric' : 'half_pixel')
  const roi = transformation === 'tf_crop_and_resize' ? (list(1) ?? []) : []
  return { axes: axesOf(call, x, roi, scales, sizes), mode, transformation }
}

/** The forerunner of Resize: scales as an attribute (7) or an input (9), coordinates divided by them. */
function upsample(call: Call): NdArray {
  const x = call.input(0)
  const input = call.optional(1)
  const scales = input ? Array.from(numbers(input)) : [...(call.numbers('scales') ?? call.fail('has no scales'))]
  const mode = call.text('mode', 'nearest')
  return resizeWith(call, x, axesOf(call, x, [], scales), mode === 'bilinear' ? 'linear' : mode, 'asymmetric')
}

/** The sampling grid of an affine transformation of the unit cube, xy(z) last. */
function affineGrid(call: Call): NdArray {
  const [theta, size] = [call.input(0), integers(call.input(1))]
  const spatial = size.slice(2)
  const n = spatial.length
  const aligned = call.flag('align_corners')
  const coordinate = (i: number, length: number) =>
    aligned ? (length === 1 ? -1 : (2 * i) / (length - 1) - 1) : (2 * i + 1) / length - 1
  const matrix = floats(theta)
  const points = sizeOf(spatial)
  const batch = size[0] as number
  const out = new Float64Array(batch * points * n)
  for (let b = 0; b < batch; b++) {
    for (let p = 0; p < points; p++) {
      let rest = p
      // x is the last spatial axis, so the point comes out in the order in which the axes are peeled off.
      const point = ramp(n, 1).map((k) => {
        const length = spatial[n - 1 - k] as number
        const i = rest % length
        rest = Math.floor(rest / length)
        return coordinate(i, length)
      })
      for (let r = 0; r < n; r++) {
        const row = (b * n + r) * (n + 1)
        let sum = matrix[row + n] as number
        for (let k = 0; k < n; k++) sum += (matrix[row + k] as number) * (point[k] as number)
        out[(b * points + p) * n + r] = sum
      }
    }
  }
  return array(theta.dtype, [batch, ...spatial, n], out)
}

export const resizers: Kernels = { Resize: resize, Upsample: upsample, AffineGrid: affineGrid }
