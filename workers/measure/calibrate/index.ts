export * from './calibrate.ts'
export { Histogram } from './histogram.ts'
