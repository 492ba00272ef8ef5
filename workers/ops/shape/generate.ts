import type { PlainAttributes } from '../../graph/attributes.ts'
import { dtypeOf, type DType } from '../../graph/dtype.ts'
import { tensorType, type Dim } from '../../graph/types.ts'
import { add, ceilDivide, floorDivide, isNumber, less, openShape, subtract } from '../dims.ts'
import type { Call, OutputTypes, TypeRules } from './call.ts'

const random = (c: Call<{ readonly dtype?: number; readonly shape?: readonly number[] }>): OutputTypes =>
  c.out(dtypeOf(c.attr.dtype ?? 1), c.attr.shape)

const randomLike = (c: Call<{ readonly dtype?: number }>): OutputTypes =>
  c.out(c.attr.dtype ? dtypeOf(c.attr.dtype) : c.dtype(0), c.shape(0))

/** Windows of a known length, float32 unless told. */
const signalWindow = (c: Call<{ readonly output_datatype?: number }>): OutputTypes =>
  c.out(dtypeOf(c.attr.output_datatype ?? 1), [c.sizes(0)?.[0] ?? '?'])

/** How many elements `Range` makes: ⌈(limit − start)/delta⌉, at least 0. */
export function rangeLength(start: Dim, limit: Dim, delta: Dim): Dim {
  if (isNumber(start) && isNumber(limit) && isNumber(delta)) {
    return delta === 0 ? '?' : Math.max(0, Math.ceil((limit - start) / delta))
  }
  if (!isNumber(delta) || !Number.isInteger(delta) || delta === 0) return '?'
  const span = delta > 0 ? subtract(limit, start) : subtract(start, limit)
  const count = ceilDivide(span, Math.abs(delta))
  return less(count, 0) === true ? 0 : count
}

function constantOfShape(c: Call<{ readonly value?: { readonly dtype: DType } }>): OutputTypes {
  return c.out(c.attr.value?.dtype ?? 'f32', c.sizes(0) ?? openShape(c.dim(0, 0)))
}

/** The one attribute that a Constant has says what it is; a tensor brings its own type. */
function constant(c: Call<PlainAttributes<'Constant'>>): OutputTypes {
  const { value, value_float, value_floats, value_int, value_ints, value_string, value_strings } = c.attr
  if (value) return c.out(value.dtype, value.dims)
  if (value_int !== undefined) return c.out('i64', [])
  if (value_ints) return c.out('i64', [value_ints.length])
  if (value_float !== undefined) return c.out('f32', [])
  if (value_floats) return c.out('f32', [value_floats.length])
  if (value_string !== undefined) return c.out('string', [])
  return value_strings ? c.out('string', [value_strings.length]) : [undefined]
}

/** Operators that make a tensor out of nothing, of a shape or of a few numbers. */
export const generate = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  EyeLike: (c) => c.out(c.attr.dtype ? dtypeOf(c.attr.dtype) : c.dtype(0), c.shape(0)),
  Range: (c) => {
    const [start, limit, delta] = [0, 1, 2].map((i) => c.sizes(i)?.[0] ?? '?')
    return c.out(c.dtype(0) ?? c.dtype(1), [rangeLength(start ?? '?', limit ?? '?', delta ?? '?')])
  },
  RandomNormal: random,
  RandomUniform: random,
  RandomNormalLike: randomLike,
  RandomUniformLike: randomLike,
  Multinomial: (c) => c.out(dtypeOf(c.attr.dtype ?? 6), [c.dim(0, 0), c.attr.sample_size ?? 1]),
  BlackmanWindow: signalWindow,
  HammingWindow: signalWindow,
  HannWindow: signalWindow,
  MelWeightMatrix: (c) => {
    const [bins, length] = [c.sizes(0)?.[0] ?? '?', c.sizes(1)?.[0] ?? '?']
    return [tensorType(dtypeOf(c.attr.output_datatype ?? 1), [add(floorDivide(length, 2), 1), bins])]
  },
} satisfies TypeRules
