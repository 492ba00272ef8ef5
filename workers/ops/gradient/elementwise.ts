import type { GradientContext, GradientTable } from './rule.ts'
import { stops } from './rule.ts'

/** Inputs that equal a selected extreme share its gradient evenly, as torch.amax does. */
function extreme({ g, node, y, dy }: GradientContext): string[] {
  const hits = node.inputs.map((x) => g.mask(g.equal(x, y), dy))
  const count = hits.reduce((sum, hit) => g.add(sum, hit))
  const share = g.div(dy, count)
  return hits.map((hit) => g.mul(hit, share))
}

/** d/da a^b = b·a^(b−1); d/db a^b = a^b·ln a for a > 0, wanted only when the exponent is computed. */
function pow({ g, inputs: [a, b], y, dy }: GradientContext<'Pow'>): (string | undefined)[] {
  const exponent = g.cast(b, g.dtype(a))
  const da = g.mul(dy, g.mul(exponent, g.pow(a, g.sub(exponent, 1))))
  if (g.initializers.has(b)) return [da]
  const db = g.mul(dy, g.where(g.greater(a, 0), g.mul(y, g.log(g.max(a, 1e-30))), 0))
  return [da, g.cast(db, g.dtype(b))]
}

/** Clip's gradient is 1 inside [min, max], ends included, and 0 outside. */
function clip({ g, inputs: [x, low, high], dy }: GradientContext<'Clip'>): string[] {
  const inside = [...(low ? [g.greaterOrEqual(x, low)] : []), ...(high ? [g.lessOrEqual(x, high)] : [])]
  return [inside.reduce((grad, mask) => g.mul(grad, g.mask(mask, dy)), dy)]
}

const flat = stops('it is piecewise constant: its derivative is zero almost everywhere')
const boolean = stops('its output is boolean')
const integer = stops('it works on integers')

export const elementwise = {
  Add: ({ dy }) => [dy, dy],
  Sub: ({ g, dy }) => [dy, g.neg(dy)],
  Mul: ({ g, inputs: [a, b], dy }) => [g.mul(dy, b), g.mul(dy, a)],
  Div: ({ g, inputs: [, b], y, dy }) => {
    const da = g.div(dy, b)
    return [da, g.neg(g.mul(da, y))]
  },
  Pow: pow,
  Mod: ({ g, inputs: [a, b], dy }) => [dy, g.neg(g.mul(dy, g.op('Floor', [g.div(a, b)])))],
  Sum: ({ node, dy }) => node.inputs.map(() => dy),
  Mean: ({ g, node, dy }) => {
    const share = g.div(dy, node.inputs.length)
    return node.inputs.map(() => share)
  },
  Max: extreme,
  Min: extreme,
  Where: ({ g, inputs: [condition], dy }) => [undefined, g.where(condition, dy, 0), g.where(condition, 0, dy)],
  Clip: clip,
  Identity: ({ dy }) => [dy],
  Cast: ({ g, x, dy }) => [g.cast(dy, g.dtype(x))],
  CastLike: ({ g, x, dy }) => [g.cast(dy, g.dtype(x))],
  Neg: ({ g, dy }) => [g.neg(dy)],
  Abs: ({ g, x, dy }) => [g.mul(dy, g.sign(x))],
  Exp: ({ g, y, dy }) => [g.mul(dy, y)],
  Log: ({ g, x, dy }) => [g.div(dy, x)],
  Sqrt: ({ g, y, dy }) => [g.div(dy, g.mul(y, 2))],
  Reciprocal: ({ g, y, dy }) => [g.neg(g.mul(dy, g.square(y)))],
  Erf: ({ g, x, dy }) => [g.mul(dy, g.mul(g.exp(g.neg(g.square(x))), 2 / Math.sqrt(Math.PI)))],
  Sin: ({ g, x, dy }) => [g.mul(dy, g.op('Cos', [x]))],
  Cos: ({ g, x, dy }) => [g.neg(g.mul(dy, g.op('Sin', [x])))],
  Tan: ({ g, y, dy }) => [g.mul(dy, g.add(g.square(y), 1))],
  Asin: ({ g, x, dy }) => [g.div(dy, g.sqrt(g.sub(1, g.square(x))))],
  Acos: ({ g, x, dy }) => [g.neg(g.div(dy, g.sqrt(g.sub(1, g.square(x)))))],
  Atan: ({ g, x, dy }) => [g.div(dy, g.add(g.square(x), 1))],
  Sinh: ({ g, x, dy }) => [g.mul(dy, g.op('Cosh', [x]))],
  Cosh: ({ g, x, dy }) => [g.mul(dy, g.op('Sinh', [x]))],
  Asinh: ({ g, x, dy }) => [g.div(dy, g.sqrt(g.add(g.square(x), 1)))],
  Acosh: ({ g, x, dy }) => [g.div(dy, g.sqrt(g.sub(g.square(x), 1)))],
  Atanh: ({ g, x, dy }) => [g.div(dy, g.sub(1, g.square(x)))],
  Sign: flat,
  Floor: flat,
  Ceil: flat,
  Round: flat,
  IsNaN: boolean,
  IsInf: boolean,
  And: boolean,
  Or: boolean,
  Xor: boolean,
  Not: boolean,
  Equal: boolean,
  Less: boolean,
  LessOrEqual: boolean,
  Greater: boolean,
  GreaterOrEqual: boolean,
  BitShift: integer,
  BitwiseAnd: integer,
  BitwiseOr: integer,
  BitwiseXor: integer,
  BitwiseNot: integer,
  BitCast: stops('it reinterprets bits'),
} satisfies GradientTable
