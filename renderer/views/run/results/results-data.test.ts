import { expect, test } from 'vitest'
import type { RunEvent } from '../../../../workers/protocol/worker.ts'
import { mapTable, searchSoFar } from './search.ts'
import { packStages } from './waterfall.ts'

const event = (kind: string, data: object): RunEvent => ({ seq: 1, time: '', kind, data: { ...data } })
const costs = { latency: 1, bytes: 100, packed: 90, params: 10 }

test('a search that was resumed tells its trials again: each counts once, and what is not readable not at all', () => {
  const trial = { candidate: 'int8', kind: 'int8', epochs: 0, costs, accuracy: 0.9, cost: 1, meetsTarget: true }
  const line = { layer: 'conv1', technique: '8-bit weights', family: 'quantization', drop: 0.1, params: 0, bytes: 0.2 }
  const so = searchSoFar([
    event('search', { target: 'macs=50%' }),
    event('sensitivity', line),
    event('trial', { ...trial, costs: { ...costs, macs: Infinity } }),
    event('trial', { ...trial, accuracy: 0.8 }),
    event('trial', { candidate: 'broken' }),
    event('trial-refused', {}),
    event('sensitivity', { ...line, drop: 0.3 }),
    event('sensitivity', { ...line, layer: 'conv2', technique: 'low rank' }),
  ])
  expect(so.start).toBeUndefined()
  expect(so.trials.map(({ accuracy }) => accuracy)).toEqual([0.8])
  expect(so.refused).toBe(1)
  const { layers, techniques, values } = mapTable(so.map, ({ drop }) => drop)
  expect([layers, techniques.map(({ technique }) => technique)]).toEqual([
    ['conv1', 'conv2'],
    ['8-bit weights', 'low rank'],
  ])
  expect(values).toEqual([
    [0.3, NaN],
    [NaN, 0.1],
  ])
})

test('the bytes of a container by zeros, shared values and codes, each in fixed lengths but the last', () => {
  const weights = { name: 'w', elements: 1000, nonZeros: 100, rawBytes: 4000, packedBytes: 90 }
  const tensors = [{ ...weights, positions: 4, fillers: 12, codebook: 16 }]
  const stages = packStages({ bytes: 290, rawBytes: 4200, ratio: 14, skeletonBytes: 200, tensors })
  // 112 gaps of 4 bits and 100 floats; then 4 bits for each weight and 16 floats.
  expect(stages).toEqual([
    { id: 'raw', bytes: 4200 },
    { id: 'pruned', bytes: 200 + 56 + 400 },
    { id: 'shared', bytes: 200 + 56 + 50 + 64 },
    { id: 'huffman', bytes: 290 },
  ])
  const dense = [{ ...weights, nonZeros: 1000, positions: 'dense' as const, fillers: 0, codebook: 0 }]
  const plain = packStages({ bytes: 3900, rawBytes: 4200, ratio: 1.1, skeletonBytes: 200, tensors: dense })
  expect(plain.map(({ id }) => id)).toEqual(['raw', 'huffman'])
})
