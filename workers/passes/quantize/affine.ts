import { AlambicError } from '../../protocol/errors.ts'
import type { DType } from '../../graph/dtype.ts'

/** Integer types that a tensor can be quantized to. */
export type QuantType = 'u8' | 'i8' | 'u16' | 'i16' | 'u4' | 'i4' | 'u2' | 'i2'

/** Lowest and highest code. */
export type CodeRange = readonly [number, number]

interface TypeRanges {
  readonly full: CodeRange
  /** Codes that lie evenly around the zero point: −127…127 and not −128…127. */
  readonly symmetric: CodeRange
  /** One bit less, for kernels that add pairs of u8·s8 products in saturating 16-bit integers (AVX2 without VNNI). */
  readonly reduced: CodeRange
}

/** The codes of each type as onnxruntime's quantizer uses them (onnxruntime/quantization/quant_utils.py). */
const ranges: Readonly<Record<QuantType, TypeRanges>> = {
  u8: { full: [0, 255], symmetric: [0, 255], reduced: [0, 127] },
  i8: { full: [-128, 127], symmetric: [-127, 127], reduced: [-64, 64] },
  u16: { full: [0, 65535], symmetric: [0, 65535], reduced: [0, 32767] },
  i16: { full: [-32768, 32767], symmetric: [-32767, 32767], reduced: [-16384, 16384] },
  u4: { full: [0, 15], symmetric: [0, 15], reduced: [0, 7] },
  i4: { full: [-8, 7], symmetric: [-8, 7], reduced: [-4, 3] },
  u2: { full: [0, 3], symmetric: [0, 3], reduced: [0, 1] },
  i2: { full: [-2, 1], symmetric: [-2, 1], reduced: [-1, 0] },
}

export const isQuantType = (dtype: DType): dtype is QuantType => Object.hasOwn(ranges, dtype)

export interface AffineOptions {
  /** The range is made symmetric around 0, so that the zero point is 0 (signed) or the middle code (unsigned). */
  readonly symmetric?: boolean
  readonly reduceRange?: boolean
  /** Codes to use instead of the type's own: int4 values that are stored as int8. */
  readonly codes?: CodeRange
}

/** The codes that a type offers under the given options. */
export function codesOf(type: QuantType, { symmetric = false, reduceRange = false, codes }: AffineOptions = {}) {
  return codes ?? ranges[type][reduceRange ? 'reduced' : symmetric ? 'symmetric' : 'full']
}

/** How reals and codes of a tensor (or of one of its channels) belong together: x̂ = scale·(q − zeroPoint). */
export interface Affine {
  /** Representable in float32. */
  readonly scale: number
  readonly zeroPoint: number
}

/** The smallest normal float32: a range whose scale is below it holds nothing but zeros. */
export const TINY = 2 ** -126

/** Rounds to the nearest integer, ties to even, as QuantizeLinear does. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}

/**
 * Scale and zero point of a range of reals, which is widened to contain 0:
 * s = (max − min)/(qmax − qmin), z = rhe(qmin − min/s); symmetric: max = max|·|, z = rhe((qmin + qmax)/2). A range
 * without extent (s below the smallest normal float32) gives s = 1, z = 0. Arithmetic is that of onnxruntime's
 * quantizer, so the results are the same bits. Source: Jacob et al. 2018, arXiv:1712.05877, eq. 1.
 *
 * @throws AlambicError `quantize.range` when the range is not finite
 */
export function affineOf(min: number, max: number, type: QuantType, options: AffineOptions = {}): Affine {
  if (!Number.isFinite(min) || !Number.isFinite(max) || min > max) {
    throw new AlambicError('quantize.range', 'a range that is to be quantized is not one', {
      expected: 'two finite numbers, the smaller first',
      found: `[${min}, ${max}]`,
    })
  }
  const [qmin, qmax] = codesOf(type, options)
  const extent = Math.max(Math.abs(Math.min(min, 0)), Math.abs(Math.max(max, 0)))
  const low = options.symmetric ? -extent : Math.min(min, 0)
  const high = options.symmetric ? extent : Math.max(max, 0)
  const scale = (high - low) / (qmax - qmin)
  if (scale < TINY) return { scale: 1, zeroPoint: 0 }
  const zeroPoint = roundHalfEven(options.symmetric ? (qmin + qmax) / 2 : qmin - low / scale)
  return { scale: Math.fround(scale), zeroPoint }
}

/** The code of a real number: clamp(rhe(x/s) + z), the quotient in float32 as every engine divides. */
export function quantize(x: number, { scale, zeroPoint }: Affine, [qmin, qmax]: CodeRange): number {
  return Math.min(qmax, Math.max(qmin, roundHalfEven(Math.fround(x / scale)) + zeroPoint))
}

/** The real number of a code. */
export const dequantize = (code: number, { scale, zeroPoint }: Affine): number =>
  Math.fround(scale * (code - zeroPoint))

/** What is left of a number after quantization. */
export const fakeQuantize = (x: number, affine: Affine, codes: CodeRange): number =>
  dequantize(quantize(x, affine, codes), affine)

/** More codes than this on one side would not fit the int32 in which biases are stored. */
const INT32_SPAN = 2 ** 32 - 2
const BIAS_MARGIN = 1.0001

/**
 * The weight scale that a channel needs so that its bias fits an int32 with the scale s_x·s_w:
 * s_w is raised until s_x·s_w ≥ 1.0001·2|b|/(2³² − 2); unchanged where it is large enough.
 */
export function weightScaleForBias(weightScale: number, inputScale: number, bias: number): number {
  const least = (BIAS_MARGIN * 2 * Math.abs(bias)) / INT32_SPAN
  const own = inputScale * weightScale
  return own < least && own > 0 ? Math.fround(weightScale * (least / own)) : weightScale
}

/** Code and scale of a bias: int32, s_b = s_x·s_w in float32, zero point 0. */
export function quantizeBias(bias: number, inputScale: number, weightScale: number): { code: number; scale: number } {
  const scale = Math.fround(Math.fround(inputScale) * Math.fround(weightScale))
  if (scale === 0) return { code: 0, scale: 1 }
  const code = Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), roundHalfEven(bias / scale)))
  return { code: code === 0 ? 0 : code, scale }
}
