import type { Lowering } from '../lower.ts'

/**
 * dY · (Y > 0). Where Y is zero or more, HardSigmoid with a slope that takes every normal number beyond 1 is that
 * comparison as 0 and 1 in one pass over memory; Greater and Cast take two.
 */
export const reluGrad: Lowering = ({ g, node }) => {
  const [dy = '', y = ''] = node.inputs
  if (g.dtype(y) !== 'f32') return [g.mul(dy, g.mask(g.greater(y, 0), dy))]
  return [g.mul(dy, g.op('HardSigmoid', [y], { alpha: 3e38, beta: 0 }))]
}
