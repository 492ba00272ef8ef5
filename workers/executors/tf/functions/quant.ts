import type { DType } from '../../../graph/dtype.ts'
import type { TfTensor } from '../tensorflow.ts'
import { normalAxis, type Call, type Functions } from '../call.ts'
import type { Value } from '../value.ts'
import { add, div, mul, sub } from './elementwise.ts'

/** A scale or zero point as it meets the elements: one number, or one per index of an axis. */
function along(c: Call, by: Value, value: Value, axis: number): TfTensor {
  const x = by.dtype === 'f32' ? by.plain() : c.run('Cast', { x: by.plain() }, { dtype: 'float32' })
  if (by.size === 1) return c.reshape(x, [])
  if (by.rank > 1) c.fail('scales of blocks are not supported on TensorFlow')
  const at = normalAxis(axis, value.rank)
  return c.reshape(
    x,
    value.dims.map((_, i) => (i === at ? by.size : 1)),
  )
}

const clipped = (c: Call, x: TfTensor, low: number, high: number): TfTensor =>
  c.run('ClipByValue', { x }, { clipValueMin: low, clipValueMax: high })

/** s·(clamp(rhe(x/s) + z, quant_min, quant_max) − z); rounds half to even. */
function fakeQuant(c: Call): Value {
  const value = c.value(0)
  const axis = c.number('axis', 0)
  const scale = along(c, c.value(1), value, axis)
  const zero = c.optional(2)
  const rounded = c.run('Round', { x: div(c, value.plain(), scale) })
  const [low, high] = [c.number('quant_min', -128), c.number('quant_max', 127)]
  if (!zero) return c.plain(mul(c, clipped(c, rounded, low, high), scale))
  const z = along(c, zero, value, axis)
  return c.plain(mul(c, sub(c, clipped(c, add(c, rounded, z), low, high), z), scale))
}

const ranges: Readonly<Partial<Record<DType, readonly [number, number]>>> = {
  i8: [-128, 127],
  u8: [0, 255],
  i16: [-32768, 32767],
  u16: [0, 65535],
}

/** clamp(rhe(x/s) + z) as whole numbers. */
function quantizeLinear(c: Call): Value {
  const value = c.value(0)
  const dtype = c.optional(2)?.dtype ?? 'u8'
  const range = ranges[dtype] ?? c.fail(`does not quantize to ${dtype}`)
  const axis = c.number('axis', 1)
  const rounded = c.run('Round', { x: div(c, value.plain(), along(c, c.value(1), value, axis)) })
  const zero = c.optional(2)
  const shifted = zero ? add(c, rounded, along(c, zero, value, axis)) : rounded
  return c.plain(c.run('Cast', { x: clipped(c, shifted, ...range) }, { dtype: 'int32' }), dtype)
}

/** (q − z)·s. */
function dequantizeLinear(c: Call): Value {
  const value = c.value(0)
  const axis = c.number('axis', 1)
  const x = c.run('Cast', { x: value.plain() }, { dtype: 'float32' })
  const zero = c.optional(2)
  const centred = zero ? sub(c, x, along(c, zero, value, axis)) : x
  return c.plain(mul(c, centred, along(c, c.value(1), value, axis)), 'f32')
}

/** x → whole numbers of 8 bits, their scale and zero point, from the range of x, which takes in zero. */
function dynamicQuantizeLinear(c: Call): Value[] {
  const x = c.x(0)
  const axis = x.shape.map((_, i) => i)
  const zero = c.scalar(0)
  const low = c.run('Minimum', { a: c.run('Min', { x }, { axis, keepDims: false }), b: zero })
  const high = c.run('Maximum', { a: c.run('Max', { x }, { reductionIndices: axis, keepDims: false }), b: zero })
  const range = div(c, sub(c, high, low), c.scalar(255))
  // Zeros alone have no range; whatever their scale, they stay zeros.
  const scale = add(c, range, c.run('Cast', { x: c.run('Equal', { a: range, b: zero }) }, { dtype: 'float32' }))
  const point = c.run('Round', { x: clipped(c, div(c, sub(c, zero, low), scale), 0, 255) })
  const rounded = add(c, c.run('Round', { x: div(c, x, scale) }), point)
  const whole = (value: TfTensor) => c.plain(c.run('Cast', { x: value }, { dtype: 'int32' }), 'u8')
  return [whole(clipped(c, rounded, 0, 255)), c.plain(scale), whole(point)]
}

/** (A − a)·(B − b) in whole numbers of 32 bits. */
function matMulInteger(c: Call): Value {
  const centred = (index: number): TfTensor => {
    const by = c.optional(index + 2)
    return by ? sub(c, c.x(index), by.size === 1 ? c.reshape(by.plain(), []) : by.plain()) : c.x(index)
  }
  const [a, b] = [centred(0), centred(1)]
  return c.plain(c.run('BatchMatMul', { a, b }, { transposeA: false, transposeB: false }), 'i32')
}

export const quantizers: Functions = {
  DequantizeLinear: dequantizeLinear,
  DynamicQuantizeLinear: dynamicQuantizeLinear,
  MatMulInteger: matMulInteger,
  QuantizeLinear: quantizeLinear,
}
export const quantizerComposites: Functions = { FakeQuant: fakeQuant, LearnedQuant: fakeQuant }
