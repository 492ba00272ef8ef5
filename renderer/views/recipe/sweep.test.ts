import { expect, test } from 'vitest'
import { grid, pointTitle, random, valuesOf } from './sweep.ts'

test('values are lists or ranges', () => {
  expect(valuesOf('0.1, 0.5')).toEqual({ list: [0.1, 0.5] })
  expect(valuesOf('l1, taylor')).toEqual({ list: ['l1', 'taylor'] })
  expect(valuesOf('true, false')).toEqual({ list: [true, false] })
  expect(valuesOf('1..5')).toEqual({ low: 1, high: 5, whole: true })
  expect(valuesOf('1e-4..0.1')).toEqual({ low: 1e-4, high: 0.1, whole: false })
  expect(['', '5..1', '[', '1,,2'].map(valuesOf)).toEqual([undefined, undefined, undefined, undefined])
})

test('a grid has every combination', () => {
  const axes = [
    { path: 'steps.0.ratio', text: '0.3, 0.5' },
    { path: 'steps.1.epochs', text: '1..3' },
  ]
  const points = grid(axes)
  expect(points).toHaveLength(6)
  expect(points[1]).toEqual({ 'steps.0.ratio': 0.3, 'steps.1.epochs': 2 })
  expect(points.map(pointTitle)[0]).toBe('ratio=0.3, epochs=1')
  expect(grid([{ path: 'steps.0.ratio', text: '0.1..0.9' }]).map((p) => p['steps.0.ratio'])).toEqual([
    0.1, 0.3, 0.5, 0.7, 0.9,
  ])
})

test('random points stay inside, and come again by their seed', () => {
  const axes = [
    { path: 'steps.0.lr', text: '0.0001..0.1' },
    { path: 'steps.0.batch', text: '8..16' },
    { path: 'steps.0.method', text: 'l1, l2' },
  ]
  const points = random(axes, 50, 7)
  expect(random(axes, 50, 7)).toEqual(points)
  expect(random(axes, 50, 8)).not.toEqual(points)
  for (const point of points) {
    expect(point['steps.0.lr']).toBeGreaterThanOrEqual(0.0001)
    expect(point['steps.0.lr']).toBeLessThanOrEqual(0.1)
    expect([8, 9, 10, 11, 12, 13, 14, 15, 16]).toContain(point['steps.0.batch'])
    expect(['l1', 'l2']).toContain(point['steps.0.method'])
  }
  // By its logarithm: about half of them lie below the geometric mean.
  const low = points.filter((point) => (point['steps.0.lr'] as number) < 0.00316).length
  expect(low).toBeGreaterThan(12)
  expect(low).toBeLessThan(38)
})
