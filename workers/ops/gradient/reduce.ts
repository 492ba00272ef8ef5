import type { Emitter } from '../emit.ts'
import { constantNumbers, positive, range, stops, type GradientContext, type GradientTable } from './rule.ts'

type Reduction =
  | 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd' | 'ReduceL1' | 'ReduceL2'
  | 'ReduceSumSquare' | 'ReduceLogSum' | 'ReduceLogSumExp' // prettier-ignore

/** The reduced axes, or none when the node is the identity (`noop_with_empty_axes`). */
function axesOf(c: GradientContext<Reduction>): readonly number[] {
  const rank = c.g.rank(c.x)
  const axes = constantNumbers(c, 1) ?? []
  if (axes.length > 0) return axes.map((a) => positive(a, rank))
  return c.attr.noop_with_empty_axes ? [] : range(rank)
}

/** Gives a reduced value its reduced axes back, with size 1, so that it broadcasts against the input. */
function keep(c: GradientContext<Reduction>, value: string): string {
  const axes = axesOf(c)
  return (c.attr.keepdims ?? 1) || axes.length === 0 ? value : c.g.unsqueeze(value, axes)
}

/** How many elements went into each result. */
function count(c: GradientContext<Reduction>): number {
  const dims = c.g.dims(c.x)
  return axesOf(c).reduce((n, axis) => n * (dims[axis] as number), 1)
}

const spread = (c: GradientContext<Reduction>, value: string) => c.g.expandLike(value, c.x)

/** Elements that equal the extreme share its gradient evenly (as torch.amax). */
function extreme(c: GradientContext<Reduction>): string[] {
  const { g, x, y, dy } = c
  const hit = g.mask(g.equal(x, keep(c, y)), dy)
  return [g.mul(hit, g.div(keep(c, dy), g.sum(hit, axesOf(c))))]
}

/** ∂Πx/∂x_i is the product of the others: P/x_i without zeros; with one zero only that element has a gradient. */
function product(c: GradientContext<'ReduceProd'>): string[] {
  const { g, x, dy } = c
  const axes = axesOf(c)
  const zero = g.equal(x, 0)
  const filled = g.where(zero, 1, x)
  const others = g.op('ReduceProd', [filled, g.ints(axes)], { keepdims: 1 })
  const zeros = g.sum(g.mask(zero, x), axes)
  const noZero = g.mask(g.equal(zeros, 0), x)
  const oneZero = g.mask(g.equal(zeros, 1), x)
  const slope = g.where(zero, g.mul(others, oneZero), g.mul(g.div(others, filled), noZero))
  return [g.mul(slope, keep(c, dy))]
}

/** Flips, accumulates, flips back: the attribute does it in one operator. */
function cumSum({ g, node, inputs, dy, attr }: GradientContext<'CumSum'>): (string | undefined)[] {
  void node
  const { exclusive = 0, reverse = 0 } = attr
  return [g.op('CumSum', [dy, inputs[1]], { exclusive, reverse: 1 - reverse }), undefined]
}

const unit = (g: Emitter, value: string) => g.max(value, 1e-30)

export const reduce = {
  ReduceSum: (c) => [spread(c, keep(c, c.dy))],
  ReduceMean: (c) => [spread(c, c.g.div(keep(c, c.dy), count(c)))],
  ReduceSumSquare: (c) => [c.g.mul(c.g.mul(c.x, 2), keep(c, c.dy))],
  ReduceL1: (c) => [c.g.mul(c.g.sign(c.x), keep(c, c.dy))],
  ReduceL2: (c) => [c.g.mul(c.x, c.g.div(keep(c, c.dy), unit(c.g, keep(c, c.y))))],
  ReduceLogSum: (c) => [spread(c, c.g.div(keep(c, c.dy), c.g.exp(keep(c, c.y))))],
  ReduceLogSumExp: (c) => [c.g.mul(c.g.exp(c.g.sub(c.x, keep(c, c.y))), keep(c, c.dy))],
  ReduceMax: extreme,
  ReduceMin: extreme,
  ReduceProd: product,
  CumSum: cumSum,
  ArgMax: stops('its output is an index'),
  ArgMin: stops('its output is an index'),
} satisfies GradientTable
