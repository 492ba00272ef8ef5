import { arrayOf, numbersOf, sizeOf, type Tensor } from '../../graph/tensor.ts'

/** Elements of a float tensor, without a copy where it is float32. */
export const elementsOf = (tensor: Tensor): ArrayLike<number> =>
  tensor.dtype === 'f32' ? (arrayOf(tensor) as Float32Array) : numbersOf(tensor)

/** For every index of an axis the sum of `term` over the elements of its slice; in float64. */
export function sumSlices(tensor: Tensor, axis: number, term: (element: number, at: number) => number): Float64Array {
  const { dims } = tensor
  const values = elementsOf(tensor)
  const size = dims[axis] as number
  const inner = sizeOf(dims.slice(axis + 1))
  const sums = new Float64Array(size)
  for (let at = 0, block = 0; at < values.length; block++) {
    let sum = 0
    for (const end = at + inner; at < end; at++) sum += term(values[at] as number, at)
    sums[block % size] = (sums[block % size] as number) + sum
  }
  return sums
}

/** Σ|w| or Σw² of the slices of an axis: `sumSlices` without a call for each element, for large weights. */
export function normSlices(tensor: Tensor, axis: number, power: 1 | 2): Float64Array {
  const { dims } = tensor
  const values = elementsOf(tensor)
  const size = dims[axis] as number
  const inner = sizeOf(dims.slice(axis + 1))
  const sums = new Float64Array(size)
  const count = values.length
  if (inner === 1) {
    for (let at = 0, slice = 0; at < count; at++) {
      const w = values[at] as number
      sums[slice] = (sums[slice] as number) + (power === 2 ? w * w : Math.abs(w))
      if (++slice === size) slice = 0
    }
    return sums
  }
  for (let at = 0, slice = 0; at < count;) {
    let sum = 0
    for (const end = at + inner; at < end; at++) {
      const w = values[at] as number
      sum += power === 2 ? w * w : Math.abs(w)
    }
    sums[slice] = (sums[slice] as number) + sum
    if (++slice === size) slice = 0
  }
  return sums
}

/** The slices of an axis as rows, in float64: `[size, elements of a slice]`. */
export function rowsOf(tensor: Tensor, axis: number): Float64Array[] {
  const { dims } = tensor
  const values = elementsOf(tensor)
  const size = dims[axis] as number
  const inner = sizeOf(dims.slice(axis + 1))
  const outer = sizeOf(dims.slice(0, axis))
  return Array.from({ length: size }, (_, i) => {
    const row = new Float64Array(outer * inner)
    for (let o = 0; o < outer; o++) {
      const from = (o * size + i) * inner
      for (let k = 0; k < inner; k++) row[o * inner + k] = values[from + k] as number
    }
    return row
  })
}
