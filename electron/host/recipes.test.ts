import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { studioCalls } from '../../workers/protocol/studio.ts'
import { handlers } from './api.ts'
import { observedSpeeds } from './observed.ts'
import type { ProjectFolder } from './project.ts'
import { TestHost } from './testing.ts'

const studio = new TestHost()
let project: ProjectFolder
beforeAll(async () => {
  await studio.start()
  project = await studio.host.create('Recipes')
})
afterAll(() => studio.remove())

const yaml = (epochs: number) => `# mine\nalambic: 1\nname: mine\nsteps:\n  - step: train\n    epochs: ${epochs}\n`
const lenet = { kind: 'zoo', id: 'lenet-5' } as const
const mnist = { kind: 'named', id: 'mnist' } as const
const plain = (step: Record<string, string | number>) => ({ alambic: 1, name: 'r', steps: [step] })

test('methods are told once, in both languages', async () => {
  const told = await handlers.methods(studio.host, {})
  expect(told.steps.find(({ id }) => id === 'prune')?.title).toEqual({ en: 'Prune channels', 'zh-CN': '剪通道' })
  expect(await handlers.methods(studio.host, {})).toBe(told)
})

test('a recipe is written, changed, listed and removed, as it was typed', async () => {
  const { host } = studio
  const made = await handlers.saveRecipe(host, { project: project.id, name: 'Für mich!', yaml: yaml(1) })
  expect(made).toMatchObject({ file: 'fur-mich.yaml', name: 'mine', steps: ['train'], yaml: yaml(1) })
  const second = await handlers.saveRecipe(host, { project: project.id, name: 'Für mich!', yaml: yaml(2) })
  expect(second.file).not.toBe(made.file)
  const { file, hash } = made
  const changed = await handlers.saveRecipe(host, { project: project.id, name: 'x', file, hash, yaml: yaml(3) })
  expect(changed.yaml).toBe(yaml(3))
  // Somebody who still has the first text does not overwrite the third.
  const late = handlers.saveRecipe(host, { project: project.id, name: 'x', file, hash, yaml: yaml(4) })
  await expect(late).rejects.toMatchObject({ code: 'recipe.changed' })
  expect(readFileSync(join(project.path, 'recipes', file), 'utf8')).toBe(yaml(3))
  writeFileSync(join(project.path, 'recipes', 'broken.yaml'), 'alambic: 1\nsteps: [')
  const listed = await handlers.recipes(host, {})
  expect(listed.map((one) => one.file).sort()).toEqual([...[file, second.file].sort(), 'broken.yaml'].sort())
  expect(listed.find((one) => one.file === 'broken.yaml')?.problem?.code).toBe('recipe.syntax')
  expect(await handlers.deleteRecipe(host, { project: project.id, file })).toEqual({ yaml: yaml(3) })
  expect(await handlers.recipes(host, { project: project.id })).toHaveLength(2)
})

test('a recipe is checked against the model, and what becomes of it is estimated', async () => {
  const { host } = studio
  const bad = { project: project.id, recipe: plain({ step: 'train', epochs: -1 }), model: lenet }
  expect((await handlers.checkRecipe(host, bad)).issues).toMatchObject([{ path: ['steps', 0, 'epochs'] }])
  const question = { project: project.id, recipe: plain({ step: 'train', epochs: 2 }), model: lenet, data: mnist }
  const { before, steps, latency } = await handlers.estimateRecipe(host, { ...question, limit: 1280 })
  expect(before).toMatchObject({ params: 431_080, macs: 2_293_000 })
  const [low = 0, high = 0] = steps[0]?.time ?? []
  expect(low).toBeGreaterThan(0)
  expect(high).toBeGreaterThan(low)
  expect(latency?.after).toBeCloseTo(latency?.before ?? -1)
})

test('what a run took tells how long the next one of its kind will', async () => {
  const { host } = studio
  const recipe = plain({ step: 'train', epochs: 4, batch: 16, validation: 0 })
  const model = { kind: 'zoo', id: 'lenet-300-100@0.1' } as const
  const plan = { project: project.id, recipe, model, data: mnist, limit: 800 }
  const guessed = (await handlers.estimateRecipe(host, plan)).steps[0]?.time ?? []
  const made = await handlers.createRun(host, studioCalls.createRun.parse(plan))
  const run = host.run(made.run)
  await studio.until(run, 'succeeded', 'failed', 'paused', 'interrupted')
  expect(run.state).toBe('succeeded')
  const [one] = observedSpeeds([run])
  expect(one).toMatchObject({ step: 'train', macs: 23_920 })
  const took = (one?.millisecondsPerSample ?? 0) * 4 * 800
  const [low = 0, high = 0] = (await handlers.estimateRecipe(host, plan)).steps[0]?.time ?? []
  expect(low).toBeLessThan(took)
  expect(high).toBeGreaterThan(took)
  expect(high / low).toBeCloseTo(1.69)
  expect(high / low).toBeLessThan((guessed[1] ?? 0) / (guessed[0] ?? 1))
  // Another step, or a net of another size, is another matter.
  expect(observedSpeeds([run]).filter(({ step }) => step !== 'train')).toEqual([])
}, 60_000)

test('samples are shown as they are stored and as the model sees them', async () => {
  const preprocessing = { mean: [0.5], std: [0.5] }
  const asked = { project: project.id, data: mnist, model: lenet, preprocessing, count: 5, seed: 1 }
  const { samples, counts, dims, mean } = await handlers.previewData(studio.host, asked)
  expect(counts).toMatchObject({ test: 10_000 })
  expect(dims).toEqual([1, 28, 28])
  expect(samples).toHaveLength(5)
  expect(samples[0]?.range).toEqual([-1, 1])
  expect(mean).toBeGreaterThan(-1)
  // Least to largest is black to white in both, so the pictures are the same.
  expect([...(samples[0]?.seen?.pixels ?? [])]).toEqual([...(samples[0]?.image?.pixels ?? [])])
})

test('an untrained net is no better than chance, and that is said', async () => {
  const asked = { project: project.id, job: 'b1', data: mnist, model: lenet, samples: 300 }
  const found = await handlers.checkBaseline(studio.host, asked)
  expect(found).toMatchObject({ n: 300, classes: 10, chance: 0.1, nearChance: true })
})
