import type { DType } from '../../graph/dtype.ts'
import { dtypeOf } from '../../graph/dtype.ts'
import { tensorType } from '../../graph/types.ts'
import { broadcastInputs, sharedDtype } from './broadcast.ts'
import { likeInput, likeInputAs, type Call, type OutputTypes, type TypeRules } from './call.ts'

const both = [0, 1]

/** Before opset 7 the second operand was stretched to the first (attributes `broadcast` and `axis`). */
const operandShape = <A>(c: Call<A>) => (c.opset < 7 ? c.shape(0) : broadcastInputs(c, both))

const arithmetic = <A>(c: Call<A>): OutputTypes => c.out(sharedDtype(c, both), operandShape(c))
const comparison = <A>(c: Call<A>): OutputTypes => c.out('bool', operandShape(c))
/** The exponent or the shift may have a dtype of its own; the result has the first operand's. */
const likeFirst = <A>(c: Call<A>): OutputTypes => c.out(c.dtype(0), operandShape(c))

const variadic = <A>(c: Call<A>): OutputTypes => {
  const inputs = c.inputsFrom(0)
  return c.out(sharedDtype(c, inputs), c.opset < 8 ? c.shape(0) : broadcastInputs(c, inputs))
}

/** The dtype that an attribute names by its ONNX code. */
export const dtypeNamed = (code: number | undefined, otherwise?: DType): DType | undefined =>
  code === undefined ? otherwise : dtypeOf(code)

/** One tensor in, or several that broadcast, one of the broadcast shape out. */
export const elementwise = {
  Abs: likeInput,
  Acos: likeInput,
  Acosh: likeInput,
  Asin: likeInput,
  Asinh: likeInput,
  Atan: likeInput,
  Atanh: likeInput,
  BitwiseNot: likeInput,
  Ceil: likeInput,
  Celu: likeInput,
  Clip: likeInput,
  Cos: likeInput,
  Cosh: likeInput,
  CumProd: likeInput,
  CumSum: likeInput,
  Elu: likeInput,
  Erf: likeInput,
  Exp: likeInput,
  Floor: likeInput,
  Gelu: likeInput,
  HardSigmoid: likeInput,
  HardSwish: likeInput,
  Hardmax: likeInput,
  Identity: likeInput,
  LeakyRelu: likeInput,
  Log: likeInput,
  LogSoftmax: likeInput,
  Mish: likeInput,
  Neg: likeInput,
  Not: likeInput,
  Reciprocal: likeInput,
  Relu: likeInput,
  Round: likeInput,
  Selu: likeInput,
  Shrink: likeInput,
  Sigmoid: likeInput,
  Sign: likeInput,
  Sin: likeInput,
  Sinh: likeInput,
  Softmax: likeInput,
  Softplus: likeInput,
  Softsign: likeInput,
  Sqrt: likeInput,
  Swish: likeInput,
  Tan: likeInput,
  Tanh: likeInput,
  ThresholdedRelu: likeInput,
  Trilu: likeInput,
  IsInf: likeInputAs('bool'),
  IsNaN: likeInputAs('bool'),

  Add: arithmetic,
  BitwiseAnd: arithmetic,
  BitwiseOr: arithmetic,
  BitwiseXor: arithmetic,
  Div: arithmetic,
  Mod: arithmetic,
  Mul: arithmetic,
  StringConcat: arithmetic,
  Sub: arithmetic,
  SwiGLU: arithmetic,
  BitShift: likeFirst,
  Pow: likeFirst,
  /** The slope is stretched to the input, never the input to the slope. */
  PRelu: (c) => [c.valueType(0)],

  And: comparison,
  Equal: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  Or: comparison,
  Xor: comparison,

  Max: variadic,
  Mean: variadic,
  Min: variadic,
  Sum: variadic,
  Where: (c) => c.out(sharedDtype(c, [1, 2]), broadcastInputs(c, [0, 1, 2])),

  Bernoulli: (c) => c.out(dtypeNamed(c.attr.dtype, c.dtype(0)), c.shape(0)),
  BitCast: (c) => c.out(dtypeNamed(c.attr.to), c.shape(0)),
  Cast: (c) => c.out(dtypeNamed(c.attr.to), c.shape(0)),
  CastLike: (c) => c.out(c.dtype(1), c.shape(0)),
  /** The mask was of the input's dtype before opset 10. */
  Dropout: (c) => [c.valueType(0), tensorType(c.opset < 10 ? c.dtype(0) : 'bool', c.shape(0))],
} satisfies TypeRules
