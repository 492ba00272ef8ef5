import { dtypeOf } from '../../graph/dtype.ts'
import { tensorType, type Shape } from '../../graph/types.ts'
import { isNumber, unify } from '../dims.ts'
import { likeInput, requireAxis, type Call, type OutputTypes, type TypeRules } from './call.ts'

/** Y, then the running (training) or saved statistics: [C] each. */
function batchNormalization(c: Call): OutputTypes {
  const shape = c.shape(0)
  const channels = [1, 2, 3, 4].reduce((size, i) => unify(size, c.dim(i, 0)) ?? size, shape?.[1] ?? '?')
  for (const i of [1, 2, 3, 4]) {
    const own = c.dim(i, 0)
    if (shape && isNumber(own) && isNumber(shape[1]) && own !== shape[1]) {
      throw c.contradiction(`input ${i} is made for ${own} channels, its data has ${shape[1]}`, `${shape[1]}`, `${own}`)
    }
  }
  const y = shape && shape.length > 1 ? shape.map((d, i) => (i === 1 ? channels : d)) : shape
  const statistics = tensorType(c.dtype(3) ?? c.dtype(0), [channels])
  return [tensorType(c.dtype(0), y), statistics, statistics, statistics, statistics]
}

interface LayerAttributes {
  readonly axis?: number
  readonly stash_type?: number
}

/** Y, mean and 1/standard deviation: the axes from `axis` on become 1. */
export function layerNormalization(c: Call<LayerAttributes>): OutputTypes {
  const shape = c.shape(0)
  const axis = shape && requireAxis(c, c.attr.axis ?? -1, shape.length)
  const reduced: Shape | undefined = shape?.map((d, i) => (i < (axis ?? 0) ? d : 1))
  const statistics = tensorType(dtypeOf(c.attr.stash_type ?? 1), reduced)
  return [tensorType(c.dtype(0), shape), statistics, statistics]
}

export const normalization = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  GroupNormalization: likeInput,
  InstanceNormalization: likeInput,
  LpNormalization: likeInput,
  MeanVarianceNormalization: likeInput,
  RMSNormalization: likeInput,
} satisfies TypeRules
