import { expect, test } from 'vitest'
import { encodeModel } from '../onnx/index.ts'
import { cpuTime, largeModel, timeOpening } from './open.ts'

test('a model of 100 MB and 5,000 nodes is parsed and typed within a second', () => {
  const { nodes, bytes, parse, infer } = timeOpening(encodeModel(largeModel(5000, 100e6)), 3, cpuTime)
  expect(nodes).toBe(5000)
  expect(bytes).toBeGreaterThan(99e6)
  expect(parse + infer).toBeLessThan(1000)
})

test('four times the nodes take about four times as long', () => {
  const [small, large] = [5000, 20_000].map((nodes) => timeOpening(encodeModel(largeModel(nodes, 1e6)), 6, cpuTime))
  const ratio = ((large?.parse ?? 0) + (large?.infer ?? 0)) / ((small?.parse ?? 0) + (small?.infer ?? 0))
  // Something quadratic would give 16; a larger heap gives some slack.
  expect(ratio).toBeLessThan(8)
})
