import type { OpType } from '../../graph/schema.ts'
import { numbersOf } from '../../graph/tensor.ts'
import { axisOf } from '../shape/call.ts'
import { fixed, type Axis } from './axis.ts'
import type { Coupled, CouplingCall, CouplingRules } from './call.ts'
import { all, same } from './elementwise.ts'

export interface ReduceAttributes {
  readonly axes?: readonly number[]
  readonly axis?: number
  readonly keepdims?: number
  readonly noop_with_empty_axes?: number
}

/** Channels that are reduced stay whole: their sum, mean or maximum would be another one. */
function reduced(c: CouplingCall<ReduceAttributes>): Coupled {
  const axes = c.axes(0)
  if (!axes) return c.barrier('its rank is not known')
  const isArg = c.node.op.startsWith('Arg')
  const tensor = c.constant(1)
  if (!isArg && c.has(1) && !tensor) return c.barrier('the axes it reduces are not known')
  const given = isArg ? [c.attr.axis ?? 0] : ((tensor ? numbersOf(tensor) : c.attr.axes) ?? [])
  if (given.length === 0 && c.attr.noop_with_empty_axes === 1) return { outputs: [axes] }
  const over = new Set(given.length === 0 ? axes.map((_, k) => k) : given.map((a) => axisOf(a, axes.length)))
  const keep = c.attr.keepdims !== 0
  const out = axes.flatMap((axis, k): Axis[] => {
    if (!over.has(k)) return [axis]
    if (!c.isStatistic)
      c.pin(axis, `it takes the ${c.node.op.replace(/^Reduce/, '').toLowerCase()} over these channels`)
    return keep ? [fixed('a reduced axis')] : []
  })
  return { outputs: [out] }
}

/** Channel by channel; spatial axes stay whole. */
export function pooled<A>(c: CouplingCall<A>): Coupled {
  const axes = c.axes(0)
  if (!axes) return c.barrier('its rank is not known')
  const out = axes.map((axis, k) => {
    if (k < 2) return axis
    c.pin(axis, 'a spatial axis')
    return fixed('a spatial axis')
  })
  return { outputs: c.node.outputs.map(() => out) }
}

/** Regions of interest: channels come from the features, the rest from the regions. */
const regions = (c: CouplingCall): Coupled => {
  const axes = c.axes(0)
  const channels = axes?.[1]
  if (!axes || !channels) return c.barrier('its rank is not known')
  axes.forEach((axis, k) => k !== 1 && c.pin(axis, 'a spatial axis'))
  return { outputs: [c.outShape()?.map((_, k) => (k === 1 ? channels : fixed('a spatial axis')))] }
}

const gridSample = (c: CouplingCall): Coupled => {
  c.pinInput(1, 'coordinates')
  return regions(c)
}

/** Running sums along an axis. */
const cumulative = (c: CouplingCall): Coupled => {
  const tensor = c.constant(1)
  const axes = c.axes(0)
  if (!axes || !tensor) return c.barrier('its axis is not known')
  c.pin(axes.at(numbersOf(tensor)[0] ?? 0), 'it adds these channels up')
  return { outputs: [axes] }
}

const reductions = [
  ...(['ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMax', 'ReduceMean', 'ReduceMin'] as const),
  ...(['ReduceProd', 'ReduceSum', 'ReduceSumSquare', 'ArgMax', 'ArgMin'] as const),
] as const satisfies readonly OpType[]

const pools = [
  ...(['AveragePool', 'GlobalAveragePool', 'GlobalLpPool', 'GlobalMaxPool', 'LpPool', 'MaxPool'] as const),
] as const satisfies readonly OpType[]

export const reduce = {
  ...all(reductions, reduced),
  ...all(pools, pooled),
  MaxUnpool: (c) => {
    c.pinInput(1, 'positions')
    return pooled(c)
  },
  RoiAlign: regions,
  MaxRoiPool: regions,
  GridSample: gridSample,
  CumSum: cumulative,
  CumProd: cumulative,
  Trilu: (c) => {
    const axes = c.axes(0)
    axes?.slice(-2).forEach((axis) => c.pin(axis, 'it keeps a triangle'))
    return same(c)
  },
} satisfies CouplingRules
