import { expect, test } from 'vitest'
import { moved, paddedRange, zoomed } from './ticks.ts'

test('a y axis has some room, and none below zero for what is never negative', () => {
  expect(paddedRange(1, 2, false)).toEqual([0.94, 2.06])
  expect(paddedRange(0.01, 2, false)[0]).toBe(0)
  expect(paddedRange(-1, 1, false)).toEqual([-1.12, 1.12])
  expect(paddedRange(0, 0, false)).toEqual([0, 1])
  const [low, high] = paddedRange(0.001, 10, true)
  expect(low).toBeGreaterThan(0)
  expect(low).toBeLessThan(0.001)
  expect(high).toBeGreaterThan(10)
})

test('zooming keeps the place under the pointer, in the scale of the axis', () => {
  expect(zoomed({ min: 0, max: 100 }, { at: 25, factor: 0.5, logarithmic: false })).toEqual({ min: 12.5, max: 62.5 })
  const view = zoomed({ min: 1, max: 10_000 }, { at: 100, factor: 0.5, logarithmic: true })
  expect([view.min, view.max].map((v) => Math.round(v))).toEqual([10, 1000])
})

test('moving goes by a share of what is seen', () => {
  expect(moved({ min: 0, max: 100 }, { by: 0.1, logarithmic: false })).toEqual({ min: 10, max: 110 })
  expect(moved({ min: 1, max: 100 }, { by: 0.5, logarithmic: true })).toEqual({ min: 10, max: 1000 })
})
