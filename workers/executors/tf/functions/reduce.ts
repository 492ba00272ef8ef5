import type { TfTensor } from '../tensorflow.ts'
import { normalAxis, type Call, type Function, type Functions } from '../call.ts'
import type { Value } from '../value.ts'
import { add, div, mul, sub } from './elementwise.ts'

/** What is done to the elements before they are reduced, and to the result after. */
interface Reduction {
  readonly kernel: 'Sum' | 'Mean' | 'Max' | 'Min' | 'Prod'
  readonly before?: (c: Call, x: TfTensor) => TfTensor
  readonly after?: (c: Call, x: TfTensor) => TfTensor
}

const reduction =
  ({ kernel, before, after }: Reduction): Function =>
  (c) => {
    const value = c.value(0)
    const given = c.intsFrom(1, 'axes')?.map((a) => normalAxis(a, value.rank))
    const none = given === undefined || given.length === 0
    if (none && c.number('noop_with_empty_axes', 0) !== 0) {
      const x = before ? before(c, c.x(0)) : c.x(0)
      return x === c.x(0) && !after ? value : c.plain(after ? after(c, x) : x)
    }
    const axes = none ? value.dims.map((_, i) => i) : given
    return reduced(c, value, axes, c.number('keepdims', 1) !== 0, (x, axis, keepDims) => {
      const all = over(c, kernel, before ? before(c, x) : x, axis, keepDims)
      return after ? after(c, all) : all
    })
  }

/** A kernel over axes. That of the maximum has another name for them. */
const over = (
  c: Call,
  kernel: Reduction['kernel'],
  x: TfTensor,
  axis: readonly number[],
  keepDims: boolean,
): TfTensor => c.run(kernel, { x }, { [kernel === 'Max' ? 'reductionIndices' : 'axis']: [...axis], keepDims })

/** Reduces over axes; channels stay last where they are, unless the order of the remaining axes would show it. */
export function reduced(
  c: Call,
  value: Value,
  axes: readonly number[],
  keepDims: boolean,
  make: (x: TfTensor, axes: number[], keepDims: boolean) => TfTensor,
): Value {
  const spatial = value.dims.some((_, i) => i > 1 && !axes.includes(i))
  const shows = !keepDims && spatial && !axes.includes(1)
  const { x, axisOf, wrap } = c.asItIs(value)
  if (shows) return c.plain(make(value.plain(), [...axes], keepDims), value.dtype)
  const result = make(
    x,
    axes.map(axisOf).toSorted((a, b) => a - b),
    keepDims,
  )
  return keepDims ? wrap(result) : c.plain(result, value.dtype)
}

const abs = (c: Call, x: TfTensor): TfTensor => c.run('Abs', { x })
const square = (c: Call, x: TfTensor): TfTensor => c.run('Square', { x })
const log = (c: Call, x: TfTensor): TfTensor => c.run('Log', { x })

/** log Σ exp(x), from the largest on so that nothing overflows. */
const logSumExp: Function = (c) => {
  const value = c.value(0)
  const axes = c.intsFrom(1, 'axes')?.map((a) => normalAxis(a, value.rank)) ?? value.dims.map((_, i) => i)
  return reduced(c, value, axes, c.number('keepdims', 1) !== 0, (x, axis, keepDims) => {
    const top = over(c, 'Max', x, axis, true)
    const sum = c.run('Sum', { x: c.run('Exp', { x: sub(c, x, top) }) }, { axis, keepDims })
    return add(c, log(c, sum), c.reshape(top, sum.shape))
  })
}

/** The logarithm of softmax, or softmax itself, along one axis. */
const softmax =
  (isLog: boolean): Function =>
  (c) => {
    const value = c.value(0)
    const { x, axisOf, wrap } = c.asItIs(value)
    const axis = [axisOf(c.axis('axis', -1, value.rank))]
    const shifted = sub(c, x, over(c, 'Max', x, axis, true))
    const exp = c.run('Exp', { x: shifted })
    const sum = c.run('Sum', { x: exp }, { axis, keepDims: true })
    return wrap(isLog ? sub(c, shifted, log(c, sum)) : div(c, exp, sum))
  }

/** The first index of the largest (or smallest) element. */
const argument =
  (kernel: 'ArgMax' | 'ArgMin'): Function =>
  (c) => {
    const value = c.value(0)
    const axis = c.axis('axis', 0, value.rank)
    const picked = c.run(kernel, { x: value.plain() }, { axis })
    if (c.number('keepdims', 1) === 0) return c.plain(picked, 'i64')
    const dims = value.dims.map((d, i) => (i === axis ? 1 : d))
    return c.plain(c.reshape(picked, dims), 'i64')
  }

function topK(c: Call): Value[] {
  const value = c.value(0)
  const axis = c.axis('axis', -1, value.rank)
  const k = c.value(1).numbers()[0] as number
  const rank = value.rank
  // The kernel looks along the last axis, and for the largest.
  const perm = [...Array(rank).keys()].filter((i) => i !== axis).concat(axis)
  const back = perm.map((_, i) => perm.indexOf(i))
  const sign = c.number('largest', 1) === 0 ? -1 : 1
  const turned = c.transpose(value.plain(), perm)
  const x = sign === 1 ? turned : c.run('Neg', { x: turned })
  const [values, indices] = c.tf.kernel('TopK', { x }, { k, sorted: true }) as [TfTensor, TfTensor]
  const signed = sign === 1 ? values : c.run('Neg', { x: values })
  return [c.plain(c.transpose(signed, back)), c.plain(c.transpose(indices, back), 'i64')]
}

const cumSum: Function = (c) => {
  const [axis] = c.value(1).numbers() as [number]
  const attrs = { exclusive: c.number('exclusive', 0) !== 0, reverse: c.number('reverse', 0) !== 0 }
  return c.plain(c.run('Cumsum', { x: c.x(0) }, { axis: normalAxis(axis, c.value(0).rank), ...attrs }))
}

/** x / ‖x‖ of order 1 or 2 along an axis. */
const lpNormalization: Function = (c) => {
  const value = c.value(0)
  const axis = [c.axis('axis', -1, value.rank)]
  const x = value.plain()
  const first = c.number('p', 2) === 1
  const sum = c.run('Sum', { x: first ? abs(c, x) : square(c, x) }, { axis, keepDims: true })
  return c.plain(div(c, x, first ? sum : c.run('Sqrt', { x: sum })))
}

/** The mean over all spatial axes. */
const globalPool =
  (kernel: 'Mean' | 'Max'): Function =>
  (c) => {
    const value = c.value(0)
    const axes = value.dims.flatMap((_, i) => (i < 2 ? [] : [i]))
    return reduced(c, value, axes, true, (x, axis, keepDims) => over(c, kernel, x, axis, keepDims))
  }

export const reductions: Functions = {
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  CumSum: cumSum,
  GlobalAveragePool: globalPool('Mean'),
  GlobalMaxPool: globalPool('Max'),
  LogSoftmax: softmax(true),
  LpNormalization: lpNormalization,
  ReduceL1: reduction({ kernel: 'Sum', before: abs }),
  ReduceL2: reduction({ kernel: 'Sum', before: square, after: (c, x) => c.run('Sqrt', { x }) }),
  ReduceLogSum: reduction({ kernel: 'Sum', after: log }),
  ReduceLogSumExp: logSumExp,
  ReduceMax: reduction({ kernel: 'Max' }),
  ReduceMean: reduction({ kernel: 'Mean' }),
  ReduceMin: reduction({ kernel: 'Min' }),
  ReduceProd: reduction({ kernel: 'Prod' }),
  ReduceSum: reduction({ kernel: 'Sum' }),
  ReduceSumSquare: reduction({ kernel: 'Sum', before: (c, x) => mul(c, x, x) }),
  Softmax: softmax(false),
  TopK: topK,
}
