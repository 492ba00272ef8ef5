import { dtypeOf } from '../../graph/dtype.ts'
import { tensorType } from '../../graph/types.ts'
import type { Call, OutputTypes, TypeRules } from './call.ts'

export interface QuantizeAttributes {
  readonly output_dtype?: number | undefined
}

/** The zero point names the dtype, else the attribute (opset 21), else it is uint8. */
export const quantize = <A extends QuantizeAttributes>(c: Call<A>): OutputTypes =>
  c.out(c.has(2) ? c.dtype(2) : dtypeOf(c.attr.output_dtype || 2), c.shape(0))

/** The scale names the dtype, unless an attribute does (opset 23). */
export const dequantize = <A extends QuantizeAttributes>(c: Call<A>): OutputTypes =>
  c.out(c.attr.output_dtype ? dtypeOf(c.attr.output_dtype) : c.dtype(1), c.shape(0))

export const quantization = {
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  /** Y, its scale and its zero point. */
  DynamicQuantizeLinear: (c) => [tensorType('u8', c.shape(0)), tensorType('f32', []), tensorType('u8', [])],
} satisfies TypeRules
