import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { f32 } from '../../graph/tensor.ts'
import {
  belowDeviations,
  countOf,
  globalUnstructured,
  gradualSparsity,
  l1Unstructured,
  lnStructured,
  nOfM,
  randomUnstructured,
} from './sparsity.ts'

interface Case {
  readonly how: string
  readonly amount: number
  readonly n?: number | string
  readonly dim?: number
  readonly mask: string
}

/** Recorded by fixtures/record.py. */
const { masks } = JSON.parse(readFileSync(new URL('./fixtures/torch.json', import.meta.url), 'utf8')) as {
  readonly masks: {
    readonly weight: readonly number[]
    readonly cases: readonly Case[]
    readonly global: {
      readonly tensors: readonly number[][]
      readonly amount: number
      readonly masks: readonly string[]
    }
  }
}
const weight = f32(masks.weight, [5, 4, 3, 3])
const amountOf = (amount: number) => (Number.isInteger(amount) ? { count: amount } : { share: amount })
const text = (mask: Uint8Array) => mask.join('')

describe('masks are those of torch.nn.utils.prune', () => {
  test.each(masks.cases)('$how, $amount', ({ how, amount, n, dim, mask }) => {
    const given = amountOf(amount)
    if (how === 'l1_unstructured') expect(text(l1Unstructured(weight, given))).toBe(mask)
    else if (how === 'ln_structured') {
      const power = typeof n === 'string' ? Number(n.replace('inf', 'Infinity')) : (n ?? 1)
      expect(text(lnStructured(weight, given, power, dim ?? 0))).toBe(mask)
    } else expect(text(l1Unstructured(weight, given, l1Unstructured(weight, given)))).toBe(mask)
  })

  test('over several tensors', () => {
    const tensors = masks.global.tensors.map((values) => f32(values))
    const found = globalUnstructured(tensors, { share: masks.global.amount })
    expect(found.map(text)).toEqual(masks.global.masks)
  })
})

test('counts go to the even number', () => {
  expect([1, 3, 5, 7, 9].map((n) => countOf({ share: 0.5 }, n))).toEqual([0, 2, 2, 4, 4])
})

test('random masks depend on the seed alone', () => {
  const mask = randomUnstructured(weight, { share: 0.25 }, 3)
  expect(mask.reduce((n, m) => n + m, 0)).toBe(135)
  expect(randomUnstructured(weight, { share: 0.25 }, 3)).toEqual(mask)
  expect(randomUnstructured(weight, { share: 0.25 }, 4)).not.toEqual(mask)
})

test('2:4 keeps the two largest of four inputs, of a row and along a column', () => {
  const row = [0.1, -0.5, 0.3, 0.2, -1, 0.9, 0.05, 0.04]
  expect(text(nOfM(f32(row, [1, 8]), 2, 4, 1))).toBe('01101100')
  expect(text(nOfM(f32(row, [8, 1]), 2, 4, 0))).toBe('01101100')
  const conv = f32(
    [...row, ...row].map((v, i) => (i % 2 === 0 ? v : -v)),
    [2, 4, 1, 2],
  )
  expect(nOfM(conv, 2, 4, 1).reduce((n, m) => n + m, 0)).toBe(8)
  expect(text(nOfM(f32([1, 2, 3], [1, 3]), 2, 4, 1))).toBe('111')
})

test('below q deviations', () => {
  expect(text(belowDeviations(f32([-3, -1, 0.1, 1, 3]), 0.8))).toBe('10001')
})

test('gradual sparsity', () => {
  const expected = [0, 0.2439, 0.4392, 0.5913, 0.7056, 0.7875, 0.8424, 0.8757, 0.8928, 0.8991, 0.9]
  expected.forEach((s, k) => expect(gradualSparsity(0, 0.9, k, 10)).toBeCloseTo(s, 12))
})
