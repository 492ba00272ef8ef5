import { dtypeOf, type DType } from '../../graph/dtype.ts'
import type { PlainAttributes } from '../../graph/attributes.ts'
import type { OpType } from '../../graph/schema.ts'
import type { Dim } from '../../graph/types.ts'
import { numbersOf, type Tensor } from '../../graph/tensor.ts'
import { add, equal, floorDivide, isNumber, less, multiply, product, subtract } from '../dims.ts'
import { broadcastShapes } from './broadcast.ts'
import { axisOf, type Call } from './call.ts'
import { build, contentOf, elementAt, MAX_CONTENT, numbersIn, scalar, vector, type Content } from './content.ts'
import { rangeLength } from './generate.ts'
import { knownMoves } from './moves.ts'
import { reducedAxes } from './reduce.ts'
import { shapeSlice } from './manipulate.ts'

/** The known elements of a node's outputs, in order. */
export type KnownRule<A> = (c: Call<A>) => readonly (Content | undefined)[]
export type KnownRules = { readonly [Op in OpType]?: KnownRule<PlainAttributes<Op>> }

const integers: ReadonlySet<DType> = new Set<DType>(['i64', 'i32', 'i16', 'i8', 'u64', 'u32', 'u16', 'u8', 'bool'])
const isInteger = <A>(c: Call<A>) => integers.has(c.dtype(0) ?? 'f32')

// --- elementwise --------------------------------------------------------------------------------------------------

type Binary = (a: Dim, b: Dim) => Dim

/** Combines contents that broadcast; the result is known as far as the operands are. */
function combine(contents: readonly (Content | undefined)[], f: (values: readonly Dim[]) => Dim): Content | undefined {
  let dims: readonly Dim[] | undefined = []
  for (const content of contents) dims = content && dims && broadcastShapes(dims, content.dims)
  const fixed = dims?.every(isNumber) ? dims : undefined
  return fixed && build(fixed, (index) => f(contents.map((content) => (content ? elementAt(content, index) : '?'))))
}

const binary =
  (f: Binary) =>
  <A>(c: Call<A>) => [combine([c.content(0), c.content(1)], ([a, b]) => f(a ?? '?', b ?? '?'))]

const variadic =
  (f: Binary) =>
  <A>(c: Call<A>) => [
    combine(
      c.inputsFrom(0).map((i) => c.content(i)),
      (values) => (values.length > 0 ? values.reduce(f) : '?'),
    ),
  ]

const unary =
  (f: (a: Dim) => Dim) =>
  <A>(c: Call<A>) => [combine([c.content(0)], ([a]) => f(a ?? '?'))]

const onNumber = (f: (a: number) => number) => unary((a) => (isNumber(a) ? f(a) : '?'))

/** Whole symbolic sizes times fractions stay unknown. */
const timesDim: Binary = (a, b) => {
  if (isNumber(a) && isNumber(b)) return a * b
  return [a, b].every((v) => !isNumber(v) || Number.isInteger(v)) ? multiply(a, b) : '?'
}
const plusDim: Binary = (a, b) => (isNumber(a) && isNumber(b) ? a + b : whole(a, b) ? add(a, b) : '?')
const minusDim: Binary = (a, b) => (isNumber(a) && isNumber(b) ? a - b : whole(a, b) ? subtract(a, b) : '?')
const whole = (a: Dim, b: Dim): boolean => [a, b].every((v) => !isNumber(v) || Number.isInteger(v))

/** Integer division cuts towards zero; a symbolic size that may be negative is left unknown. */
const divideInteger: Binary = (a, b) => {
  if (b === 0) return '?'
  if (isNumber(a) && isNumber(b)) return Math.trunc(a / b)
  return less(a, 0) === false ? floorDivide(a, b) : '?'
}
const divideFloat: Binary = (a, b) => {
  if (b === 0) return '?'
  if (isNumber(a) && isNumber(b)) return a / b
  return b === 1 ? a : '?'
}
const remainder: Binary = (a, b) => (isNumber(a) && isNumber(b) && b !== 0 ? a - b * Math.floor(a / b) : '?')
const truth = (value: boolean | undefined): Dim => (value === undefined ? '?' : Number(value))
const negated = (value: boolean | undefined) => (value === undefined ? undefined : !value)
const equalTo: Binary = (a, b) => truth(equal(a, b))
const least: Binary = (a, b) => pick(less(b, a), b, a)
const greatest: Binary = (a, b) => pick(less(a, b), b, a)
const pick = (condition: boolean | undefined, yes: Dim, no: Dim): Dim =>
  condition === undefined ? (yes === no ? yes : '?') : condition ? yes : no
const both: Binary = (a, b) => (a === 0 || b === 0 ? 0 : isNumber(a) && isNumber(b) ? 1 : '?')
const either: Binary = (a, b) =>
  (isNumber(a) && a !== 0) || (isNumber(b) && b !== 0) ? 1 : a === 0 && b === 0 ? 0 : '?'

/** Half to even, as ONNX rounds. */
const roundEven = (x: number): number => {
  const low = Math.floor(x)
  return x - low < 0.5 || (x - low === 0.5 && low % 2 === 0) ? low : low + 1
}

// --- casts, constants -------------------------------------------------------------------------------------------

function cast(to: DType | undefined, content: Content | undefined): readonly (Content | undefined)[] {
  if (!to || !content || to === 'string') return [undefined]
  const convert = (v: Dim): Dim => {
    if (!isNumber(v)) return to === 'bool' ? '?' : v
    if (to === 'bool') return Number(v !== 0)
    return integers.has(to) ? Math.trunc(v) : v
  }
  return [{ dims: content.dims, values: content.values.map(convert) }]
}

function constant(c: Call<PlainAttributes<'Constant'>>): readonly (Content | undefined)[] {
  const { value, value_int, value_ints, value_float, value_floats } = c.attr
  if (value) return [contentOf(value)]
  const one = value_int ?? value_float
  const many = value_ints ?? value_floats
  return [one !== undefined ? scalar(one) : many && many.length <= MAX_CONTENT ? vector(many) : undefined]
}

function filled(c: Call<PlainAttributes<'ConstantOfShape'>>): readonly (Content | undefined)[] {
  const dims = c.numbers(0)
  const value = fillOf(c.attr.value)
  return [dims && value !== undefined ? build(dims, () => value) : undefined]
}
const fillOf = (tensor: Tensor | undefined): number | undefined => {
  if (!tensor) return 0
  return contentOf(tensor) ? numbersOf(tensor)[0] : undefined
}

function range(c: Call): readonly (Content | undefined)[] {
  const [start, limit, delta] = [c.number(0), c.sizes(1)?.[0], c.number(2)]
  if (start === undefined || limit === undefined || delta === undefined) return [undefined]
  const length = rangeLength(start, limit, delta)
  return [isNumber(length) ? build([length], ([i]) => start + (i ?? 0) * delta) : undefined]
}

// --- reductions -------------------------------------------------------------------------------------------------

export type ReduceAttributes = PlainAttributes<'ReduceSum'>

/** Reductions of whole vectors and over chosen axes. */
const folded =
  (f: Binary, start: Dim | undefined) =>
  (c: Call<ReduceAttributes>): readonly (Content | undefined)[] => {
    const content = c.content(0)
    const axes = content && reducedAxes(c, content.dims.length)
    if (!content || !axes) return [undefined]
    const keep = (c.attr.keepdims ?? 1) !== 0
    const sums = build(
      content.dims.map((d, i) => (axes.includes(i) ? 1 : d)),
      (index) => {
        const values = along(content, index, axes)
        return start === undefined ? (values.length > 0 ? values.reduce(f) : '?') : values.reduce(f, start)
      },
    )
    return [sums && { dims: keep ? sums.dims : sums.dims.filter((_, i) => !axes.includes(i)), values: sums.values }]
  }

function along(content: Content, index: readonly number[], axes: readonly number[]): readonly Dim[] {
  const part = build(
    axes.map((a) => content.dims[a] ?? 1),
    (at) =>
      elementAt(
        content,
        index.map((v, i) => (axes.includes(i) ? (at[axes.indexOf(i)] ?? 0) : v)),
      ),
  )
  return part?.values ?? []
}

const cumulative = (c: Call<PlainAttributes<'CumSum'>>): readonly (Content | undefined)[] => {
  const content = c.content(0)
  if (content?.dims.length !== 1 || axisOf(c.number(1) ?? NaN, 1) === undefined) return [undefined]
  if (c.attr.exclusive || c.attr.reverse) return [undefined]
  let sum: Dim = 0
  return [{ dims: content.dims, values: content.values.map((v) => (sum = plusDim(sum, v))) }]
}

const nonZero = (c: Call): readonly (Content | undefined)[] => {
  const content = c.content(0)
  const values = numbersIn(content)
  if (content?.dims.length !== 1 || !values) return [undefined]
  const found = values.flatMap((v, i) => (v === 0 ? [] : [i]))
  return [{ dims: [1, found.length], values: found }]
}

/** Constant propagation: what shape arithmetic computes is known before anything runs. */
export const known = {
  Shape: (c) => {
    const shape = c.shape(0)
    return [shape && vector(shapeSlice(shape, c.attr))]
  },
  Size: (c) => {
    const shape = c.shape(0)
    return [shape && scalar(product(shape))]
  },
  Constant: constant,
  ConstantOfShape: filled,
  Range: (c) => range(c),
  Identity: (c) => [c.content(0)],
  Dropout: (c) => [c.content(0)],
  Cast: (c) => cast(dtypeOf(c.attr.to ?? 0), c.content(0)),
  CastLike: (c) => cast(c.dtype(1), c.content(0)),
  Add: binary(plusDim),
  Sub: binary(minusDim),
  Mul: binary(timesDim),
  Div: (c) => binary(isInteger(c) ? divideInteger : divideFloat)(c),
  Mod: (c) => (c.attr.fmod ? [undefined] : binary(remainder)(c)),
  Pow: binary((a, b) => (isNumber(a) && isNumber(b) ? a ** b : b === 1 ? a : b === 2 ? multiply(a, a) : '?')),
  Neg: unary((a) => (isNumber(a) ? -a : subtract(0, a))),
  Abs: unary((a) => (isNumber(a) ? Math.abs(a) : less(a, 0) === false ? a : '?')),
  // Only whole sizes are ever symbolic: rounding leaves them as they are.
  Floor: unary((a) => (isNumber(a) ? Math.floor(a) : a)),
  Ceil: unary((a) => (isNumber(a) ? Math.ceil(a) : a)),
  Round: unary((a) => (isNumber(a) ? roundEven(a) : a)),
  Sqrt: onNumber(Math.sqrt),
  Exp: onNumber(Math.exp),
  Log: onNumber(Math.log),
  Reciprocal: onNumber((a) => 1 / a),
  Sign: unary((a) => (isNumber(a) ? Math.sign(a) : '?')),
  Max: variadic(greatest),
  Min: variadic(least),
  Sum: variadic(plusDim),
  Equal: binary(equalTo),
  Less: binary((a, b) => truth(less(a, b))),
  Greater: binary((a, b) => truth(less(b, a))),
  LessOrEqual: binary((a, b) => truth(negated(less(b, a)))),
  GreaterOrEqual: binary((a, b) => truth(negated(less(a, b)))),
  Not: onNumber((a) => Number(a === 0)),
  And: binary(both),
  Or: binary(either),
  Where: (c) => [
    combine([c.content(0), c.content(1), c.content(2)], ([condition, yes = '?', no = '?']) =>
      pick(isNumber(condition) ? condition !== 0 : undefined, yes, no),
    ),
  ],
  Clip: (c) => {
    const [low, high] = [c.has(1) ? c.sizes(1)?.[0] : c.attr.min, c.has(2) ? c.sizes(2)?.[0] : c.attr.max]
    const unknownBound = (c.has(1) && low === undefined) || (c.has(2) && high === undefined)
    if (unknownBound) return [undefined]
    const raise = (a: Dim) => (low === undefined ? a : greatest(a, low))
    return unary((a) => (high === undefined ? raise(a) : least(raise(a), high)))(c)
  },
  ReduceProd: folded(timesDim, 1),
  ReduceSum: folded(plusDim, 0),
  ReduceMax: folded(greatest, undefined),
  ReduceMin: folded(least, undefined),
  CumSum: cumulative,
  NonZero: (c) => nonZero(c),
  ...knownMoves,
} satisfies KnownRules
