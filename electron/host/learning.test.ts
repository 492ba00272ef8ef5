import { afterAll, beforeAll, expect, test } from 'vitest'
import { handlers } from './api.ts'
import type { ProjectFolder } from './project.ts'
import { TestHost } from './testing.ts'

const studio = new TestHost()
let project: ProjectFolder
beforeAll(async () => {
  await studio.start()
  project = await studio.host.create('Teaching')
})
afterAll(() => studio.remove())

const model = { kind: 'zoo', id: 'lenet-5@0.5' } as const

test('both nets of a step are told with their pairs, or with why nothing fits', async () => {
  const { host } = studio
  const ask = (options: Record<string, string | string[] | { student: string; teacher: string }[]>) =>
    handlers.distilPairing(host, { project: project.id, model, options })
  const found = await ask({ student: 'thin:0.5', losses: ['at'] })
  expect(found.pairs.map(({ teacher }) => teacher)).toContain('conv2')
  expect(found.problem).toBeUndefined()
  const wrong = await ask({ student: 'thin:0.5', losses: ['at'], pairs: [{ student: 'conv1', teacher: 'nothing' }] })
  expect(wrong.problem).toMatchObject({ code: 'distil.unknown-feature', subject: 'nothing' })
  expect(wrong.teacher.length).toBeGreaterThan(3)
})

test('students are counted at once and timed once', async () => {
  const { host } = studio
  const ask = (job: string, measure: boolean) => handlers.students(host, { project: project.id, job, model, measure })
  const counted = await ask('count', false)
  expect(counted.teacher.latency).toBeUndefined()
  const timed = await ask('time', true)
  expect(timed.students.map(({ student }) => student)).toEqual(counted.students.map(({ student }) => student))
  expect(timed.students.every(({ latency }) => (latency?.medianMs ?? 0) > 0)).toBe(true)
  expect(await ask('again', true)).toBe(timed)
  expect(await ask('later', false)).toBe(timed)
})

test('samples made of a model are a data set of its project', async () => {
  const { host } = studio
  const common = { project: project.id, job: 'make', model, name: 'Made', samples: 8 }
  await expect(handlers.synthesizeData(host, { ...common, method: 'statistics' })).rejects.toThrow()
  const made = await handlers.synthesizeData(host, { ...common, method: 'noise' })
  expect(made).toMatchObject({ name: 'Made', samples: { train: 8 }, kind: 'folder' })
  expect((await handlers.datasets(host, { project: project.id })).map(({ dataset }) => dataset)).toEqual([made.dataset])
})
