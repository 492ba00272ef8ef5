import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { chineseMethodReasons } from './method-reasons.ts'
import { chineseProblems } from './problem-reasons.ts'
import { chineseReasons, explain, explainUse } from './reasons.ts'

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

/** Sentences that methods say of nodes: strings in the files of their rules that are no codes, units or fixes. */
const methodFiles = [
  ...readdirSync(join(root, 'ops/gradient')).map((name) => `ops/gradient/${name}`),
  'ops/gradient.ts',
  'ops/quant.ts',
  'passes/factorize/layers.ts',
  'jobs/inspector/reach.ts',
].filter((name) => !name.endsWith('.test.ts'))

/** Parts of errors that end a run, not reasons beside a node. */
const errors = /^one or two operands|^no gradient for Resize|^a constant$|^a value computed/

test('every reason that a method gives for leaving a node alone is there in Chinese', () => {
  const said = methodFiles.flatMap((name) => {
    const code = readFileSync(join(root, name), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    return [...code.matchAll(/'([a-z][a-z,;:-]*(?: [\w,;:-]+)+)'/gi)].map(([, text]) => text ?? '')
  })
  expect(said.length).toBeGreaterThan(40)
  const missing = [...new Set(said)].filter((text) => !errors.test(text) && explain(text, 'zh-CN') === text)
  expect(missing).toEqual([])
})

test('problems of steps and uses of axes are said whole', () => {
  expect(explainUse('output channels of node "a, b" (Conv), bias of node "a, b" (Conv)', 'zh-CN')).toBe(
    '节点“a, b”(Conv)的输出通道，节点“a, b”(Conv)的偏置',
  )
  expect(
    explain(
      'no gradient goes through node "q" (QuantizeLinear): its output is boolean; node "r" (Round): control flow',
      'zh-CN',
    ),
  ).toBe('梯度无法通过：节点“q”(QuantizeLinear)：它的输出是布尔值；节点“r”(Round)：控制流')
  expect(explain('Nothing of this model can be pruned: node "a" (Conv): it looks rows up.', 'zh-CN')).toBe(
    '此模型没有可剪的部分：节点“a”(Conv)：它按行查表。',
  )
  expect(explain('its weight is shared by 3 readers', 'zh-CN')).toBe('它的权重被 3 个节点共用')
})

test('what is wrong with recipes is there in Chinese', () => {
  const why = [...readFileSync(join(root, 'recipes/order.ts'), 'utf8').matchAll(/why: '(.*)'/g)].map(
    ([, text]) => text ?? '',
  )
  expect(why.length).toBeGreaterThan(6)
  expect(why.filter((text) => explain(text, 'zh-CN') === text)).toEqual([])
  const { error } = z
    .strictObject({ epochs: z.number().min(0), lr: z.number().positive(), mode: z.enum(['a', 'b']) })
    .safeParse({
      epochs: -1,
      lr: 'x',
      mode: 'c',
      more: 1,
    })
  const said = (error?.issues ?? []).map(({ message }) => explain(message, 'zh-CN'))
  expect(said).toEqual([
    '太小：数值应 >=0',
    '输入无效：应为 number，实为 string',
    '选项无效：应为 "a"|"b" 之一',
    '不认识的键："more"',
  ])
  expect(explain('after step 1: weights are integers by then: do it while they are float', 'zh-CN')).toBe(
    '在第 1 步之后：那时权重已是整数：请在浮点时做',
  )
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
  expect(explain('only 8 samples were calibrated with; ranges settle at about 100 to 300', 'zh-CN')).toMatch(
    /^仅用 8 个样本/,
  )
  expect(explain('the processor multiplies int8 natively (avx512_vnni, amx_int8)', 'zh-CN')).toBe(
    '处理器原生支持 int8 乘法（avx512_vnni, amx_int8）',
  )
  expect(explain('something new', 'zh-CN')).toBe('something new')
})

test('a translation asks for what the sentence has', () => {
  const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()
  for (const [english, chinese] of Object.entries({ ...chineseReasons, ...chineseMethodReasons, ...chineseProblems }))
    expect(names(chinese)).toEqual(names(english))
})
