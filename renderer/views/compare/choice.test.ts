import { expect, test } from 'vitest'
import { withRun } from './choice.ts'

const run = { run: 'p.r', project: 'p', model: { name: 'lenet', model: 'abc' } }

test('a run is pinned beside what it began with, once', () => {
  const first = withRun({ pins: [] }, run)
  expect(first).toEqual({ baseline: 'model:p/abc', pins: ['model:p/abc', 'run:p.r'] })
  expect(withRun(first, run)).toEqual(first)
})

test('a baseline that was chosen stays, and a run on a net of the zoo is its own', () => {
  expect(withRun({ baseline: 'run:p.a', pins: ['run:p.a'] }, run)).toEqual({
    baseline: 'run:p.a',
    pins: ['run:p.a', 'run:p.r'],
  })
  expect(withRun({ pins: [] }, { ...run, model: { name: 'lenet-5' } })).toEqual({
    baseline: 'run:p.r',
    pins: ['run:p.r'],
  })
})
