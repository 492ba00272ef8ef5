import { AlambicError } from '../../protocol/errors.ts'
import type { DType } from '../../graph/dtype.ts'
import { broadcastDims, broadcastOffsets, sameDims, sizeOf } from './iterate.ts'
import { allocate, array, isBig, numbers, type NdArray, type NumberArray } from './value.ts'

const noBig = (x: NdArray) => new AlambicError('reference.dtype', `this operator does not take ${x.dtype} tensors`)

/** A function of every element; the dtype stays. 64-bit integers go through `big`. */
export function mapUnary(x: NdArray, f: (x: number) => number, big?: (x: bigint) => bigint): NdArray {
  const data = allocate(x.dtype, x.data.length)
  if (isBig(data)) {
    if (!big) throw noBig(x)
    const from = x.data as BigInt64Array
    for (let i = 0; i < data.length; i++) data[i] = big(from[i] as bigint)
  } else {
    const from = numbers(x)
    const to = data as NumberArray
    for (let i = 0; i < to.length; i++) to[i] = f(from[i] as number)
  }
  return array(x.dtype, x.dims, data)
}

/** Where the elements of two tensors lie that meet at each element of their broadcast; undefined for "at the same". */
function meeting(a: NdArray, b: NdArray): { dims: number[]; at: Int32Array | undefined; bt: Int32Array | undefined } {
  const dims = broadcastDims(a.dims, b.dims)
  return {
    dims,
    at: sameDims(a.dims, dims) ? undefined : broadcastOffsets(a.dims, dims),
    bt: sameDims(b.dims, dims) ? undefined : broadcastOffsets(b.dims, dims),
  }
}

/** A function of pairs of elements of two tensors of one dtype, with broadcasting; the dtype stays. */
export function mapBinary(
  a: NdArray,
  b: NdArray,
  f: (a: number, b: number) => number,
  big?: (a: bigint, b: bigint) => bigint,
): NdArray {
  const { dims, at, bt } = meeting(a, b)
  const n = sizeOf(dims)
  const data = allocate(a.dtype, n)
  if (isBig(data)) {
    if (!big || !isBig(b.data)) throw noBig(b)
    const [x, y] = [a.data as BigInt64Array, b.data as BigInt64Array]
    for (let i = 0; i < n; i++) {
      data[i] = big(x[at ? (at[i] as number) : i] as bigint, y[bt ? (bt[i] as number) : i] as bigint)
    }
  } else {
    const [x, y, to] = [numbers(a), numbers(b), data as NumberArray]
    for (let i = 0; i < n; i++) {
      to[i] = f(x[at ? (at[i] as number) : i] as number, y[bt ? (bt[i] as number) : i] as number)
    }
  }
  return array(a.dtype, dims, data)
}

/** A relation between elements of two tensors of one dtype, whatever it is; the result is bool. */
export function compare(a: NdArray, b: NdArray, holds: (a: unknown, b: unknown) => boolean): NdArray {
  const { dims, at, bt } = meeting(a, b)
  const out = new Uint8Array(sizeOf(dims))
  const [x, y] = [a.data as ArrayLike<unknown>, b.data as ArrayLike<unknown>]
  for (let i = 0; i < out.length; i++) {
    out[i] = holds(x[at ? (at[i] as number) : i], y[bt ? (bt[i] as number) : i]) ? 1 : 0
  }
  return array('bool', dims, out)
}

/** Whether something holds of every element, as numbers; the result is bool. */
export function test(x: NdArray, holds: (x: number) => boolean): NdArray {
  return array(
    'bool',
    x.dims,
    Uint8Array.from(numbers(x), (v) => (holds(v) ? 1 : 0)),
  )
}

/** A tensor with the same elements under another dtype; floats are rounded later, when they are stored. */
export function relabel(x: NdArray, dtype: DType): NdArray {
  return array(dtype, x.dims, Float64Array.from(numbers(x)))
}
