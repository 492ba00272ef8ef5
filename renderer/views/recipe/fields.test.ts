import { expect, test } from 'vitest'
import type { FieldType } from '../../../workers/protocol/studio.ts'
import { emptyOf, fits, variantName, variantOf } from './fields.ts'

const label = { en: 'Ratio', 'zh-CN': '比例' }
const ratio: FieldType = { kind: 'number', integer: false, above: 1 }
const rule = (name: string): FieldType => ({
  kind: 'object',
  open: false,
  fields: [{ name, label, level: 'simple', required: true, type: ratio }],
})
const rank: FieldType = { kind: 'union', variants: ['ratio', 'energy'].map((name) => ({ type: rule(name) })) }

test('the kind of a value is told by its form', () => {
  const types = rank.variants.map(({ type }) => type)
  expect(variantOf(types, { energy: 0.9 })).toBe(1)
  expect(variantOf(types, 3)).toBe(-1)
  expect(variantName(rule('ratio'))).toEqual({ label })
  expect(variantName({ kind: 'list', of: ratio })).toEqual({ kind: 'list' })
})

test('what a form begins with is of its type', () => {
  const types: FieldType[] = [
    ratio,
    { kind: 'number', integer: true, min: 2 },
    { kind: 'choice', values: ['a', 'b'] },
    { kind: 'text' },
    { kind: 'list', of: rank, min: 1 },
    { kind: 'table', of: { kind: 'boolean' } },
    rank,
  ]
  for (const type of types) expect(fits(type, emptyOf(type))).toBe(true)
  expect(emptyOf(rank)).toEqual({ ratio: 2 })
})
