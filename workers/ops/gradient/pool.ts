import { sizeOf } from '../../graph/tensor.ts'
import { COMPOSITES } from '../composites.ts'
import { range, unsupported, type GradientContext, type GradientTable } from './rule.ts'

const spatialAxes = (c: GradientContext) => range(c.g.rank(c.x)).slice(2)

const windowSize = (c: GradientContext<'LpPool'>) => sizeOf(c.attr.kernel_shape ?? [])

/** y = (Σ|x|^p)^(1/p), so ∂y/∂x = |x|^(p−1)·sign(x)·y^(1−p); the sum's gradient is an average pool's times its size. */
function lpPool(c: GradientContext<'LpPool'>): string[] {
  const { g, x, y, dy, attr } = c
  const { p = 2, ...window } = attr
  const scaled = g.mul(dy, g.pow(g.max(y, 1e-30), 1 - p))
  const spread = g.node(COMPOSITES, 'AveragePoolGrad', [scaled, x], { ...window, count_include_pad: 1 })[0] as string
  return [g.mul(g.mul(spread, windowSize(c)), lpSlope(c, p))]
}

const lpSlope = ({ g, x }: GradientContext, p: number): string =>
  p === 2 ? x : p === 1 ? g.sign(x) : g.mul(g.pow(g.abs(x), p - 1), g.sign(x))

function globalAverage(c: GradientContext<'GlobalAveragePool'>): string[] {
  const { g, x, dy } = c
  const count = sizeOf(g.dims(x).slice(2))
  return [g.expandLike(g.div(dy, count), x)]
}

function globalMax(c: GradientContext<'GlobalMaxPool'>): string[] {
  const { g, x, y, dy } = c
  const hit = g.mask(g.equal(x, y), dy)
  return [g.mul(hit, g.div(dy, g.sum(hit, spatialAxes(c))))]
}

function globalLp(c: GradientContext<'GlobalLpPool'>): string[] {
  const { g, y, dy } = c
  const p = c.attr.p ?? 2
  return [g.mul(lpSlope(c, p), g.mul(dy, g.pow(g.max(y, 1e-30), 1 - p)))]
}

export const pool = {
  MaxPool: ({ g, x, y, dy, attr }) => g.node(COMPOSITES, 'MaxPoolGrad', [dy, x, y], attr),
  AveragePool: ({ g, x, dy, attr }) => g.node(COMPOSITES, 'AveragePoolGrad', [dy, x], attr),
  LpPool: lpPool,
  GlobalAveragePool: globalAverage,
  GlobalMaxPool: globalMax,
  GlobalLpPool: globalLp,
  MaxUnpool: unsupported('unpooling by indices'),
  MaxRoiPool: unsupported('pooling over regions of interest'),
  RoiAlign: unsupported('pooling over regions of interest'),
} satisfies GradientTable
