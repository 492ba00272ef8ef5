import { tensorType, type Shape } from '../../graph/types.ts'
import { requireAxis, type Call, type OutputTypes, type TypeRules } from './call.ts'

export interface ReduceAttributes {
  readonly axes?: readonly number[]
  readonly keepdims?: number
  readonly noop_with_empty_axes?: number
}

/** The axes that are reduced; undefined when they come as an input whose elements are unknown. */
export function reducedAxes(c: Call<ReduceAttributes>, rank: number): readonly number[] | undefined {
  const given = c.has(1) ? c.numbers(1) : (c.attr.axes ?? [])
  if (!given) return c.dim(1, 0) === 0 ? all(c, rank) : undefined
  return given.length > 0 ? given.map((a) => requireAxis(c, a, rank)) : all(c, rank)
}

const all = (c: Call<ReduceAttributes>, rank: number) =>
  c.attr.noop_with_empty_axes ? [] : Array.from({ length: rank }, (_, i) => i)

function reducedShape(c: Call<ReduceAttributes>): Shape | undefined {
  const shape = c.shape(0)
  if (!shape) return undefined
  const axes = reducedAxes(c, shape.length)
  const keep = (c.attr.keepdims ?? 1) !== 0
  if (!axes) {
    const count = c.dim(1, 0)
    if (keep) return shape.map(() => '?')
    return typeof count === 'number' && count > 0 ? shape.slice(count).map(() => '?') : undefined
  }
  const reduced = new Set(axes)
  return keep ? shape.map((d, i) => (reduced.has(i) ? 1 : d)) : shape.filter((_, i) => !reduced.has(i))
}

const reduction = (c: Call<ReduceAttributes>): OutputTypes => c.out(c.dtype(0), reducedShape(c))

function argument(c: Call<{ readonly axis?: number; readonly keepdims?: number }>): OutputTypes {
  const shape = c.shape(0)
  if (!shape) return c.out('i64', undefined)
  const axis = requireAxis(c, c.attr.axis ?? 0, shape.length)
  const keep = (c.attr.keepdims ?? 1) !== 0
  return c.out('i64', keep ? shape.map((d, i) => (i === axis ? 1 : d)) : shape.filter((_, i) => i !== axis))
}

/** Losses over [N, C, …] with labels [N, …]; reduced to a scalar unless `reduction` is `none`. */
const lossShape = (c: Call<{ readonly reduction?: string }>): Shape | undefined =>
  c.attr.reduction === 'none' ? (c.shape(1) ?? c.shape(0)?.filter((_, i) => i !== 1)) : []

export const reduce = {
  ReduceL1: reduction,
  ReduceL2: reduction,
  ReduceLogSum: reduction,
  ReduceLogSumExp: reduction,
  ReduceMax: reduction,
  ReduceMean: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,
  ReduceSum: reduction,
  ReduceSumSquare: reduction,
  ArgMax: argument,
  ArgMin: argument,
  NegativeLogLikelihoodLoss: (c) => c.out(c.dtype(0), lossShape(c)),
  SoftmaxCrossEntropyLoss: (c) => [tensorType(c.dtype(0), lossShape(c)), tensorType(c.dtype(0), c.shape(0))],
} satisfies TypeRules
