import type { Call, Kernel, Kernels } from '../call.ts'
import { around, normalizeAxis, sizeOf } from '../iterate.ts'
import {
  allocate,
  array,
  floats,
  fromNumbers,
  int64s,
  integers,
  isBig,
  isFloating,
  numbers,
  type BigArray,
  type NdArray,
} from '../value.ts'
import { groupIndex } from './normalization.ts'

interface Reduction {
  readonly start: number
  readonly step: (sum: number, x: number) => number
  readonly end?: (sum: number, count: number) => number
  /** 64-bit integers, where the reduction makes sense of them exactly. */
  readonly big?: (sum: bigint, x: bigint) => bigint
  /** What the smallest or largest reduce to when there is nothing, per dtype. */
  readonly empty?: 'lowest' | 'highest'
}

/** The axes of a reduction: an input since opset 13 (ReduceSum) or 18, an attribute before; none means all. */
function axesOf(call: Call, rank: number): { axes: Set<number>; noop: boolean } {
  const given = call.intsFrom(1, 'axes')
  const empty = given === undefined || given.length === 0
  const axes = empty ? Array.from({ length: rank }, (_, d) => d) : given.map((a) => normalizeAxis(a, rank))
  return { axes: new Set(axes), noop: empty && call.flag('noop_with_empty_axes') }
}

const keptDims = (dims: readonly number[], axes: ReadonlySet<number>, keep: boolean): number[] =>
  keep ? dims.map((d, i) => (axes.has(i) ? 1 : d)) : dims.filter((_, i) => !axes.has(i))

const reduceBy =
  (reduction: Reduction): Kernel =>
  (call) => {
    const x = call.input(0)
    const { axes, noop } = axesOf(call, x.dims.length)
    if (noop) return reduceElements(x, reduction)
    const groupOf = groupIndex(x.dims, axes)
    const dims = keptDims(x.dims, axes, call.flag('keepdims', true))
    if (isBig(x.data) && reduction.big) return reduceBig(x.data, x, groupOf, dims, reduction.big)
    const sums = new Float64Array(sizeOf(dims)).fill(startOf(reduction, x))
    const values = numbers(x)
    for (let i = 0; i < values.length; i++) {
      const g = groupOf[i] as number
      sums[g] = reduction.step(sums[g] as number, values[i] as number)
    }
    const count = values.length / sums.length
    const { end } = reduction
    return store(x, dims, end ? sums.map((sum) => end(sum, count)) : sums)
  }

const store = (x: NdArray, dims: readonly number[], sums: Float64Array): NdArray =>
  isFloating(x.dtype) ? array(x.dtype, dims, sums) : fromNumbers(x.dtype, dims, sums)

/** With nothing to reduce over, an operator still does to each element what it does to a sum of one. */
function reduceElements(x: NdArray, { start, step, end }: Reduction): NdArray {
  const data = Float64Array.from(numbers(x), (v) => (end ? end(step(start, v), 1) : step(start, v)))
  return store(x, x.dims, data)
}

/** The smallest and largest numbers of the integer types; infinities for floats. */
const limits: Partial<Record<string, readonly [number, number]>> = {
  bool: [0, 1],
  u8: [0, 255],
  i8: [-128, 127],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
}

function startOf({ start, empty }: Reduction, x: NdArray): number {
  if (!empty) return start
  const [low, high] = limits[x.dtype] ?? [-Infinity, Infinity]
  return empty === 'lowest' ? low : high
}

function reduceBig(
  values: BigArray,
  x: NdArray,
  groupOf: Int32Array,
  dims: readonly number[],
  step: (sum: bigint, x: bigint) => bigint,
): NdArray {
  const out = allocate(x.dtype, sizeOf(dims)) as BigInt64Array
  const seen = new Uint8Array(out.length)
  for (let i = 0; i < values.length; i++) {
    const g = groupOf[i] as number
    const value = values[i] as bigint
    out[g] = seen[g]
      ? step(out[g] as bigint, value)
      : step === sumSquareBig
        ? value * value
        : step === l1Big
          ? l1Big(0n, value)
          : value
    seen[g] = 1
  }
  // An empty product is one; every other empty reduction of integers is zero here.
  if (step === productBig) seen.forEach((s, g) => s || (out[g] = 1n))
  return array(x.dtype, dims, out)
}

const productBig = (a: bigint, b: bigint) => a * b
const sumSquareBig = (a: bigint, b: bigint) => a + b * b
const l1Big = (a: bigint, b: bigint) => a + (b < 0n ? -b : b)

/** log Σ exp of each group, about its maximum so that nothing overflows. */
function reduceLogSumExp(call: Call): NdArray {
  const x = call.input(0)
  const { axes, noop } = axesOf(call, x.dims.length)
  if (noop) return x
  const groupOf = groupIndex(x.dims, axes)
  const dims = keptDims(x.dims, axes, call.flag('keepdims', true))
  const values = floats(x)
  const largest = new Float64Array(sizeOf(dims)).fill(-Infinity)
  values.forEach((v, i) => (largest[groupOf[i] as number] = Math.max(largest[groupOf[i] as number] as number, v)))
  const sums = new Float64Array(largest.length)
  values.forEach((v, i) => {
    const g = groupOf[i] as number
    const about = largest[g] as number
    sums[g] = (sums[g] as number) + (Number.isFinite(about) ? Math.exp(v - about) : v === about ? 1 : 0)
  })
  return store(
    x,
    dims,
    sums.map((sum, g) => (sum === 0 ? -Infinity : (largest[g] as number) + Math.log(sum))),
  )
}

/** The position of the extreme along an axis: the first one, or the last with `select_last_index`. */
const argExtreme =
  (better: (a: number | bigint, b: number | bigint) => boolean): Kernel =>
  (call) => {
    const x = call.input(0)
    const axis = normalizeAxis(call.number('axis', 0), x.dims.length)
    const { outer, size, inner } = around(x.dims, axis)
    const last = call.flag('select_last_index')
    const data = x.data as ArrayLike<number | bigint>
    const out: number[] = []
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const at = (k: number) => data[(o * size + k) * inner + i] as number | bigint
        let best = 0
        for (let k = 1; k < size; k++) if (better(at(k), at(best)) || (last && at(k) === at(best))) best = k
        out.push(best)
      }
    }
    return int64s(out, keptDims(x.dims, new Set([axis]), call.flag('keepdims', true)))
  }

/** A running sum or product along an axis, which is an input; `exclusive` leaves the element itself out. */
const cumulative =
  (start: number, step: (sum: number, x: number) => number): Kernel =>
  (call) => {
    const x = call.input(0)
    const axis = normalizeAxis(integers(call.input(1))[0] as number, x.dims.length)
    const { outer, size, inner } = around(x.dims, axis)
    const [exclusive, reverse] = [call.flag('exclusive'), call.flag('reverse')]
    const values = numbers(x)
    const out = new Float64Array(values.length)
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let sum = start
        for (let n = 0; n < size; n++) {
          const at = (o * size + (reverse ? size - 1 - n : n)) * inner + i
          const next = step(sum, values[at] as number)
          out[at] = exclusive ? sum : next
          sum = next
        }
      }
    }
    return store(x, x.dims, out)
  }

const sum = (a: number, b: number) => a + b
const nan = (a: number, b: number) => Number.isNaN(a) || Number.isNaN(b)

export const reductions: Kernels = {
  ReduceSum: reduceBy({ start: 0, step: sum, big: (a, b) => a + b }),
  ReduceMean: reduceBy({ start: 0, step: sum, end: (s, n) => s / n }),
  ReduceProd: reduceBy({ start: 1, step: (a, b) => a * b, big: productBig }),
  ReduceMax: reduceBy({
    start: -Infinity,
    empty: 'lowest',
    step: (a, b) => (nan(a, b) ? NaN : a > b ? a : b),
    big: (a, b) => (a > b ? a : b),
  }),
  ReduceMin: reduceBy({
    start: Infinity,
    empty: 'highest',
    step: (a, b) => (nan(a, b) ? NaN : a < b ? a : b),
    big: (a, b) => (a < b ? a : b),
  }),
  ReduceL1: reduceBy({ start: 0, step: (a, b) => a + Math.abs(b), big: l1Big }),
  ReduceL2: reduceBy({ start: 0, step: (a, b) => a + b * b, end: Math.sqrt }),
  ReduceSumSquare: reduceBy({ start: 0, step: (a, b) => a + b * b, big: sumSquareBig }),
  ReduceLogSum: reduceBy({ start: 0, step: sum, end: Math.log }),
  ReduceLogSumExp: reduceLogSumExp,
  ArgMax: argExtreme((a, b) => a > b),
  ArgMin: argExtreme((a, b) => a < b),
  CumSum: cumulative(0, sum),
  CumProd: cumulative(1, (a, b) => a * b),
}
