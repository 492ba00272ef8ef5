import type { GradientContext, GradientRule } from './rule.ts'

/** A scale below this would divide by nothing. */
export const LEAST_SCALE = 1e-12

/** A scale as it multiplies a value: a scalar, or one per index along the node's axis; kept above zero. */
export function alignedScale({ g, x, inputs, attr }: Pick<GradientContext, 'g' | 'x' | 'inputs' | 'attr'>): string {
  const scale = g.max(inputs[1], LEAST_SCALE)
  const [size = 1] = g.dims(scale)
  if (size === 1) return g.reshape(scale, [])
  const axis = Number(attr['axis'] ?? 0)
  return g.reshape(
    scale,
    g.shape(x).map((_, i) => (i === axis ? size : 1)),
  )
}

/** The clamps of a fake quantizer, in codes from its zero point. */
export const boundsOf = (attr: GradientContext['attr']): readonly [number, number] => [
  Number(attr['quant_min'] ?? -128),
  Number(attr['quant_max'] ?? 127),
]

/**
 * The straight-through estimator with clipping: rounding counts as the identity, and no gradient comes from outside the
 * range (Bengio et al. 2013, arXiv:1308.3432; Krishnamoorthi 2018, arXiv:1806.08342, section 2.4).
 */
export const fakeQuant: GradientRule = (c) => {
  const { g, x, dy, attr } = c
  const [low, high] = boundsOf(attr)
  const ratio = g.div(x, alignedScale(c))
  const inside = g.and(g.greaterOrEqual(ratio, low), g.lessOrEqual(ratio, high))
  return [g.mul(dy, g.mask(inside, dy)), undefined]
}

/**
 * Learned step size (Esser et al. 2020, arXiv:1902.08153, eq. 3 and 5): ∂v̂/∂s = rhe(v/s) − v/s inside the range, the
 * bound outside, times 1/√(N·Qp), which the node has as `gradient_scale`.
 */
export const learnedQuant: GradientRule = (c) => {
  const { g, x, dy, attr, inputs } = c
  const [low, high] = boundsOf(attr)
  const ratio = g.div(x, alignedScale(c))
  const inside = g.and(g.greater(ratio, low), g.less(ratio, high))
  const within = g.mask(inside, dy)
  const clipped = g.min(g.max(ratio, low), high)
  const rounded = g.op('Round', [ratio])
  const slope = g.where(inside, g.sub(rounded, ratio), clipped)
  const weighted = g.mul(g.mul(dy, slope), Number(attr['gradient_scale'] ?? 1))
  const axis = Number(attr['axis'] ?? 0)
  const [size = 1] = g.dims(inputs[1])
  const summed =
    size === 1
      ? g.total(weighted)
      : g.sum(
          weighted,
          g.shape(x).flatMap((_, i) => (i === axis ? [] : [i])),
          false,
        )
  return [g.mul(dy, within), g.reshape(summed, g.dims(inputs[1]))]
}
