import { describe, expect, test } from 'vitest'
import { schedule, type ScheduleSpec } from './schedules.ts'

const at = (spec: ScheduleSpec, steps: readonly number[], total = 100) =>
  steps.map((step) => Number(schedule(spec)(step, total).toFixed(6)))

describe('schedules', () => {
  test('constant, and a linear warm-up before it', () => {
    expect(at({ kind: 'constant' }, [0, 50, 99])).toEqual([1, 1, 1])
    expect(at({ kind: 'constant', warmup: 4 }, [0, 1, 2, 3, 4])).toEqual([0.25, 0.5, 0.75, 1, 1])
  })

  test('step falls by gamma at every milestone', () => {
    expect(at({ kind: 'step', milestones: [0.5, 0.75], gamma: 0.1 }, [0, 49, 50, 74, 75, 99])).toEqual([
      1, 1, 0.1, 0.1, 0.01, 0.01,
    ])
  })

  test('cosine goes from 1 to its floor, half-way at the middle', () => {
    expect(at({ kind: 'cosine' }, [0, 25, 50, 75])).toEqual([1, 0.853553, 0.5, 0.146447])
    expect(at({ kind: 'cosine', floor: 0.1 }, [50, 100])).toEqual([0.55, 0.1])
  })

  test('one-cycle rises to 1 at its peak and ends near nothing', () => {
    const [start = 0, peak = 0, end = 0] = at({ kind: 'one-cycle', peak: 0.3 }, [0, 30, 100], 101)
    expect(start).toBe(0.04)
    expect(peak).toBe(1)
    expect(end).toBeLessThan(1e-5)
  })
})
