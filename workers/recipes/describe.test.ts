import { expect, test } from 'vitest'
import type { Field, FieldType } from '../protocol/studio.ts'
import { builtins } from './builtin.ts'
import { describeAll, describeMethod } from './describe.ts'
import { pages } from './help/index.ts'
import { untranslated } from './help/options.ts'
import { recipeTitles } from './help/recipes.ts'
import { steps } from './registry.ts'

const methods = Object.values(steps).map(describeMethod)

/** Every field of a form, at any depth, and every description of a variant. */
function* within(type: FieldType): Generator<{ name?: string; hint?: string }> {
  if (type.kind === 'object') yield* all(type.fields)
  if (type.kind === 'list' || type.kind === 'table') yield* within(type.of)
  if (type.kind !== 'union') return
  for (const variant of type.variants) {
    if (variant.hint) yield { hint: variant.hint.en }
    yield* within(variant.type)
  }
}

function* all(fields: readonly Field[]): Generator<{ name?: string; hint?: string }> {
  for (const { name, hint, type } of fields) {
    yield { name, ...(hint ? { hint: hint.en } : {}) }
    yield* within(type)
  }
}

test('every method has a page, and every page a method', () => {
  expect(Object.keys(pages).sort()).toEqual(Object.keys(steps).sort())
})

test('every option, description and recipe is there in both languages', () => {
  const found = methods.flatMap(({ fields }) => [...all(fields)])
  const names = new Set(found.flatMap(({ name }) => name ?? []))
  const descriptions = new Set(found.flatMap(({ hint }) => hint ?? []))
  expect(names.size).toBeGreaterThan(100)
  expect(untranslated(names, descriptions)).toEqual([])
  expect(Object.keys(recipeTitles).sort()).toEqual(Object.keys(builtins).sort())
})

test('a page says in both languages what a method does, when it helps and when not', () => {
  for (const { title, help, does, helps, not, corrections, picture } of methods) {
    for (const text of [title, help, does, picture, ...helps, ...not, ...corrections]) {
      expect(text.en.trim()).not.toBe('')
      expect(text['zh-CN']).toMatch(/\p{Script=Han}/u)
    }
    expect(Math.min(helps.length, not.length)).toBeGreaterThan(0)
  }
})

test('simple fields are fields', () => {
  for (const [id, { simple }] of Object.entries(pages)) {
    const known = methods.find((method) => method.id === id)?.fields.map(({ name }) => name)
    expect(known).toEqual(expect.arrayContaining([...simple]))
  }
})

test('rules of single layers are fields that a layer can be named in', () => {
  const found = methods.flatMap(({ id, layers, fields }) => {
    const field = layers === undefined ? undefined : fields.find(({ name }) => name === layers)
    return layers === undefined ? [] : [[id, field && formOfRules(field.type)]]
  })
  expect(Object.fromEntries(found)).toEqual({
    train: 'list of names',
    finetune: 'list of names',
    prune: 'list of layer',
    slim: 'list of layer',
    sparsify: 'names',
    'prune-retrain': 'table',
    factorize: 'table',
    cluster: 'table',
    quantize: 'names',
    qat: 'names',
    adaround: 'names',
  })
})

const formOfRules = (type: FieldType): string | undefined => {
  if (type.kind === 'table') return 'table'
  if (type.kind === 'union') return type.variants.map((one) => formOfRules(one.type)).find((one) => one !== undefined)
  if (type.kind !== 'list') return undefined
  if (type.of.kind === 'text') return 'names'
  const key =
    type.of.kind === 'object' ? type.of.fields.find(({ name }) => ['layer', 'names'].includes(name)) : undefined
  return key && `list of ${key.name}`
}

test('a form knows types, bounds and defaults', () => {
  const form = new Map(methods.find(({ id }) => id === 'prune')?.fields.map((field) => [field.name, field]))
  expect(form.get('ratio')).toMatchObject({
    level: 'simple',
    default: 0.5,
    type: { kind: 'number', integer: false, min: 0, below: 1 },
  })
  expect(form.get('epochs')).toMatchObject({ type: { kind: 'number', integer: true, min: 0 } })
  expect(form.get('epochs')?.type).not.toHaveProperty('max')
  expect(form.get('scope')).toMatchObject({ type: { kind: 'choice', values: ['layer', 'global', 'sensitivity'] } })
  expect(form.get('rules')).toMatchObject({ default: [], type: { kind: 'list', of: { kind: 'object' } } })
  const factorize = methods.find(({ id }) => id === 'factorize')
  const rank = factorize?.fields.find(({ name }) => name === 'rank')?.type
  expect(
    rank?.kind === 'union' && rank.variants.map(({ type }) => type.kind === 'object' && type.fields[0]?.name),
  ).toEqual(['fixed', 'share', 'ratio', 'energy', 'evbmf', 'params', 'macs', 'latency'])
  const bits = methods.find(({ id }) => id === 'quantize')?.fields.find(({ name }) => name === 'bits')
  expect(bits?.type).toEqual({ kind: 'choice', values: [4, 8] })
})

test('all of it survives JSON', async () => {
  const described = await describeAll()
  expect(JSON.parse(JSON.stringify(described))).toEqual(described)
  expect(described.recipes.find(({ name }) => name === 'kd-tutorial')).toMatchObject({
    title: { en: 'The knowledge distillation tutorial', 'zh-CN': '知识蒸馏教程' },
    steps: ['train', 'distil'],
  })
})
