import { expect, test } from 'vitest'
import { buildZoo } from '../zoo/index.ts'
import { recipeIssues } from './issues.ts'

const model = buildZoo('lenet-5', { seed: 1 })
const recipe = (...steps: object[]) => ({ alambic: 1, name: 'r', steps })
const short = (plain: unknown, around = {}) =>
  recipeIssues(plain, around).map(({ severity, path, code }) => `${severity} ${path.join('.')} ${code}`)

test('everything that a schema refuses is told, each at its field', () => {
  expect(short(recipe({ step: 'train', epochs: -1, batch: 'many', fast: true }, { step: 'shrink' }))).toEqual([
    'error steps.0.epochs recipe.invalid',
    'error steps.0.batch recipe.invalid',
    'error steps.0.fast recipe.invalid',
    'error steps.1.step recipe.step',
  ])
  expect(short({ alambic: 2, name: 'a b', steps: [], extra: 1 })).toEqual([
    'error alambic recipe.invalid',
    'error name recipe.invalid',
    'error steps recipe.invalid',
    'error extra recipe.invalid',
  ])
  expect(short(null)).toEqual(['error  recipe.invalid'])
})

test('a recipe that suits model and data has no issues', () => {
  const good = recipe({ step: 'prune', ratio: 0.5, rules: [{ layer: 'conv*', ratio: 0.2 }] }, { step: 'finetune' })
  expect(recipeIssues(good, { model, samples: { train: 60_000 } })).toEqual([])
})

test('data that cannot be trained on is an error at the field that asks for it', () => {
  expect(short(recipe({ step: 'train' }), { samples: { test: 100 } })).toEqual(['error steps.0.epochs data.no-train'])
  expect(short(recipe({ step: 'train', validation: 0 }), { samples: { train: 100 } })).toEqual([
    'error steps.0.batch train.too-few',
  ])
  expect(short(recipe({ step: 'train', validation: 5000 }), { samples: { train: 100 } })).toEqual([
    'error steps.0.validation data.validation',
  ])
  expect(short(recipe({ step: 'prune', recover: 'none' }, { step: 'pack' }), { model })).toEqual([])
})

test('a pattern without a layer and a bad order are warnings', () => {
  const odd = recipe({ step: 'quantize', exclude: ['nothing*'] }, { step: 'prune' })
  expect(short(odd, { model })).toEqual([
    'warning steps.0.exclude.0 model.no-layer',
    'warning steps.1.step recipe.order',
  ])
})

test('what a step says of the model beforehand is an error', () => {
  const graph = model.graph.with({ nodes: [], outputs: [] })
  expect(short(recipe({ step: 'prune' }), { model: { ...model, graph } })).toEqual([
    'error steps.0.step recipe.preflight',
  ])
})
