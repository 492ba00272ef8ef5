export { benchmarkNets, type BenchmarkId } from './benchmark.ts'
export type { ZooOptions } from './plan.ts'
export { buildZoo, zoo, type ZooEntry, type ZooId } from './zoo.ts'
