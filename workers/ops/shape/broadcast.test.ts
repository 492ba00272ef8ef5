import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Shape } from '../../graph/types.ts'
import { broadcastDim, broadcastShapes } from './broadcast.ts'

/** numpy's rule, said in another way: pad with ones in front, then each pair is equal or has a one. */
function broadcastPlainly(a: readonly number[], b: readonly number[]): readonly number[] | undefined {
  const rank = Math.max(a.length, b.length)
  const padded = (s: readonly number[]) => [...new Array<number>(rank - s.length).fill(1), ...s]
  const [x, y] = [padded(a), padded(b)]
  if (x.some((d, i) => d !== y[i] && d !== 1 && y[i] !== 1)) return undefined
  return x.map((d, i) => (d === 1 ? (y[i] ?? 1) : d))
}

const staticShape = fc.array(fc.constantFrom(0, 1, 1, 2, 3), { maxLength: 4 })
/** A static shape, and the same with some sizes hidden behind names or `?`. */
const hidden = staticShape.chain((shape) =>
  fc
    .tuple(...shape.map((d) => fc.constantFrom<number | string>(d, d, `s${d}`, '?')))
    .map((masked): [number[], Shape] => [shape, masked]),
)

describe('broadcasting', () => {
  test('static shapes follow numpy', () => {
    fc.assert(
      fc.property(staticShape, staticShape, (a, b) => {
        expect(broadcastShapes(a, b)).toEqual(broadcastPlainly(a, b))
      }),
    )
  })

  test('what is claimed of partly known shapes is true of the real ones', () => {
    fc.assert(
      fc.property(hidden, hidden, ([a, maskedA], [b, maskedB]) => {
        const truth = broadcastPlainly(a, b)
        fc.pre(truth !== undefined)
        const claim = broadcastShapes(maskedA, maskedB)
        expect(claim?.length).toBe(truth?.length)
        claim?.forEach((d, i) => {
          const size = truth?.[i]
          if (typeof d === 'number') expect(d).toBe(size)
          else if (d !== '?') expect(d).toBe(`s${size}`)
        })
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    ['N', 1, 'N'],
    ['N', 'N', 'N'],
    ['N', 4, 4],
    ['N', 'M', '?'],
    ['N', '?', '?'],
    ['?', '?', '?'],
    ['1 + N', 'N + 1', '1 + N'],
    [2, 3, undefined],
  ])('%s with %s gives %s', (a, b, expected) => {
    expect(broadcastDim(a, b)).toBe(expected)
  })
})
