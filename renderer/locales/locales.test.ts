import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { en } from './en.ts'
import { languageFor } from './index.ts'
import { zhCN } from './zh-CN.ts'

const flatten = (messages: object, prefix = ''): [string, string][] =>
  Object.entries(messages).flatMap(([key, value]) =>
    typeof value === 'string'
      ? [[`${prefix}${key}`, value] as [string, string]]
      : flatten(value as object, `${prefix}${key}.`),
  )

const english = new Map(flatten(en))
const chinese = new Map(flatten(zhCN))

const root = join(import.meta.dirname, '..')
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(vue|ts)$/.test(name) && !name.endsWith('.test.ts') && !name.startsWith('locales'))
  .map((name) => readFileSync(join(root, name), 'utf8'))

/** Keys as they are written in the code: t('a.b'), keypath="a.b", titleKey: 'a.b'. */
const literal = /'([a-z][a-zA-Z]*(?:\.[a-zA-Z-]+)+)'/g

test('both languages have the same keys, none is empty, and each asks for the same values', () => {
  expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort())
  const names = (text: string) => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))].sort()
  for (const [key, text] of english) {
    const translated = chinese.get(key) ?? ''
    expect(translated.trim(), key).not.toBe('')
    expect([key, names(translated)]).toEqual([key, names(text)])
  }
})

/** Codes of errors look like keys. */
const codes = new Set(['run.unknown', 'recipe.missing', 'data.gone', 'model.gone'])

test('every phrase that the code asks for is there', () => {
  const areas = new Set(Object.keys(en))
  const asked = sources.flatMap((text) => [...text.matchAll(/\bt\(\s*['"]([\w.-]+)['"]/g)].map(([, key]) => key ?? ''))
  expect(asked.length).toBeGreaterThan(100)
  expect(asked.filter((key) => !english.has(key))).toEqual([])
  const keyed = sources.flatMap((text) => [...text.matchAll(literal)].map(([, key]) => key ?? ''))
  const unknown = keyed.filter(
    (key) => areas.has(key.split('.')[0] ?? '') && /\.\w/.test(key) && !english.has(key) && !codes.has(key),
  )
  expect(unknown).toEqual([])
})

test('no phrase is left that nothing asks for', () => {
  const all = sources.join('\n')
  // Those whose last part is looked up by a value: `t(\`state.${state}\`)`.
  const byValue = [...all.matchAll(/[`]([a-z][a-zA-Z.]*)\.\$\{/g)].map(([, prefix]) => `${prefix}.`)
  const unused = [...english.keys()].filter(
    (key) =>
      !byValue.some((prefix) => key.startsWith(prefix)) &&
      !new RegExp(`['"\`]${key.replaceAll('.', '\\.')}['"\`]`).test(all),
  )
  expect(unused).toEqual([])
})

test('Chinese is written in Chinese', () => {
  // Units and names are the same in both.
  const same =
    /^(app\.name|recipe\.unitBytes|status\.cpu|duration\.range|project\.macs|run\.macs|command\.(english|chinese)|chart\.(value|marker\.lr)|devices\.speed)$/
  const untranslated = [...chinese].filter(([key, text]) => text === english.get(key) && !same.test(key))
  expect(untranslated).toEqual([])
})

test('the language follows the tag of the system', () => {
  expect(['zh', 'zh-TW', 'zh-Hans-CN', 'en-GB', 'de', 'zhx'].map(languageFor)).toEqual([
    'zh-CN',
    'zh-CN',
    'zh-CN',
    'en',
    'en',
    'en',
  ])
})
