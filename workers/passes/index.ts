export type { ChangeReport, ChangeResult } from './report.ts'
export { dequantizeConstants } from './precision/dequantize.ts'
export { toFloat32 } from './precision/float32.ts'
export { resolveBranches } from './simplify/branches.ts'
export { constantsToInitializers } from './simplify/constants.ts'
export { removeDead } from './simplify/dead.ts'
export { foldBatchNorm } from './simplify/batch-norm.ts'
export { removeDropout, removeIdentities } from './simplify/identity.ts'
export { inlineFunctions } from './simplify/inline.ts'
export {
  batchNormSites,
  insertBatchNorm,
  momentNames,
  statisticsFrom,
  statisticsGraph,
  type ChannelStatistics,
  type InsertOptions,
} from './simplify/insert-batch-norm.ts'
export { renameShadowed } from './simplify/shadow.ts'
export { foldShapes } from './simplify/shapes.ts'
export { simplify, type SimplifyOptions } from './simplify/simplify.ts'
export { poolBeforeRelu } from './simplify/pool-first.ts'
export { specialize, type Specialization } from './simplify/specialize.ts'
export { removeFinalSoftmax } from './simplify/softmax.ts'
export { unfuse, unfusedOperators } from './simplify/unfuse.ts'
export { newestOpset, oldestOpset, upgrade } from './upgrade/upgrade.ts'
export * from './quantize/index.ts'
