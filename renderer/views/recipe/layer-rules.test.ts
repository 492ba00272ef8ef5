import { expect, test } from 'vitest'
import type { FieldType } from '../../../workers/protocol/studio.ts'
import { ruleFor, ruleForm, withRule } from './layer-rules.ts'

const share: FieldType = { kind: 'number', integer: false, min: 0, max: 1 }
const text: FieldType = { kind: 'text' }
const field = (name: string, label = name) => ({ name, label: { en: label, 'zh-CN': label }, level: 'simple' as const })

const exclude = { name: 'exclude', type: { kind: 'list', of: text } as FieldType }
const rules = {
  name: 'rules',
  type: {
    kind: 'list',
    of: {
      kind: 'object',
      open: false,
      fields: [
        { ...field('layer'), required: true, type: text },
        { ...field('ratio'), required: false, type: share },
      ],
    },
  } as FieldType,
}
const bits = { name: 'bits', type: { kind: 'table', of: { kind: 'number', integer: true } } as FieldType }
const keep = {
  name: 'keep',
  type: { kind: 'union', variants: [{ type: share }, { type: { kind: 'table', of: share } }] } as FieldType,
}

const conv = { node: '/conv1/Conv', weight: 'conv1.weight' }
const dense = { node: '/fc/Gemm', weight: 'fc.weight' }

test('a form knows how each kind of field names layers', () => {
  expect([exclude, rules, bits, keep].map(({ type }) => ruleForm(type)?.kind)).toEqual([
    'names',
    'list',
    'table',
    'table',
  ])
  expect(ruleForm(share)).toBeUndefined()
  const form = ruleForm(rules.type)
  expect(form?.kind === 'list' && [form.key, form.of.fields.map(({ name }) => name)]).toEqual(['layer', ['ratio']])
})

test('rules are added by the name that the step knows, and go without a trace', () => {
  const named = withRule(exclude, undefined, [conv, dense], true)
  expect(named).toEqual(['/conv1/Conv', '/fc/Gemm'])
  expect(withRule(exclude, named, [conv], undefined)).toEqual(['/fc/Gemm'])
  expect(withRule(exclude, ['/fc/Gemm'], [dense], undefined)).toBeUndefined()

  const pruned = withRule(rules, [{ layer: 'fc*', ratio: 0.2 }], [conv], { ratio: 0 })
  expect(pruned).toEqual([
    { layer: 'fc*', ratio: 0.2 },
    { layer: 'conv1.weight', ratio: 0 },
  ])
  expect(withRule(rules, pruned, [conv], { ratio: 0.3 })).toEqual([
    { layer: 'fc*', ratio: 0.2 },
    { layer: 'conv1.weight', ratio: 0.3 },
  ])
  expect(withRule(bits, { '*': 8 }, [dense], 4)).toEqual({ 'fc.weight': 4, '*': 8 })
})

test('one share for all stays the share of all others', () => {
  const own = withRule(keep, 0.5, [conv], 0.9)
  expect(own).toEqual({ 'conv1.weight': 0.9, '*': 0.5 })
  expect(withRule(keep, 0.5, [conv], undefined)).toBe(0.5)
})

test('of several rules the one counts that the step goes by', () => {
  const list = ruleForm(rules.type)
  const table = ruleForm(bits.type)
  if (!list || !table) throw new Error('no form')
  const many = [
    { layer: '*', ratio: 0.1 },
    { layer: 'conv1.*', ratio: 0.2 },
  ]
  expect(ruleFor(list, many, conv)).toEqual({ pattern: 'conv1.*', value: { ratio: 0.2 } })
  expect(ruleFor(list, many, dense)).toEqual({ pattern: '*', value: { ratio: 0.1 } })
  expect(ruleFor(table, { 'fc.weight': 4, '*': 8 }, dense)).toEqual({ pattern: 'fc.weight', value: 4 })
  expect(ruleFor(table, { 'fc.weight': 4 }, conv)).toBeUndefined()
})
