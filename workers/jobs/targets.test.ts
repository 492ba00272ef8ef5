import { expect, test } from 'vitest'
import { targetsMet } from './targets.ts'

const after = { accuracy: 0.97, bytes: 1000, latency: { medianMs: 2 } }

test('each target is compared with what was measured', () => {
  expect(targetsMet({ maxDrop: 0.01, latency: 2, bytes: 900 }, 0.99, after)).toEqual([
    { target: 'maxDrop', limit: 0.01, value: 0.99 - 0.97, met: false },
    { target: 'latency', limit: 2, value: 2, met: true },
    { target: 'bytes', limit: 900, value: 1000, met: false },
  ])
})

test('what was not measured is neither met nor missed', () => {
  expect(targetsMet({ maxDrop: 0.01 }, undefined, after)).toEqual([{ target: 'maxDrop', limit: 0.01 }])
  expect(targetsMet({}, 0.9, after)).toEqual([])
})
