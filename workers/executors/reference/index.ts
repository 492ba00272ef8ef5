export { evaluate, checkSupported, unsupportedNodes, type EvaluateOptions, type Feeds } from './evaluate.ts'
export { referenceExecutor, referenceExecutorFor } from './executor.ts'
export { pairedSums, saturatingExecutor } from './saturating.ts'
export { kernels, withoutKernel } from './kernels.ts'
export {
  array,
  floatArray,
  fromTensor,
  int64s,
  numbers,
  toTensor,
  type NdArray,
  type Value,
  type Values,
} from './value.ts'
