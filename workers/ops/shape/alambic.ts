import { tensorType } from '../../graph/types.ts'
import { likeInput, type Call, type LooseTypeRules, type OutputTypes } from './call.ts'

/** A gradient has the type of the value that it belongs to. */
const likeInputAt =
  (i: number) =>
  (c: Call): OutputTypes => [c.valueType(i)]

const perChannel = (c: Call, data: number) => tensorType(c.dtype(data), c.shape(data) && [c.dim(data, 1)])

/** The gradient composites of the private domain; `workers/ops/composites.ts` lists their inputs and outputs. */
export const alambic: LooseTypeRules = {
  ConvInputGrad: likeInputAt(2),
  ConvFilterGrad: likeInputAt(2),
  ReluGrad: likeInputAt(1),
  MaxPoolGrad: likeInputAt(1),
  AveragePoolGrad: likeInputAt(1),
  BatchNormTraining: (c) => [c.valueType(0), ...Array.from({ length: 4 }, () => perChannel(c, 0))],
  BatchNormGrad: (c) => [c.valueType(1), perChannel(c, 1), perChannel(c, 1)],
  FakeQuant: likeInput,
  LearnedQuant: likeInput,
  StopGradient: likeInput,
}
