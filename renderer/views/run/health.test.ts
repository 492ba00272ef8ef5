import { expect, test } from 'vitest'
import { Column } from '../../charts/column.ts'
import { healthOf, type Signs } from './health.ts'

const column = (values: readonly number[]): Column => {
  const made = new Column()
  made.append(values)
  return made
}
const running = { state: 'running' as const }
const signs = (loss: readonly number[], accuracy: readonly number[] = [], run: Signs['run'] = running): Signs => ({
  run,
  loss: column(loss),
  steps: column(loss.map((_, i) => i + 1)),
  accuracy: column(accuracy),
  measuredAt: column(accuracy.map((_, i) => 10 * (i + 1))),
})
const falling = Array.from({ length: 400 }, (_, i) => 1 / (1 + i / 40) + 0.05 * Math.sin(i))

test('a loss that falls with noise is healthy, and so is one of few steps', () => {
  expect(healthOf(signs(falling, [0.1, 0.2, 0.3]))).toEqual([])
  expect(healthOf(signs([1, 2, 4, 8, 16]))).toEqual([])
})

test('a loss that rises to twice its lowest diverges, from where it was lowest', () => {
  const [found, ...others] = healthOf(signs([...falling, ...Array.from({ length: 100 }, (_, i) => 0.1 + i / 50)], []))
  expect(others).toEqual([])
  expect(found?.kind).toBe('divergence')
  expect(found?.step).toBeGreaterThan(300)
  expect(found?.step).toBeLessThanOrEqual(402)
})

test('five measurements without a better one are a plateau', () => {
  expect(healthOf(signs(falling, [0.5, 0.9, 0.8, 0.9, 0.9, 0.85]))).toEqual([])
  expect(healthOf(signs(falling, [0.5, 0.9, 0.8, 0.9, 0.9, 0.85, 0.89]))).toEqual([
    { kind: 'plateau', step: 20, amount: 5 },
  ])
})

test('waiting for samples most of the time is starving, while it goes', () => {
  const progress = { activity: 'train', done: 1, total: 2, elapsed: 1, values: {}, waiting: 0.7 }
  expect(healthOf(signs(falling, [], { ...running, progress }))).toEqual([{ kind: 'starved', amount: 0.7 }])
  expect(healthOf(signs(falling, [], { state: 'paused', progress }))).toEqual([])
})

test('the guard against values that are no numbers comes before everything', () => {
  const halt = { cause: 'not-finite' as const, time: '', atStep: 7 }
  expect(healthOf(signs([...falling, NaN], [], { state: 'paused', halt }))).toEqual([{ kind: 'nan', step: 7 }])
  expect(healthOf(signs(falling, [], { state: 'succeeded' }))).toEqual([])
})
