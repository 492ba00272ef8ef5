import { dtypeOf, type DType } from '../../../graph/dtype.ts'
import type { Call, Kernels } from '../call.ts'
import { addBias } from '../convolution.ts'
import { roundHalfEven, roundToFormat, type SmallFloat } from '../formats.ts'
import { around, normalizeAxis, sizeOf, stridesOf, transpose } from '../iterate.ts'
import { array, floatArray, floats, fromNumbers, isFloating, numbers, type NdArray } from '../value.ts'
import { centred, convolved } from './conv.ts'
import { multiply } from './matmul.ts'

const integerRanges: Partial<Record<DType, readonly [number, number]>> = {
  u8: [0, 255],
  i8: [-128, 127],
  u16: [0, 65535],
  i16: [-32768, 32767],
  u4: [0, 15],
  i4: [-8, 7],
  u2: [0, 3],
  i2: [-2, 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
}

/**
 * Which scale belongs to each element of a tensor: one for all, one per index along an axis, or one per block of
 * `block` elements along it (then the scales have the tensor's rank).
 */
function scaleIndex(parameter: NdArray, dims: readonly number[], axis: number, block: number): (i: number) => number {
  if (parameter.data.length === 1) return () => 0
  const { size, inner } = around(dims, axis)
  if (block === 0) return (i) => Math.floor(i / inner) % size
  const [own, strides] = [stridesOf(parameter.dims), stridesOf(dims)]
  return (i) =>
    dims.reduce((sum, length, d) => {
      const c = Math.floor(i / (strides[d] as number)) % length
      return sum + (d === axis ? Math.floor(c / block) : c) * (own[d] as number)
    }, 0)
}

const axisOf = (call: Call, x: NdArray, scale: NdArray): number =>
  scale.data.length === 1 ? 0 : normalizeAxis(call.number('axis', 1), x.dims.length)

/** How the quotient x/s is rounded before it is rounded to an integer: in x's precision, as every engine divides. */
const quotientRounding = (dtype: DType, exact: boolean): ((v: number) => number) => {
  if (dtype === 'f16' || dtype === 'bf16') return (v) => roundToFormat(v, dtype)
  return dtype === 'f64' || exact ? (v) => v : Math.fround
}

/** clamp(rhe(x/s) + z); float8 and float4 round to their own nearest value instead. */
function quantizeLinear(call: Call): NdArray {
  const [x, scale, zero] = [call.input(0), call.input(1), call.optional(2)]
  const dtype = zero?.dtype ?? dtypeOf(call.number('output_dtype', 0)) ?? 'u8'
  const indexOf = scaleIndex(scale, x.dims, axisOf(call, x, scale), call.number('block_size', 0))
  const divided = quotientRounding(dtypeOf(call.number('precision', 0)) ?? x.dtype, call.exact)
  const [values, scales, zeros] = [numbers(x), numbers(scale), zero && numbers(zero)]
  const quotient = (i: number) => divided((values[i] as number) / (scales[indexOf(i)] as number))
  const shift = (i: number) => (zeros ? (zeros[zeros.length === 1 ? 0 : indexOf(i)] as number) : 0)
  if (isFloating(dtype)) {
    const saturate = call.flag('saturate', true)
    const data = Float64Array.from({ length: values.length }, (_, i) =>
      roundToFormat(quotient(i) + shift(i), dtype as SmallFloat, saturate),
    )
    return floatArray(dtype, x.dims, data)
  }
  const [low, high] = integerRanges[dtype] ?? call.wrongDtype(dtype)
  const data = Float64Array.from({ length: values.length }, (_, i) =>
    Math.min(high, Math.max(low, roundHalfEven(quotient(i)) + shift(i))),
  )
  return fromNumbers(dtype, x.dims, data)
}

/** (q − z)·s */
function dequantizeLinear(call: Call): NdArray {
  const [x, scale, zero] = [call.input(0), call.input(1), call.optional(2)]
  const indexOf = scaleIndex(scale, x.dims, axisOf(call, x, scale), call.number('block_size', 0))
  const [values, scales, zeros] = [numbers(x), numbers(scale), zero && numbers(zero)]
  const data = Float64Array.from({ length: values.length }, (_, i) => {
    const k = indexOf(i)
    return ((values[i] as number) - (zeros ? (zeros[zeros.length === 1 ? 0 : k] as number) : 0)) * (scales[k] as number)
  })
  return floatArray(dtypeOf(call.number('output_dtype', 0)) ?? scale.dtype, x.dims, data)
}

/** Scale and zero point from the tensor's own range, which is made to contain 0. */
export function dynamicQuantize(x: NdArray): [NdArray, NdArray, NdArray] {
  const values = floats(x)
  const round = Math.fround
  let [low, high] = [0, 0]
  for (const v of values) {
    if (v < low) low = v
    if (v > high) high = v
  }
  const scale = low === high ? round(1 / 255) : round(round(high - low) / 255)
  const zero = roundHalfEven(Math.min(255, Math.max(0, round(-low / scale))))
  const data = values.map((v) => Math.min(255, Math.max(0, roundHalfEven(round(v / scale)) + zero)))
  return [fromNumbers('u8', x.dims, data), floatArray('f32', [], Float64Array.of(scale)), fromNumbers('u8', [], [zero])]
}

/** Real numbers as a tensor of the zero point's dtype: clamp(rhe(v/s) + z), the quotient in float32. */
export function requantize(
  values: ArrayLike<number>,
  dims: readonly number[],
  scale: NdArray,
  zero: NdArray | undefined,
): NdArray {
  const dtype = zero?.dtype ?? 'u8'
  const [low, high] = integerRanges[dtype] ?? [-Infinity, Infinity]
  const s = numbers(scale)[0] as number
  const z = zero ? (numbers(zero)[0] as number) : 0
  const data = Float64Array.from(values, (v) => Math.min(high, Math.max(low, roundHalfEven(Math.fround(v / s)) + z)))
  return fromNumbers(dtype, dims, data)
}

/** (q − z)·s with one scale for all, in float32. */
export function dequantized(x: NdArray, scale: NdArray, zero: NdArray | undefined): Float64Array {
  const s = numbers(scale)[0] as number
  return centred(x, zero, 0).map((v) => Math.fround(v * s))
}

/** The bias is int32 in units of x's scale times w's; zero points are per tensor, w's scale may be per channel. */
function qLinearConv(call: Call): NdArray {
  const [x, w] = [call.input(0), call.input(3)]
  const bias = call.optional(8)
  const { dims, data } = convolved(call, x, w, centred(x, call.optional(2), 1), centred(w, call.optional(5), 0))
  const plane = sizeOf(dims.slice(2))
  const sums = bias ? addBias(data, numbers(bias), plane) : data
  const xScale = numbers(call.input(1))[0] as number
  const wScales = numbers(call.input(4))
  const channels = dims[1] as number
  const real = sums.map(
    (v, i) => v * xScale * (wScales[wScales.length === 1 ? 0 : Math.floor(i / plane) % channels] as number),
  )
  return requantize(real, dims, call.input(6), call.optional(7))
}

/** A's scale may be one per row, B's one per column. */
function qLinearMatMul(call: Call): NdArray {
  const [a, b] = [call.input(0), call.input(3)]
  const [aScale, bScale] = [numbers(call.input(1)), numbers(call.input(4))]
  const { dims, data } = multiply(
    a.dims,
    centred(a, call.optional(2), a.dims.length - 2),
    b.dims,
    centred(b, call.optional(5), b.dims.length - 1),
    call,
  )
  return requantize(scaledProduct(dims, data, aScale, bScale), dims, call.input(6), call.optional(7))
}

/** An integer matrix product in real units. */
export function scaledProduct(
  dims: readonly number[],
  data: Float64Array,
  aScale: ArrayLike<number>,
  bScale: ArrayLike<number>,
): Float64Array {
  const n = dims.at(-1) ?? 1
  const m = dims.at(-2) ?? 1
  return data.map(
    (v, i) =>
      v *
      (aScale[aScale.length === 1 ? 0 : Math.floor(i / n) % m] as number) *
      (bScale[bScale.length === 1 ? 0 : i % n] as number),
  )
}

/**
 * A [.., K] times the transpose of a matrix quantized in blocks along K: B u8 [N, ⌈K/block⌉, block·bits/8], low bits
 * first, scales [N·⌈K/block⌉], zero points packed alike per row (or as floats), 2^(bits−1) unless given.
 */
function matMulNBits(call: Call): NdArray {
  const [a, b, scales] = [call.input(0), call.input(1), floats(call.input(2))]
  const [zero, bias] = [call.optional(3), call.optional(5)]
  const [k, n, bits, block] = ['K', 'N', 'bits', 'block_size'].map((name) =>
    call.number(name, name === 'bits' ? 4 : 0),
  ) as [number, number, number, number]
  const group = call.optional(4)
  const groups = group && numbers(group)
  const blocks = Math.ceil(k / block)
  const packed = numbers(b)
  const code = (bytes: ArrayLike<number>, rowBytes: number, row: number, i: number) => {
    const bit = i * bits
    return ((bytes[row * rowBytes + (bit >> 3)] as number) >> (bit & 7)) & ((1 << bits) - 1)
  }
  const rowBytes = blocks * ((block * bits) / 8)
  const zeroRowBytes = Math.ceil((blocks * bits) / 8)
  const zeroOf = (row: number, at: number) => {
    if (!zero) return 2 ** (bits - 1)
    return isFloating(zero.dtype)
      ? (floats(zero)[row * blocks + at] as number)
      : code(numbers(zero), zeroRowBytes, row, at)
  }
  const weight = new Float64Array(k * n)
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < k; i++) {
      const at = groups ? (groups[i] as number) : Math.floor(i / block)
      weight[i * n + row] = (code(packed, rowBytes, row, i) - zeroOf(row, at)) * (scales[row * blocks + at] as number)
    }
  }
  const { dims, data } = multiply(a.dims, floats(a), [k, n], weight, call)
  return floatArray(a.dtype, dims, bias ? addBias(data, floats(bias), 1) : data)
}

/** α·A'·B' + C in integers, put out as reals or, with y's scale, quantized again. */
function qGemm(call: Call): NdArray {
  const flip = (x: NdArray, attribute: string) => (call.flag(attribute) ? transpose(x, [1, 0]) : x)
  const plain = (x: NdArray, zero: NdArray | undefined) =>
    floatArray('f64', x.dims, centred(x, zero, x.dims.length - 1))
  const [a, b] = [call.input(0), call.input(3)]
  const bZero = call.optional(5)
  const left = flip(plain(a, call.optional(2)), 'transA')
  const bTransposed = flip(b, 'transB')
  const right = plain(bTransposed, bZero)
  const { dims, data } = multiply(left.dims, floats(left), right.dims, floats(right), call)
  const [c, yScale] = [call.optional(6), call.optional(7)]
  const sums = c ? addBias(data, numbers(c), c.data.length === 1 ? data.length : 1) : data
  const real = scaledProduct(dims, sums, numbers(call.input(1)), numbers(call.input(4))).map(
    (v) => v * call.number('alpha', 1),
  )
  return yScale ? requantize(real, dims, yScale, call.optional(8)) : array('f32', dims, real)
}

export const quantizers: Kernels = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  DynamicQuantizeLinear: (call) => dynamicQuantize(call.input(0)),
  QLinearConv: qLinearConv,
  QLinearMatMul: qLinearMatMul,
}

export const contribQuantizers: Kernels = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  MatMulNBits: matMulNBits,
  QGemm: qGemm,
}
