import { mapBinary, mapUnary } from '../map.ts'
import type { Call, Kernel, Kernels } from '../call.ts'
import { broadcastDims, broadcastTo, sizeOf } from '../iterate.ts'
import { allocate, array, floats, isBig, isFloating, numbers, scalar, type NdArray } from '../value.ts'
import { roundHalfEven } from '../formats.ts'
import { erf } from '../special.ts'

/** An operator on one float. */
const unary =
  (f: (x: number) => number): Kernel =>
  (call) =>
    mapUnary(call.input(0), f)

/** One that integers have too; 64-bit ones as bigints. */
const unaryAny =
  (f: (x: number) => number, big: (x: bigint) => bigint): Kernel =>
  (call) =>
    mapUnary(call.input(0), f, big)

const binary =
  (f: (a: number, b: number) => number, big?: (a: bigint, b: bigint) => bigint): Kernel =>
  (call) =>
    mapBinary(call.input(0), call.input(1), f, big)

/** Sum, Max, Min … of any number of tensors, from left to right. */
const variadic =
  (f: (a: number, b: number) => number, big: (a: bigint, b: bigint) => bigint): Kernel =>
  (call) =>
    call.rest(1).reduce((a, b) => mapBinary(a, b, f, big), call.input(0))

/** NaN wins, as in numpy. */
const max = (a: number, b: number) => (Number.isNaN(a) || Number.isNaN(b) ? NaN : a > b ? a : b)
const min = (a: number, b: number) => (Number.isNaN(a) || Number.isNaN(b) ? NaN : a < b ? a : b)
const maxBig = (a: bigint, b: bigint) => (a > b ? a : b)
const minBig = (a: bigint, b: bigint) => (a < b ? a : b)

/** Integer division truncates; by zero it is undefined in ONNX, and 0 here. */
function div(call: Call): NdArray {
  const [a, b] = [call.input(0), call.input(1)]
  if (isFloating(a.dtype)) return mapBinary(a, b, (x, y) => x / y)
  return mapBinary(
    a,
    b,
    (x, y) => (y === 0 ? 0 : Math.trunc(x / y)),
    (x, y) => (y === 0n ? 0n : x / y),
  )
}

function mul(call: Call): NdArray {
  const [a, b] = [call.input(0), call.input(1)]
  // A product of 32-bit integers wraps exactly, which a double would not.
  const f = isFloating(a.dtype) ? (x: number, y: number) => x * y : Math.imul
  return mapBinary(a, b, f, (x, y) => x * y)
}

/** `fmod=0` takes the divisor's sign (Python's %), `fmod=1` the dividend's (C's fmod). */
function mod(call: Call): NdArray {
  const [a, b] = [call.input(0), call.input(1)]
  if (call.flag('fmod')) {
    return mapBinary(
      a,
      b,
      (x, y) => x % y,
      (x, y) => (y === 0n ? 0n : x % y),
    )
  }
  const floored = (x: number, y: number) => {
    const rest = x % y
    return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest
  }
  const flooredBig = (x: bigint, y: bigint) => {
    if (y === 0n) return 0n
    const rest = x % y
    return rest !== 0n && rest < 0n !== y < 0n ? rest + y : rest
  }
  return mapBinary(a, b, floored, flooredBig)
}

/** The result has the base's dtype; exponents may have another. */
function pow(call: Call): NdArray {
  const [base, exponent] = [call.input(0), call.input(1)]
  const dims = broadcastDims(base.dims, exponent.dims)
  const [a, b] = [broadcastTo(base, dims), broadcastTo(exponent, dims)]
  const data = allocate(base.dtype, sizeOf(dims))
  if (isBig(data) && !isFloating(b.dtype)) {
    const powers = numbers(b)
    const bases = a.data as BigInt64Array
    for (let i = 0; i < data.length; i++) data[i] = (bases[i] as bigint) ** BigInt(powers[i] as number)
    return array(base.dtype, dims, data)
  }
  const [x, y] = [numbers(a), numbers(b)]
  if (isBig(data))
    for (let i = 0; i < data.length; i++) data[i] = BigInt(Math.trunc((x[i] as number) ** (y[i] as number)))
  else for (let i = 0; i < data.length; i++) (data as Float64Array)[i] = (x[i] as number) ** (y[i] as number)
  return array(base.dtype, dims, data)
}

/** Limits come as inputs since opset 11, as attributes before; where min > max, max wins. */
function clip(call: Call): NdArray {
  const x = call.input(0)
  const low = call.optional(1) ?? (call.has('min') ? scalar(x.dtype, call.number('min', 0)) : undefined)
  const high = call.optional(2) ?? (call.has('max') ? scalar(x.dtype, call.number('max', 0)) : undefined)
  const raised = low ? mapBinary(x, low, (v, l) => (v < l ? l : v), maxBig) : x
  return high ? mapBinary(raised, high, (v, h) => (v > h ? h : v), minBig) : raised
}

const mean: Kernel = (call) => {
  const sum = call.rest(1).reduce((a, b) => mapBinary(a, b, (x, y) => x + y), call.input(0))
  return mapUnary(sum, (x) => x / call.values.length)
}

/** The determinant of each matrix, by elimination with partial pivoting. */
function det(call: Call): NdArray {
  const x = call.input(0)
  const n = x.dims.at(-1) as number
  const outer = x.dims.slice(0, -2)
  const source = floats(x)
  const out = new Float64Array(sizeOf(outer))
  for (let m = 0; m < out.length; m++) out[m] = determinant(source.slice(m * n * n, (m + 1) * n * n), n)
  return array(x.dtype, outer, out)
}

function determinant(a: Float64Array, n: number): number {
  const at = (i: number, j: number) => a[i * n + j] as number
  let product = 1
  for (let k = 0; k < n; k++) {
    let pivot = k
    for (let i = k + 1; i < n; i++) if (Math.abs(at(i, k)) > Math.abs(at(pivot, k))) pivot = i
    if (at(pivot, k) === 0) return 0
    if (pivot !== k) {
      for (let j = 0; j < n; j++) [a[k * n + j], a[pivot * n + j]] = [at(pivot, j), at(k, j)]
      product = -product
    }
    product *= at(k, k)
    for (let i = k + 1; i < n; i++) {
      const factor = at(i, k) / at(k, k)
      for (let j = k; j < n; j++) a[i * n + j] = at(i, j) - factor * at(k, j)
    }
  }
  return product
}

export const elementwise: Kernels = {
  Abs: unaryAny(Math.abs, (x) => (x < 0n ? -x : x)),
  Neg: unaryAny(
    (x) => -x,
    (x) => -x,
  ),
  Sign: unaryAny(Math.sign, (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n)),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Round: unary(roundHalfEven),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((x) => 1 / x),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Erf: unary(erf),
  Sin: unary(Math.sin),
  Cos: unary(Math.cos),
  Tan: unary(Math.tan),
  Asin: unary(Math.asin),
  Acos: unary(Math.acos),
  Atan: unary(Math.atan),
  Sinh: unary(Math.sinh),
  Cosh: unary(Math.cosh),
  Tanh: unary(Math.tanh),
  Asinh: unary(Math.asinh),
  Acosh: unary(Math.acosh),
  Atanh: unary(Math.atanh),
  Add: binary(
    (a, b) => a + b,
    (a, b) => a + b,
  ),
  Sub: binary(
    (a, b) => a - b,
    (a, b) => a - b,
  ),
  Mul: mul,
  Div: div,
  Mod: mod,
  Pow: pow,
  Sum: variadic(
    (a, b) => a + b,
    (a, b) => a + b,
  ),
  Max: variadic(max, maxBig),
  Min: variadic(min, minBig),
  Mean: mean,
  Clip: clip,
  Det: det,
}
