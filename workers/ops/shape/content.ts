import type { Dim } from '../../graph/types.ts'
import { numbersOf, sizeOf, type Tensor } from '../../graph/tensor.ts'

/**
 * What is known of a small tensor's elements (a shape, axes, scales): row-major, each a number, a symbolic size or
 * `'?'`. Booleans are 0 and 1.
 */
export interface Content {
  readonly dims: readonly number[]
  readonly values: readonly Dim[]
}

/** Larger tensors are data, not arithmetic on shapes. */
export const MAX_CONTENT = 256

export const scalar = (value: Dim): Content => ({ dims: [], values: [value] })
export const vector = (values: readonly Dim[]): Content => ({ dims: [values.length], values })

const readable = new Set(['i64', 'i32', 'i16', 'i8', 'u8', 'u16', 'u32', 'u64', 'bool', 'f32', 'f64', 'f16', 'bf16'])

/** Also no single dimension is large: [0, 10⁹] has no elements, but nobody should walk along it. */
const isSmall = (dims: readonly number[]): boolean =>
  sizeOf(dims) <= MAX_CONTENT && dims.every((d) => Number.isInteger(d) && d >= 0 && d <= MAX_CONTENT)

/** The elements of a constant, when it is small and numeric. */
export function contentOf(tensor: Tensor): Content | undefined {
  if (!readable.has(tensor.dtype) || !isSmall(tensor.dims)) return undefined
  const values = numbersOf(tensor)
  return values.length === sizeOf(tensor.dims) ? { dims: tensor.dims, values } : undefined
}

/** All elements as numbers, when all are known. */
export const numbersIn = (content: Content | undefined): readonly number[] | undefined =>
  content?.values.every((v): v is number => typeof v === 'number' && Number.isFinite(v)) ? content.values : undefined

/** Row-major strides of a static shape. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1)
  for (let i = dims.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] ?? 1) * (dims[i + 1] ?? 1)
  return strides
}

/** A content of `dims` whose element at each index is `at(index)`; undefined when it would be too large. */
export function build(dims: readonly number[], at: (index: readonly number[]) => Dim): Content | undefined {
  if (!isSmall(dims)) return undefined
  const strides = stridesOf(dims)
  const values = Array.from({ length: sizeOf(dims) }, (_, flat) =>
    at(dims.map((d, i) => Math.floor(flat / (strides[i] ?? 1)) % d)),
  )
  return { dims, values }
}

/** The element at an index, where sizes of one repeat (broadcasting from the right). */
export function elementAt(content: Content, index: readonly number[]): Dim {
  const strides = stridesOf(content.dims)
  const offset = index.length - content.dims.length
  const flat = content.dims.reduce((sum, d, i) => sum + (d === 1 ? 0 : (index[i + offset] ?? 0)) * (strides[i] ?? 1), 0)
  return content.values[flat] ?? '?'
}
