export * from './affine.ts'
export * from './plan.ts'
export { prepareForQuantization } from './prepare.ts'
export {
  defaultScheme,
  quantizeStatic,
  weightOptionsOf,
  type LayerReport,
  type Range,
  type StaticOptions,
  type StaticReport,
  type StaticScheme,
} from './static.ts'
export * from './weights.ts'
export { dynamicOps, quantizeDynamic, type DynamicOptions, type DynamicReport } from './dynamic.ts'
export { curvatureError, gptq, roundToNearest, type BlockOptions, type RowCodes, type Rows } from './gptq.ts'
export {
  BLOCK_OPSET,
  matrixLayers,
  quantizeWeights,
  rowsOf,
  type WeightOnlyOptions,
  type WeightOnlyReport,
} from './weight-only.ts'
export { toFloat16, type Float16Report } from './float16.ts'
export { existingQuantization, type ExistingQuantization } from './existing.ts'
export { fakeQuantize, trainedQuantization, type FakeOptions, type FakeQuantized } from './fake.ts'
export { absorbHighBias, type AbsorbReport, type Moments } from './absorb.ts'
export { equalizeLayers, type EqualizedPair, type EqualizeOptions, type EqualizeReport } from './equalize.ts'
export { withBiases, withShiftedBias } from './biases.ts'
export { analyticShifts, clippedMean, normalizedMoments } from './moments.ts'
export * from './mixed.ts'
export { withIntegerProducts } from './integers.ts'
