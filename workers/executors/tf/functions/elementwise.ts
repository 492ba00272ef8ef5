import type { DType } from '../../../graph/dtype.ts'
import type { TfTensor } from '../tensorflow.ts'
import { tfTypes } from '../tensorflow.ts'
import { dtypeOf } from '../../../graph/dtype.ts'
import type { Call, Function, Functions } from '../call.ts'
import type { Value } from '../value.ts'

/** A kernel of one tensor, element by element. */
export const unary =
  (kernel: string, attrs?: object): Function =>
  (c) =>
    c.elementwise([c.value(0)], (x) => c.run(kernel, { x }, attrs))

/** Several tensors of one value, element by element. */
const formula =
  (make: (c: Call, x: TfTensor) => TfTensor): Function =>
  (c) =>
    c.elementwise([c.value(0)], (x) => make(c, x))

const binary =
  (kernel: string, dtype?: DType): Function =>
  (c) =>
    c.elementwise([c.value(0), c.value(1)], (a, b) => c.run(kernel, { a, b }), dtype ?? c.value(0).dtype)

const not =
  (f: Function): Function =>
  (c) => {
    const result = f(c) as Value
    return c.elementwise([result], (x) => c.run('LogicalNot', { x }), 'bool')
  }

/** Any number of inputs, two at a time. */
const variadic =
  (kernel: string): Function =>
  (c) =>
    c.values.slice(1).reduce((sum: Value, next, i) => {
      const right = next ?? c.value(i + 1)
      return c.elementwise([sum, right], (a, b) => c.run(kernel, { a, b }))
    }, c.value(0))

export const add = (c: Call, a: TfTensor, b: TfTensor): TfTensor => c.run('Add', { a, b })
export const sub = (c: Call, a: TfTensor, b: TfTensor): TfTensor => c.run('Sub', { a, b })
export const mul = (c: Call, a: TfTensor, b: TfTensor): TfTensor => c.run('Multiply', { a, b })
export const div = (c: Call, a: TfTensor, b: TfTensor): TfTensor => c.run('RealDiv', { a, b })

/** x between two numbers. */
const clipped = (c: Call, x: TfTensor, low: number, high: number): TfTensor =>
  c.run('ClipByValue', { x }, { clipValueMin: low, clipValueMax: high })

function clip(c: Call): Value {
  const bound = (i: number, name: string): Value | number | undefined => c.optional(i) ?? c.number(name, undefined)
  const limit = (value: Value, by: Value | number | undefined, kernel: string): Value => {
    if (by === undefined) return value
    return typeof by === 'number'
      ? c.elementwise([value], (a) => c.run(kernel, { a, b: c.scalar(by) }))
      : c.elementwise([value, by], (a, b) => c.run(kernel, { a, b }))
  }
  return limit(limit(c.value(0), bound(1, 'min'), 'Maximum'), bound(2, 'max'), 'Minimum')
}

/** The erf form, or the one with tanh (Hendrycks & Gimpel 2016, arXiv:1606.08415). */
const gelu = formula((c, x) => {
  if (c.text('approximate', 'none') === 'tanh') {
    const cube = mul(c, c.run('Square', { x }), mul(c, x, c.scalar(0.044715)))
    const inner = mul(c, add(c, x, cube), c.scalar(Math.sqrt(2 / Math.PI)))
    return mul(c, mul(c, x, c.scalar(0.5)), add(c, c.run('Tanh', { x: inner }), c.scalar(1)))
  }
  const half = mul(c, x, c.scalar(0.5))
  return mul(c, half, add(c, c.run('Erf', { x: mul(c, x, c.scalar(Math.SQRT1_2)) }), c.scalar(1)))
})

const hardSigmoid = (c: Call, x: TfTensor, alpha: number, beta: number): TfTensor =>
  clipped(c, add(c, mul(c, x, c.scalar(alpha)), c.scalar(beta)), 0, 1)

/** A choice between two tensors; TensorFlow.js' kernel does not broadcast. */
function where(c: Call): Value {
  const [condition, yes, no] = [c.value(0), c.value(1), c.value(2)]
  return c.elementwise(
    [condition, yes, no],
    (...all) => {
      const rank = Math.max(...all.map((t) => t.shape.length))
      const dims = Array.from({ length: rank }, (_, i) =>
        Math.max(...all.map((t) => t.shape[i - rank + t.shape.length] ?? 1)),
      )
      const [mask, t, e] = all.map((x) => broadcast(c, x, dims)) as [TfTensor, TfTensor, TfTensor]
      return c.run('Select', { condition: mask, t, e })
    },
    yes.dtype,
  )
}

/** Repeats what has size one, to given dims. */
export function broadcast(c: Call, x: TfTensor, dims: readonly number[]): TfTensor {
  const own = [...Array<number>(dims.length - x.shape.length).fill(1), ...x.shape]
  const shaped = own.length === x.shape.length ? x : c.reshape(x, own)
  const reps = dims.map((d, i) => (own[i] === d ? 1 : d))
  return reps.every((r) => r === 1) ? shaped : c.run('Tile', { x: shaped }, { reps })
}

function cast(c: Call): Value {
  const to = dtypeOf(c.number('to', 0))
  const type = to && tfTypes[to]
  if (to === undefined || type === undefined) return c.fail(`does not cast to ${to ?? 'an unknown type'}`)
  const from = c.value(0)
  if (from.dtype === to) return from
  return c.elementwise([from], (x) => c.run('Cast', { x }, { dtype: type }), to)
}

function isInf(c: Call): Value {
  const [negative, positive] = [c.number('detect_negative', 1), c.number('detect_positive', 1)]
  return c.elementwise(
    [c.value(0)],
    (x) => {
      if (negative && positive) return c.run('IsInf', { x })
      const b = c.scalar(positive ? Infinity : -Infinity)
      return positive || negative ? c.run('Equal', { a: x, b }) : c.run('NotEqual', { a: x, b: x })
    },
    'bool',
  )
}

const prelu: Function = (c) =>
  c.elementwise([c.value(0), c.value(1)], (x, slope) => {
    const below = mul(c, slope, c.run('Minimum', { a: x, b: c.scalar(0) }))
    return add(c, c.run('Relu', { x }), below)
  })

/** dX = dY where Y = relu(X) is above zero, else 0. */
const reluGrad: Function = (c) =>
  c.elementwise([c.value(0), c.value(1)], (dy, y) => {
    const { native } = c.tf
    if (native) return native.run('ReluGrad', [dy, y], { T: { type: 'type', value: 'float32' } }, 1)[0] as TfTensor
    return mul(c, dy, c.run('Step', { x: y }, { alpha: 0 }))
  })

export const elementwise: Functions = {
  Abs: unary('Abs'),
  Acos: unary('Acos'),
  Acosh: unary('Acosh'),
  Add: binary('Add'),
  And: binary('LogicalAnd', 'bool'),
  Asin: unary('Asin'),
  Asinh: unary('Asinh'),
  Atan: unary('Atan'),
  Atanh: unary('Atanh'),
  Cast: cast,
  Ceil: unary('Ceil'),
  Clip: clip,
  Cos: unary('Cos'),
  Cosh: unary('Cosh'),
  Div: binary('RealDiv'),
  Elu: formula((c, x) => {
    const below = c.run('Expm1', { x: c.run('Minimum', { a: x, b: c.scalar(0) }) })
    return add(c, c.run('Relu', { x }), mul(c, below, c.scalar(c.number('alpha', 1))))
  }),
  Equal: binary('Equal', 'bool'),
  Erf: unary('Erf'),
  Exp: unary('Exp'),
  Floor: unary('Floor'),
  Gelu: gelu,
  Greater: binary('Greater', 'bool'),
  GreaterOrEqual: binary('GreaterEqual', 'bool'),
  HardSigmoid: formula((c, x) => hardSigmoid(c, x, c.number('alpha', 0.2), c.number('beta', 0.5))),
  HardSwish: formula((c, x) => mul(c, x, hardSigmoid(c, x, 1 / 6, 0.5))),
  IsInf: isInf,
  IsNaN: (c) => c.elementwise([c.value(0)], (x) => c.run('IsNan', { x }), 'bool'),
  LeakyRelu: formula((c, x) => c.run('LeakyRelu', { x }, { alpha: c.number('alpha', 0.01) })),
  Less: binary('Less', 'bool'),
  LessOrEqual: binary('LessEqual', 'bool'),
  Log: unary('Log'),
  Max: variadic('Maximum'),
  Mean: (c) => {
    const sum = variadic('Add')(c) as Value
    return c.elementwise([sum], (x) => mul(c, x, c.scalar(1 / c.values.length)))
  },
  Min: variadic('Minimum'),
  Mish: formula((c, x) => mul(c, x, c.run('Tanh', { x: c.run('Softplus', { x }) }))),
  Mul: binary('Multiply'),
  Neg: unary('Neg'),
  Not: (c) => c.elementwise([c.value(0)], (x) => c.run('LogicalNot', { x }), 'bool'),
  Or: binary('LogicalOr', 'bool'),
  Pow: binary('Pow'),
  PRelu: prelu,
  Reciprocal: unary('Reciprocal'),
  Relu: unary('Relu'),
  Round: unary('Round'),
  Selu: formula((c, x) => {
    const [alpha, gamma] = [c.number('alpha', 1.67326319217681884765625), c.number('gamma', 1.0507010221481323)]
    const below = c.run('Expm1', { x: c.run('Minimum', { a: x, b: c.scalar(0) }) })
    return mul(c, add(c, c.run('Relu', { x }), mul(c, below, c.scalar(alpha))), c.scalar(gamma))
  }),
  Sigmoid: unary('Sigmoid'),
  Sign: unary('Sign'),
  Sin: unary('Sin'),
  Sinh: unary('Sinh'),
  Softplus: unary('Softplus'),
  Softsign: formula((c, x) => div(c, x, add(c, c.run('Abs', { x }), c.scalar(1)))),
  Sqrt: unary('Sqrt'),
  Sub: binary('Sub'),
  Sum: variadic('Add'),
  Swish: formula((c, x) => mul(c, x, c.run('Sigmoid', { x: mul(c, x, c.scalar(c.number('alpha', 1))) }))),
  Tan: unary('Tan'),
  Tanh: unary('Tanh'),
  ThresholdedRelu: formula((c, x) => {
    const above = c.run('Greater', { a: x, b: c.scalar(c.number('alpha', 1)) })
    return mul(c, x, c.run('Cast', { x: above }, { dtype: 'float32' }))
  }),
  Where: where,
  Xor: not(binary('Equal', 'bool')),
}

/** The same of the private domain. */
export const elementwiseComposites: Functions = {
  ReluGrad: reluGrad,
  StopGradient: (c) => c.value(0),
}
