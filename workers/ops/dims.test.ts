import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Dim } from '../graph/types.ts'
import {
  add,
  canonical,
  ceilDivide,
  equal,
  exactDivide,
  floorDivide,
  less,
  multiply,
  namesOf,
  substitute,
  subtract,
  unify,
} from './dims.ts'

/** A random expression as the dimension that the arithmetic gives, and as a plain function of its names. */
type Sizes = ReadonlyMap<string, number>
interface Expression {
  readonly dim: Dim
  readonly value: (sizes: Sizes) => number
}
const names = ['N', 'H', 'past_len']

const leaf: fc.Arbitrary<Expression> = fc.oneof(
  fc.integer({ min: 0, max: 9 }).map((n) => ({ dim: n, value: () => n })),
  fc.constantFrom(...names).map((name) => ({ dim: name, value: (sizes: Sizes) => sizes.get(name) ?? 0 })),
)
const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => ({
      dim: add(a.dim, b.dim),
      value: (s: Sizes) => a.value(s) + b.value(s),
    })),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => ({
      dim: subtract(a.dim, b.dim),
      value: (s: Sizes) => a.value(s) - b.value(s),
    })),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => ({
      dim: multiply(a.dim, b.dim),
      value: (s: Sizes) => a.value(s) * b.value(s),
    })),
    fc.tuple(tie('expression'), fc.integer({ min: 1, max: 6 })).map(([a, k]) => ({
      dim: floorDivide(a.dim, k),
      value: (s: Sizes) => Math.floor(a.value(s) / k),
    })),
  ),
}))
const sizes = fc
  .tuple(...names.map(() => fc.integer({ min: 0, max: 40 })))
  .map((v) => new Map(names.map((n, i) => [n, v[i] ?? 0])))

describe('symbolic sizes', () => {
  test('an expression has the value of what it was made from', () => {
    fc.assert(
      fc.property(expression, sizes, ({ dim, value }, given) => {
        fc.pre(dim !== '?')
        expect(substitute(dim, given)).toBe(value(given) + 0)
      }),
    )
  })

  test('the spelling is canonical: reading it back changes nothing', () => {
    fc.assert(
      fc.property(expression, ({ dim }) => {
        expect(canonical(dim)).toBe(dim)
      }),
    )
  })

  test('equal and less never contradict a value', () => {
    fc.assert(
      fc.property(expression, expression, sizes, (a, b, given) => {
        const [x, y] = [a.value(given), b.value(given)]
        // Sizes are at least zero: the comparison may take that for granted.
        fc.pre(a.dim !== '?' && b.dim !== '?')
        if (equal(a.dim, b.dim) !== undefined) expect(equal(a.dim, b.dim)).toBe(x === y)
        if (less(a.dim, b.dim) !== undefined) expect(less(a.dim, b.dim)).toBe(x < y)
      }),
    )
  })

  test.each<[Dim, Dim]>([
    [add('N', multiply('H', 2)), '2*H + N'],
    [subtract(add('N', 3), 3), 'N'],
    [multiply(add('N', 1), 'H'), 'H*N + H'],
    [floorDivide(add('H', 5), 2), 'floor((H + 1)/2) + 2'],
    [floorDivide(multiply('N', 6), 4), 'floor((3*N)/2)'],
    [floorDivide(multiply('N', 12), 4), '3*N'],
    [ceilDivide(ceilDivide(ceilDivide('H', 2), 2), 2), 'floor((H + 7)/8)'],
    [exactDivide(multiply(multiply('N', 'S'), 12), multiply('S', 4)), '3*N'],
    [exactDivide('N', 'S'), '?'],
    [exactDivide(7, 2), '?'],
    [add('?', 1), '?'],
    [multiply('?', 0), 0],
    [canonical('past+1'), 'past + 1'],
    [canonical('s0 // 2'), 'floor(s0/2)'],
    [multiply('batch size', 2), '2*`batch size`'],
  ])('%s is %s', (found, expected) => {
    expect(found).toBe(expected)
  })

  test('names inside quotients are found and replaced', () => {
    const size = multiply(floorDivide(add('H', 1), 2), 'odd name')
    expect(namesOf(size)).toEqual(['H', 'odd name'])
    expect(
      substitute(
        size,
        new Map<string, Dim>([
          ['H', 8],
          ['odd name', 'B'],
        ]),
      ),
    ).toBe('4*B')
  })

  test('a name that reads like an expression can be bound as a whole', () => {
    expect(substitute('past + 1', new Map([['past + 1', 5]]))).toBe(5)
  })

  test('numbers win over names, names over nothing, different numbers contradict', () => {
    expect([unify('N', 4), unify('?', 'N'), unify('N', 'M'), unify(3, 4)]).toEqual([4, 'N', 'N', undefined])
  })
})
