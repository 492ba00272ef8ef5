import type { DType } from '../../graph/dtype.ts'

/** How a small binary float lays out its bits, and what it can hold. */
interface FloatFormat {
  readonly mantissaBits: number
  readonly bias: number
  /** The largest finite magnitude. */
  readonly max: number
  readonly hasInfinity: boolean
  /** `fnuz` formats have one zero and one NaN, at the pattern of -0. */
  readonly unsignedZero: boolean
  readonly signBit: number
  /** The pattern of NaN; formats of 6 bits and less have neither NaN nor infinity and saturate. */
  readonly nan: number | undefined
}

/** Sources: IEEE 754 (f16); Micikevicius et al. 2022, arXiv:2209.05433 (f8); OCP Microscaling 1.0 (f6, f4). */
export const floatFormats = {
  f16: format(10, 15, 65504, { hasInfinity: true, signBit: 0x8000, nan: 0x7e00 }),
  bf16: format(7, 127, 2 ** 127 * (2 - 2 ** -7), { hasInfinity: true, signBit: 0x8000, nan: 0x7fc0 }),
  f8e4m3fn: format(3, 7, 448, { nan: 0x7f }),
  f8e4m3fnuz: format(3, 8, 240, { unsignedZero: true, nan: 0x80 }),
  f8e5m2: format(2, 15, 57344, { hasInfinity: true, nan: 0x7f }),
  f8e5m2fnuz: format(2, 16, 57344, { unsignedZero: true, nan: 0x80 }),
  f6e2m3: format(3, 1, 7.5, { signBit: 32 }),
  f6e3m2: format(2, 3, 28, { signBit: 32 }),
  f4e2m1: format(1, 1, 6, { signBit: 8 }),
} as const satisfies Partial<Record<DType, FloatFormat>>

export type SmallFloat = keyof typeof floatFormats

function format(mantissaBits: number, bias: number, max: number, rest: Partial<FloatFormat>): FloatFormat {
  return { mantissaBits, bias, max, hasInfinity: false, unsignedZero: false, signBit: 0x80, nan: undefined, ...rest }
}

/** Rounds to the nearest integer, halves to the even one, as ONNX Round and QuantizeLinear do. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x)
  const rest = x - below
  if (rest < 0.5) return below
  if (rest > 0.5) return below + 1
  return below % 2 === 0 ? below : below + 1
}

const doubleBits = new DataView(new ArrayBuffer(8))
/** The exponent e of a normal double |x| = 1.m · 2^e. */
export function exponentOf(x: number): number {
  doubleBits.setFloat64(0, x)
  return ((doubleBits.getUint16(0) >> 4) & 0x7ff) - 1023
}

/**
 * The nearest value of a small float format, halves to the even mantissa. Magnitudes that round beyond the largest
 * become that largest (`saturate`), else infinity, or NaN where the format has none.
 */
export function roundToFormat(x: number, dtype: SmallFloat, saturate = false): number {
  const { mantissaBits, bias, max, hasInfinity, unsignedZero, nan }: FloatFormat = floatFormats[dtype]
  if (Number.isNaN(x)) return nan === undefined ? 0 : x
  const overflow = saturate || nan === undefined ? max : hasInfinity ? Infinity : NaN
  if (!Number.isFinite(x)) return x > 0 ? overflow : -overflow
  if (x === 0) return unsignedZero ? 0 : x
  const step = 2 ** (Math.max(exponentOf(x), 1 - bias) - mantissaBits)
  const rounded = roundHalfEven(x / step) * step
  if (Math.abs(rounded) > max) return x > 0 ? overflow : -overflow
  if (rounded === 0) return unsignedZero || x > 0 ? 0 : -0
  return rounded
}

/** The bit pattern of a value that the format holds exactly. */
export function encodeFormat(x: number, dtype: SmallFloat): number {
  const { mantissaBits, bias, max, signBit, nan }: FloatFormat = floatFormats[dtype]
  if (Number.isNaN(x)) return nan ?? 0
  const sign = x < 0 || Object.is(x, -0) ? signBit : 0
  const magnitude = Math.abs(x)
  if (magnitude === Infinity) return sign | ((exponentOf(max) + bias + 1) << mantissaBits)
  const exponent = Math.max(exponentOf(magnitude), 1 - bias)
  const steps = magnitude / 2 ** (exponent - mantissaBits)
  const hidden = 1 << mantissaBits
  return steps < hidden ? sign | steps : sign | ((exponent + bias) << mantissaBits) | (steps - hidden)
}

/** The value of a bit pattern. */
export function decodeFormat(pattern: number, dtype: SmallFloat): number {
  const { mantissaBits, bias, max, hasInfinity, unsignedZero, signBit } = floatFormats[dtype]
  if (unsignedZero && pattern === signBit) return NaN
  const sign = pattern & signBit ? -1 : 1
  const exponent = (pattern & (signBit - 1)) >> mantissaBits
  const mantissa = pattern & ((1 << mantissaBits) - 1)
  const unit = 2 ** (Math.max(exponent, 1) - bias - mantissaBits)
  const magnitude = (exponent === 0 ? mantissa : mantissa + (1 << mantissaBits)) * unit
  if (magnitude <= max) return sign * magnitude
  return hasInfinity && mantissa === 0 ? sign * Infinity : NaN
}

/** How a value between two powers of two becomes one of them (Cast's `round_mode`). */
export type PowerRounding = 'up' | 'down' | 'nearest'

/** The nearest float8e8m0 value: a power of two from 2^-127 to 2^127; everything else is NaN or saturates. */
export function roundToPower(x: number, rounding: PowerRounding = 'nearest', saturate = true): number {
  const magnitude = Math.abs(x)
  if (Number.isNaN(x) || (magnitude === Infinity && !saturate)) return NaN
  if (magnitude < 2 ** -127) return 2 ** -127
  const exponent = magnitude === Infinity ? 128 : exponentOf(magnitude)
  const rest = magnitude / 2 ** exponent
  const raise = rounding === 'up' ? rest > 1 : rounding === 'nearest' && rest >= 1.5
  const rounded = exponent + (raise ? 1 : 0)
  if (rounded <= 127) return 2 ** rounded
  return saturate ? 2 ** 127 : NaN
}
