import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readError } from '../format/errors.ts'
import { errorAreas, errorTexts } from './zh-CN/errors.ts'

const root = join(import.meta.dirname, '../..')
const sources = ['electron', 'workers', 'renderer']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(root, folder, name)),
  )
  .filter((name) => name.endsWith('.ts') && !/\.test\.ts$|[\\/](?:testing|bench|locales|node_modules)[\\/]/.test(name))
  .map((name) => readFileSync(name, 'utf8'))

/** As errors are made: by their constructor, or as a plain value that crosses a border. */
const made = /AlambicError\(\s*['`]([a-z-]+(?:\.[a-z-]+)+)['`]|\bcode: '([a-z-]+\.[a-z-]+)'/g
const codes = new Set(sources.flatMap((text) => [...text.matchAll(made)].map(([, a, b]) => a ?? b ?? '')))

test('every error that can be shown has words in Chinese, at least those of its area', () => {
  expect(codes.size).toBeGreaterThan(200)
  expect([...codes].filter((code) => !(code in errorTexts) && !((code.split('.')[0] ?? '') in errorAreas))).toEqual([])
})

test('what the studio itself finds is translated by its own code', () => {
  const own = /^(?:bin|export|host|import|job|path|project|run|upload|worker)\./
  expect([...codes].filter((code) => own.test(code) && !(code in errorTexts))).toEqual([])
})

test('no code is translated that nothing throws', () => {
  const all = sources.join('\n')
  expect(Object.keys(errorTexts).filter((code) => !all.includes(`'${code}'`))).toEqual([])
})

const error = {
  code: 'model.used',
  message: 'another model or a run was made from this model',
  subject: 'lenet',
  fix: 'Delete that first.',
}

test('English is what was said; in Chinese the code speaks, and what was said stays as a detail', () => {
  expect(readError(error, 'en')).toEqual({ message: error.message, fix: error.fix })
  expect(readError(error, 'zh-CN')).toEqual({
    message: '有其他模型或运行由它而来：lenet',
    fix: '请先删除那些。',
    original: 'another model or a run was made from this model Delete that first.',
  })
  expect(readError({ code: 'onnx.varint', message: 'm' }, 'zh-CN').message).toBe('ONNX 文件有问题')
  expect(readError({ code: 'else.where', message: 'm' }, 'zh-CN')).toEqual({ message: 'm', fix: undefined })
})
