import { AlambicError } from '../protocol/errors.ts'
import { Builder } from '../graph/builder.ts'
import { dtypes, isFloat, type DType } from '../graph/dtype.ts'
import type { Graph } from '../graph/graph.ts'
import type { OpType } from '../graph/schema.ts'
import { i64, tensorOf, type Tensor } from '../graph/tensor.ts'
import { asTensor, staticShape, type Shape } from '../graph/types.ts'
import { inferOutputs } from './infer.ts'

/** A value by name, or a number that becomes a scalar constant of the other operand's type. */
export type Operand = string | number

/** The opset that emitted operators are written for: axes of every Reduce operator are inputs from 18 on. */
export const EMIT_OPSET = 18

/**
 * A builder that knows types, with one short method for each operator that gradient rules, losses and optimizers
 * write. Graphs that it extends must be at opset 18 or later.
 */
export class Emitter extends Builder {
  readonly #scalars = new Map<string, string>()

  constructor(base?: Graph) {
    super(base, inferOutputs)
  }

  // ── what is known ──────────────────────────────────────────────────────────────────────────────────────────────

  dtype(value: string): DType {
    const dtype = asTensor(this.type(value))?.dtype
    if (dtype === undefined) throw unknownType(value, 'element type')
    return dtype
  }

  shape(value: string): Shape {
    const shape = asTensor(this.type(value))?.shape
    if (shape === undefined) throw unknownType(value, 'rank')
    return shape
  }

  /** Static sizes of a value; an error when any is symbolic. */
  dims(value: string): readonly number[] {
    const dims = staticShape(this.type(value))
    if (dims === undefined) throw unknownType(value, 'static shape')
    return dims
  }

  rank(value: string): number {
    return this.shape(value).length
  }

  // ── constants ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** A scalar constant, shared by all its users. */
  scalar(value: number, dtype: DType): string {
    const key = `${dtype} ${Object.is(value, -0) ? '-0' : value}`
    const known = this.#scalars.get(key)
    if (known !== undefined) return known
    const name = this.constant(`const_${dtype}_${String(value)}`, scalarTensor(value, dtype))
    this.#scalars.set(key, name)
    return name
  }

  /** A 1-D int64 constant: axes, sizes, pads. */
  ints(values: readonly number[]): string {
    const key = `i64 [${values.join()}]`
    const known = this.#scalars.get(key)
    if (known !== undefined) return known
    const name = this.constant(`const_i64_${values.join('_')}`, i64(values))
    this.#scalars.set(key, name)
    return name
  }

  // ── elementwise ────────────────────────────────────────────────────────────────────────────────────────────────

  add = (a: Operand, b: Operand) => this.#binary('Add', a, b)
  sub = (a: Operand, b: Operand) => this.#binary('Sub', a, b)
  mul = (a: Operand, b: Operand) => this.#binary('Mul', a, b)
  div = (a: Operand, b: Operand) => this.#binary('Div', a, b)
  pow = (a: Operand, b: Operand) => this.#binary('Pow', a, b)
  min = (a: Operand, b: Operand) => this.#binary('Min', a, b)
  max = (a: Operand, b: Operand) => this.#binary('Max', a, b)
  less = (a: Operand, b: Operand) => this.#binary('Less', a, b)
  greater = (a: Operand, b: Operand) => this.#binary('Greater', a, b)
  greaterOrEqual = (a: Operand, b: Operand) => this.#binary('GreaterOrEqual', a, b)
  lessOrEqual = (a: Operand, b: Operand) => this.#binary('LessOrEqual', a, b)
  equal = (a: Operand, b: Operand) => this.#binary('Equal', a, b)
  and = (a: string, b: string) => this.op('And', [a, b])
  or = (a: string, b: string) => this.op('Or', [a, b])
  not = (a: string) => this.op('Not', [a])
  neg = (a: string) => this.op('Neg', [a])
  abs = (a: string) => this.op('Abs', [a])
  sign = (a: string) => this.op('Sign', [a])
  exp = (a: string) => this.op('Exp', [a])
  log = (a: string) => this.op('Log', [a])
  sqrt = (a: string) => this.op('Sqrt', [a])
  reciprocal = (a: string) => this.op('Reciprocal', [a])
  sigmoid = (a: string) => this.op('Sigmoid', [a])
  tanh = (a: string) => this.op('Tanh', [a])
  erf = (a: string) => this.op('Erf', [a])
  softplus = (a: string) => this.op('Softplus', [a])
  square = (a: string) => this.mul(a, a)
  where = (condition: string, a: Operand, b: Operand) => {
    const [left, right] = this.#operands(a, b)
    return this.op('Where', [condition, left, right])
  }

  #binary(op: OpType, a: Operand, b: Operand): string {
    return this.op(op, this.#operands(a, b))
  }

  #operands(a: Operand, b: Operand): [string, string] {
    const typed = typeof a === 'string' ? a : typeof b === 'string' ? b : undefined
    const dtype = typed === undefined ? 'f32' : this.dtype(typed)
    const name = (v: Operand) => (typeof v === 'string' ? v : this.scalar(v, dtype))
    return [name(a), name(b)]
  }

  /** Converts the element type; nothing when it is that already. */
  cast(a: string, dtype: DType): string {
    if (asTensor(this.type(a))?.dtype === dtype) return a
    const out = this.op('Cast', [a], { to: dtypes[dtype].onnx })
    this.types.set(out, { kind: 'tensor', dtype, shape: asTensor(this.type(a))?.shape })
    return out
  }

  /** A boolean as 0 and 1 of `like`'s type, ready to multiply a gradient. */
  mask = (condition: string, like: string) => this.cast(condition, this.dtype(like))

  // ── matrices ───────────────────────────────────────────────────────────────────────────────────────────────────

  matmul = (a: string, b: string) => this.op('MatMul', [a, b])

  transpose(a: string, perm: readonly number[]): string {
    return perm.every((axis, i) => axis === i) ? a : this.op('Transpose', [a], { perm })
  }

  /** Swaps the last two axes. */
  swapLast(a: string): string {
    const n = this.rank(a)
    return this.transpose(a, [...Array(n - 2).keys(), n - 1, n - 2])
  }

  // ── shapes ─────────────────────────────────────────────────────────────────────────────────────────────────────

  reshape(a: string, dims: readonly number[]): string {
    const known = staticShape(this.type(a))
    // At most one of the wanted dims is open (−1), and follows from the others.
    if (known?.length === dims.length && known.every((d, i) => d === dims[i] || dims[i] === -1)) return a
    return this.op('Reshape', [a, this.ints(dims)])
  }

  /** `a` in the shape of `like`: a constant shape where it is known, else read at run time. */
  reshapeLike(a: string, like: string): string {
    const dims = staticShape(this.type(like))
    return dims ? this.reshape(a, dims) : this.op('Reshape', [a, this.op('Shape', [like])])
  }

  expand(a: string, dims: readonly number[]): string {
    return this.op('Expand', [a, this.ints(dims)])
  }

  expandLike(a: string, like: string): string {
    const dims = staticShape(this.type(like))
    return this.op('Expand', [a, dims ? this.ints(dims) : this.op('Shape', [like])])
  }

  /** A tensor of zeros in the shape and type of `like`. */
  zerosLike = (like: string) => this.expandLike(this.scalar(0, this.dtype(like)), like)

  concat(values: readonly string[], axis: number): string {
    return values.length === 1 ? (values[0] as string) : this.op('Concat', values, { axis })
  }

  split(a: string, axis: number, sizes: readonly number[]): readonly string[] {
    if (sizes.length === 1) return [a]
    return this.ops('Split', [a, this.ints(sizes)], { axis }, { outputs: sizes.length })
  }

  slice(
    a: string,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps: readonly number[] = axes.map(() => 1),
  ): string {
    return this.op('Slice', [a, this.ints(starts), this.ints(ends), this.ints(axes), this.ints(steps)])
  }

  /** Pads with zeros; `pads` as ONNX has them: all begins, then all ends. Negative pads crop. */
  pad = (a: string, pads: readonly number[]) =>
    pads.every((p) => p === 0) ? a : this.op('Pad', [a, this.ints(pads)], { mode: 'constant' })

  unsqueeze = (a: string, axes: readonly number[]) => this.op('Unsqueeze', [a, this.ints(axes)])
  squeeze = (a: string, axes: readonly number[]) => this.op('Squeeze', [a, this.ints(axes)])

  // ── reductions ─────────────────────────────────────────────────────────────────────────────────────────────────

  sum = (a: string, axes: readonly number[], keepdims = true) => this.#reduce('ReduceSum', a, axes, keepdims)
  mean = (a: string, axes: readonly number[], keepdims = true) => this.#reduce('ReduceMean', a, axes, keepdims)
  sumSquare = (a: string, axes: readonly number[], keepdims = true) =>
    this.#reduce('ReduceSumSquare', a, axes, keepdims)
  reduceMax = (a: string, axes: readonly number[], keepdims = true) => this.#reduce('ReduceMax', a, axes, keepdims)

  /** The sum of everything, as a scalar. */
  total = (a: string) => this.sum(a, this.#axes(a), false)
  /** The mean of everything, as a scalar. */
  average = (a: string) => this.mean(a, this.#axes(a), false)
  /** The sum of all squares, as a scalar. */
  totalSquare = (a: string) => this.sumSquare(a, this.#axes(a), false)

  #axes = (a: string): number[] => [...Array(this.rank(a)).keys()]

  #reduce(
    op: 'ReduceSum' | 'ReduceMean' | 'ReduceSumSquare' | 'ReduceMax',
    a: string,
    axes: readonly number[],
    keep: boolean,
  ) {
    if (axes.length === 0) return op === 'ReduceSumSquare' ? this.square(a) : a
    return this.op(op, [a, this.ints(axes)], { keepdims: keep ? 1 : 0 })
  }

  /**
   * Undoes broadcasting: sums `a` over the axes along which a value of shape `target` was repeated. The one place
   * where gradients are un-broadcast.
   */
  sumTo(a: string, target: Shape): string {
    const from = this.shape(a)
    const lead = from.length - target.length
    const repeated = from.flatMap((dim, axis) => {
      if (axis < lead) return []
      const want = target[axis - lead]
      return want === 1 && dim !== 1 ? [axis] : []
    })
    const kept = this.sum(a, repeated)
    return lead > 0 ? this.sum(kept, [...Array(lead).keys()], false) : kept
  }

  softmax = (a: string, axis = -1) => this.op('Softmax', [a], { axis })
  logSoftmax = (a: string, axis = -1) => this.op('LogSoftmax', [a], { axis })
}

function scalarTensor(value: number, dtype: DType): Tensor {
  if (dtype === 'f32') return tensorOf('f32', [], Float32Array.of(value))
  if (dtype === 'f64') return tensorOf('f64', [], Float64Array.of(value))
  if (dtype === 'i64') return tensorOf('i64', [], BigInt64Array.of(BigInt(value)))
  if (dtype === 'i32') return tensorOf('i32', [], Int32Array.of(value))
  if (dtype === 'bool') return tensorOf('bool', [], Uint8Array.of(value ? 1 : 0))
  if (dtype === 'u8') return tensorOf('u8', [], Uint8Array.of(value))
  if (dtype === 'i8') return tensorOf('i8', [], Int8Array.of(value))
  throw new AlambicError('ops.scalar', `no scalar constant of type ${dtype} can be made here`, {
    fix: isFloat(dtype) ? 'Cast the model to float32 before training.' : undefined,
  })
}

const unknownType = (value: string, what: string): AlambicError =>
  new AlambicError('ops.unknown-type', `the ${what} of value "${value}" is not known`, {
    subject: value,
    fix: 'Bind the symbolic dimensions of the model, or run shape inference first.',
  })
