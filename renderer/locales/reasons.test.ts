import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { chineseReasons, explain } from './reasons.ts'

const root = join(import.meta.dirname, '../../workers')
const files = [
  ...readdirSync(join(root, 'ops/coupling')).map((name) => `ops/coupling/${name}`),
  'ops/coupling.ts',
  'passes/prune/analysis.ts',
  'passes/prune/groups.ts',
].filter((name) => !name.endsWith('.test.ts'))

/** Texts of the rules: sentences in quotes, outside comments. Names of roles and attributes are no sentences. */
const sentences = files.flatMap((name) => {
  const code = readFileSync(join(root, name), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  return [...code.matchAll(/'([a-z][a-z,;-]*(?: [\w,;-]+)+)'/gi)].map(([, text]) => text ?? '')
})

test('every reason that the rules of operators give is there in Chinese', () => {
  expect(sentences.length).toBeGreaterThan(80)
  expect([...new Set(sentences)].filter((text) => explain(text, 'zh-CN') === text)).toEqual([])
})

test('nodes, values and operators keep their names', () => {
  expect(explain('node "add1" (Add): Add combines them element by element', 'zh-CN')).toBe(
    '节点“add1”(Add)：Add 将它们逐元素合并',
  )
  expect(explain('node "a: b" (my.own.Blur): operator my.own::Blur is unknown here', 'zh-CN')).toBe(
    '节点“a: b”(my.own.Blur)：此处不认识算子 my.own::Blur',
  )
  expect(explain('the Reshape node that computes "h": its rows are 4·16 elements', 'zh-CN')).toBe(
    '计算“h”的 Reshape 节点：它的每行有 4·16 个元素',
  )
  expect(explain('it is the output "logits"', 'zh-CN')).toBe('它是输出“logits”')
  expect(explain('it is the output "logits"', 'en')).toBe('it is the output "logits"')
  expect(explain('something new', 'zh-CN')).toBe('something new')
})

test('a translation asks for what the sentence has', () => {
  const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()
  for (const [english, chinese] of Object.entries(chineseReasons)) expect(names(chinese)).toEqual(names(english))
})
