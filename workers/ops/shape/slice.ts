import type { Dim, Shape } from '../../graph/types.ts'
import { add, ceilDivide, isNumber, less, openShape, subtract, unknownDims } from '../dims.ts'
import { requireAxis, type Call } from './call.ts'

interface SliceAttributes {
  readonly axes?: readonly number[]
  readonly starts?: readonly number[]
  readonly ends?: readonly number[]
}

/** What a Slice takes along its axes; sizes may be symbolic, undefined stands for an unknown list. */
export interface SliceBounds {
  readonly axes: readonly number[] | undefined
  readonly starts: readonly Dim[] | undefined
  readonly ends: readonly Dim[] | undefined
  readonly steps: readonly Dim[] | undefined
}

/** Attributes before opset 10, inputs 1 to 4 after. */
export function sliceBounds<A extends SliceAttributes>(c: Call<A>): SliceBounds {
  const starts = c.attr.starts ?? c.sizes(1)
  const ends = c.attr.ends ?? c.sizes(2)
  const count = (starts ?? ends ?? openShape(c.dim(1, 0)))?.length
  const inOrder = count === undefined ? undefined : Array.from({ length: count }, (_, i) => i)
  const axes = c.attr.axes ?? (c.has(3) ? c.numbers(3) : inOrder)
  const steps = c.has(4) ? c.sizes(4) : axes?.map(() => 1)
  return { axes, starts, ends, steps }
}

/** The shape after slicing input 0. */
export function sliceShape<A extends SliceAttributes>(c: Call<A>): Shape | undefined {
  const shape = c.shape(0)
  if (!shape) return undefined
  const { axes, starts, ends, steps } = sliceBounds(c)
  if (!axes) return unknownDims(shape.length)
  const result = [...shape]
  for (const [i, a] of axes.entries()) {
    const axis = requireAxis(c, a, shape.length)
    result[axis] = slicedSize(shape[axis] ?? '?', starts?.[i] ?? '?', ends?.[i] ?? '?', steps?.[i] ?? '?')
  }
  return result
}

/** Bounds from here on mean "to the end": exporters write INT32_MAX, INT64_MAX and their neighbours. */
const FAR = 2 ** 31 - 2

/** The positions that start:end:step takes of a static axis, as numpy clamps them. */
export function positions(size: number, start: number, end: number, step: number): number[] {
  const clamp = (at: number, low: number, high: number) => Math.min(Math.max(at < 0 ? at + size : at, low), high)
  const first = step > 0 ? clamp(start, 0, size) : clamp(start, -1, size - 1)
  const last = step > 0 ? clamp(end, 0, size) : clamp(end, -1, size - 1)
  const count = step === 0 ? 0 : Math.max(0, Math.ceil((last - first) / step))
  return Array.from({ length: count }, (_, i) => first + i * step)
}

/**
 * How many elements start:end:step takes. A symbolic bound is taken to lie within its axis: a program that slices
 * `[:S]` means S elements, and would not run otherwise.
 */
export function slicedSize(size: Dim, start: Dim, end: Dim, step: Dim): Dim {
  if (!isNumber(step) || step === 0 || start === '?' || end === '?') return '?'
  if (isNumber(size) && isNumber(start) && isNumber(end)) return countOf(size, start, end, step)
  const span = step > 0 ? subtract(upper(size, end), lower(size, start)) : reversedSpan(size, start, end)
  const count = ceilDivide(span, Math.abs(step))
  return less(count, 0) === true ? 0 : count
}

function countOf(size: number, start: number, end: number, step: number): number {
  const clamp = (at: number, low: number, high: number) => Math.min(Math.max(at < 0 ? at + size : at, low), high)
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1]
  return Math.max(0, Math.ceil((clamp(end, low, high) - clamp(start, low, high)) / step))
}

function upper(size: Dim, end: Dim): Dim {
  if (!isNumber(end)) return end
  if (end >= FAR) return size
  if (end < 0) return add(size, end)
  return less(size, end) === false ? end : '?'
}

function lower(size: Dim, start: Dim): Dim {
  if (!isNumber(start)) return start
  return start < 0 ? add(size, start) : start
}

/** A reversed axis is understood when it is taken whole: from −1 or beyond the end, to before the beginning. */
function reversedSpan(size: Dim, start: Dim, end: Dim): Dim {
  const whole = isNumber(start) && isNumber(end) && (start === -1 || start >= FAR) && end <= -FAR
  return whole ? size : '?'
}
