import { compare, mapBinary, mapUnary, test } from '../map.ts'
import type { Call, Kernel, Kernels } from '../call.ts'
import type { NdArray } from '../value.ts'

type Ordered = number | bigint | string

const relation =
  (holds: (a: Ordered, b: Ordered) => boolean): Kernel =>
  (call) =>
    compare(call.input(0), call.input(1), (a, b) => holds(a as Ordered, b as Ordered))

const logical =
  (f: (a: number, b: number) => number): Kernel =>
  (call) =>
    mapBinary(call.input(0), call.input(1), f)

const bitwise =
  (f: (a: number, b: number) => number, big: (a: bigint, b: bigint) => bigint): Kernel =>
  (call) =>
    mapBinary(call.input(0), call.input(1), f, big)

const bitsOf: Partial<Record<string, number>> = { u8: 8, u16: 16, u32: 32, u64: 64, i8: 8, i16: 16, i32: 32, i64: 64 }

/** Shifting by the width or more, or by less than nothing, leaves nothing (or the sign); JavaScript would wrap. */
function bitShift(call: Call): NdArray {
  const [x, by] = [call.input(0), call.input(1)]
  const bits = bitsOf[x.dtype] ?? call.wrongDtype(x.dtype)
  const left = call.text('direction', '') === 'LEFT'
  const signed = x.dtype.startsWith('i')
  const all = (a: number) => (!left && signed && a < 0 ? -1 : 0)
  const shift = (a: number, n: number) => {
    if (n < 0 || n >= bits) return all(a)
    return left ? a << n : signed ? a >> n : a >>> n
  }
  const shiftBig = (a: bigint, n: bigint) => {
    if (n < 0n || n >= BigInt(bits)) return BigInt(all(Number(a)))
    return left ? a << n : a >> n
  }
  return mapBinary(x, by, shift, shiftBig)
}

function isInf(call: Call): NdArray {
  const [positive, negative] = [call.flag('detect_positive', true), call.flag('detect_negative', true)]
  return test(call.input(0), (x) => (positive && x === Infinity) || (negative && x === -Infinity))
}

export const logic: Kernels = {
  Equal: relation((a, b) => a === b),
  Greater: relation((a, b) => a > b),
  GreaterOrEqual: relation((a, b) => a >= b),
  Less: relation((a, b) => a < b),
  LessOrEqual: relation((a, b) => a <= b),
  And: logical((a, b) => a & b),
  Or: logical((a, b) => a | b),
  Xor: logical((a, b) => a ^ b),
  Not: (call) => mapUnary(call.input(0), (x) => x ^ 1),
  BitwiseAnd: bitwise(
    (a, b) => a & b,
    (a, b) => a & b,
  ),
  BitwiseOr: bitwise(
    (a, b) => a | b,
    (a, b) => a | b,
  ),
  BitwiseXor: bitwise(
    (a, b) => a ^ b,
    (a, b) => a ^ b,
  ),
  BitwiseNot: (call) =>
    mapUnary(
      call.input(0),
      (x) => ~x,
      (x) => ~x,
    ),
  BitShift: bitShift,
  IsInf: isInf,
  IsNaN: (call) => test(call.input(0), Number.isNaN),
}
