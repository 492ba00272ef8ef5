import { dtypes } from '../../graph/dtype.ts'
import { asTensor, type Dim, type ValueType } from '../../graph/types.ts'
import { add, ceilDivide, multiply, product } from '../dims.ts'

/** Bytes of a tensor of this type, sub-byte elements packed; `'?'` when its dtype or shape is unknown. */
export function bytesOf(type: ValueType | undefined): Dim {
  const tensor = asTensor(type)
  if (!tensor?.dtype || !tensor.shape) return '?'
  const { bits } = dtypes[tensor.dtype]
  const count = product(tensor.shape)
  return bits % 8 === 0 ? multiply(count, bits / 8) : ceilDivide(multiply(count, bits), 8)
}

/** Operators that give the same memory another shape or name, or only look at a shape. */
const views = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity', 'Shape', 'Size', 'Constant'])
/** Operators that read only what they put out (and their indices). */
const pickers = new Set(['Gather', 'GatherElements', 'GatherND', 'Slice', 'Split', 'GatherBlockQuantized'])

/** Bytes that a call reads and writes when every tensor is moved once. */
export function bytesMoved(
  op: string,
  inputs: readonly (ValueType | undefined)[],
  outputs: readonly (ValueType | undefined)[],
): Dim {
  if (views.has(op)) return 0
  const written = outputs.map(bytesOf).reduce<Dim>(add, 0)
  if (!pickers.has(op)) return inputs.map(bytesOf).reduce<Dim>(add, written)
  return inputs.slice(1).map(bytesOf).reduce<Dim>(add, multiply(written, 2))
}
