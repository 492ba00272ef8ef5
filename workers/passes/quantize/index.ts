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
