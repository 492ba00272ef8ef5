import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { studioCalls, type ModelPlace } from '../../workers/protocol/studio.ts'
import { handlers } from './api.ts'
import { fieldsOf } from './compare.ts'
import type { ProjectFolder } from './project.ts'
import { startTraining, TestHost } from './testing.ts'

const studio = new TestHost()
let project: ProjectFolder
let large: ModelPlace
let small: ModelPlace

async function add(id: string, parent?: string): Promise<ModelPlace> {
  const file = join(studio.home, `${id.replace(/\W/g, '-')}.onnx`)
  const made = spawnSync(process.execPath, [join(import.meta.dirname, '../../e2e/make-model.ts'), id, file])
  expect(made.status, made.stderr.toString()).toBe(0)
  const inspected = await studio.host.service.call('inspect', { model: file })
  const { model } = await project.models.add(file, {
    name: id,
    origin: { kind: 'import', from: file },
    inspected,
    parent,
  })
  return { project: project.id, model }
}

beforeAll(async () => {
  await studio.start()
  project = await studio.host.create('Compared')
  large = await add('lenet-300-100@0.2')
  small = await add('lenet-300-100@0.1', large.model)
})
afterAll(() => studio.remove())

const data = () => ({ project: project.id, choice: { kind: 'named', id: 'mnist' } }) as const

test('models are measured together, and what was measured is kept with them', async () => {
  const request = studioCalls.compareModels.parse({
    job: 'a',
    models: [large, small],
    data: data(),
    runs: 5,
    threads: 1,
  })
  const [first, second] = await handlers.compareModels(studio.host, request)
  expect(first).toMatchObject(large)
  expect(second?.measured).toMatchObject({ n: 10_000, latency: { n: 5, threads: 1 } })
  expect(project.models.get(small.model).measured).toMatchObject({ accuracy: second?.measured['accuracy'] })
  // A later measurement without data does not forget the accuracy.
  await handlers.compareModels(studio.host, studioCalls.compareModels.parse({ job: 'b', models: [small], runs: 3 }))
  expect(project.models.get(small.model).measured).toMatchObject({ accuracy: second?.measured['accuracy'], n: 10_000 })
})

test('predictions, pictures and the difference of graphs come from other processes', async () => {
  const request = studioCalls.predictions.parse({ job: 'c', models: [large, small], data: data() })
  const { labels, models } = await handlers.predictions(studio.host, request)
  expect(models.map(({ model, predictions }) => [model, predictions.length])).toEqual([
    [large.model, labels.length],
    [small.model, labels.length],
  ])
  const pictures = await handlers.pictures(studio.host, studioCalls.pictures.parse({ data: data(), indices: [3] }))
  expect(pictures).toMatchObject([{ index: 3, image: { width: 28, height: 28, channels: 1 } }])
  const { counts, layers } = await handlers.diffModels(studio.host, { before: large, after: small })
  expect(counts.changed).toBe(3)
  expect(layers.map(({ before, after }) => [before?.channels, after?.channels])).toEqual([[60, 30], [20, 10], [10, 10]]) // prettier-ignore
})

test('an export is verified, listed, and fetched with all that lies beside it', async () => {
  const request = studioCalls.exportAs.parse({ ...small, job: 'd', format: 'folder', samples: 4 })
  const made = await handlers.exportAs(studio.host, request)
  expect(made.report.verification).toMatchObject({ passed: true, samples: 4, inputs: 'random' })
  expect(await handlers.exports(studio.host, { project: project.id })).toEqual([made])
  const { path } = await handlers.fetchExport(studio.host, { project: project.id, id: made.id })
  const names = Object.keys(unzipSync(readFileSync(path)))
  expect(names.some((name) => name.endsWith('/node/run.mjs'))).toBe(true)
  expect(names.filter((name) => name.endsWith('.card.zh-CN.md'))).toHaveLength(1)
  const wrong = studioCalls.exportAs.parse({ ...small, job: 'e', format: 'qdq' })
  await expect(handlers.exportAs(studio.host, wrong)).rejects.toMatchObject({ code: 'export.no-data' })
  expect(await handlers.exports(studio.host, { project: project.id })).toHaveLength(1)
  const missing = handlers.fetchExport(studio.host, { project: project.id, id: 'none' })
  await expect(missing).rejects.toMatchObject({ code: 'export.unknown' })
})

test('the settings of runs are flat, with the best and the last accuracy', async () => {
  const run = await startTraining(studio, project, { epochs: 2, augmentation: { flip: 0.5 } })
  await studio.until(run, 'succeeded')
  const [found] = await handlers.runFields(studio.host, { project: project.id })
  expect(found?.fields).toMatchObject({
    seed: 42,
    data: 'mnist',
    '1 train.epochs': 2,
    '1 train.augmentation.flip': 0.5,
  })
  expect(found?.fields['folder']).toBeUndefined()
  expect(found?.best).toBeGreaterThanOrEqual(found?.last ?? 1)
  expect(fieldsOf(run)).toEqual(found)
})

test('a deleted model is in the bin, and comes back', async () => {
  await expect(handlers.deleteModel(studio.host, large)).rejects.toMatchObject({ code: 'model.used' })
  const { id, kind } = await handlers.deleteModel(studio.host, small)
  expect([kind, project.models.has(small.model)]).toEqual(['model', false])
  expect(await handlers.restore(studio.host, { id })).toEqual({ project: project.id })
  expect(project.models.has(small.model)).toBe(true)
  expect(existsSync(project.models.path(small.model))).toBe(true)
})
