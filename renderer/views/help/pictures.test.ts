import { expect, test } from 'vitest'
import { steps } from '../../../workers/recipes/registry.ts'
import { pictures } from './pictures.ts'

test('every method has a picture, and no two look alike', () => {
  expect(Object.keys(pictures).sort()).toEqual(Object.keys(steps).sort())
  expect(new Set(Object.values(pictures).map((shapes) => JSON.stringify(shapes))).size).toBe(
    Object.keys(pictures).length,
  )
})

test('nothing lies outside of the field', () => {
  for (const [method, shapes] of Object.entries(pictures)) {
    for (const shape of shapes) {
      if (shape.kind !== 'box') continue
      const inside = shape.x >= 0 && shape.y >= 0 && shape.x + shape.w <= 480 && shape.y + shape.h <= 160
      expect([method, shape, inside]).toEqual([method, shape, true])
    }
  }
})
