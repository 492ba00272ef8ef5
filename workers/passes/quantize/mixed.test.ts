import { describe, expect, test } from 'vitest'
import { mulberry32 } from '../../graph/random.ts'
import { choosePrecisions, type Precision } from './mixed.ts'

const layer = (name: string, noise8: number, noise4: number, size: number) => ({
  layer: name,
  precisions: [
    { bits: 32, cost: 4 * size, noise: 0 },
    { bits: 8, cost: size, noise: noise8 },
    { bits: 4, cost: size / 2, noise: noise4 },
  ],
})

describe('a precision for each layer', () => {
  const layers = [layer('a', 0.01, 0.1, 100), layer('b', 0.0001, 0.001, 1000), layer('c', 0.2, 5, 10)]
  const bits = (limit: number) => choosePrecisions(layers, limit).choices.map(({ chosen }) => chosen.bits)

  test('float where there is room, fewer bits where they harm least', () => {
    expect(bits(10_000)).toEqual([32, 32, 32])
    expect(bits(1600)).toEqual([32, 8, 32])
    expect(bits(1000)).toEqual([32, 4, 32])
    expect(bits(560)).toEqual([4, 4, 8])
  })

  test('says when nothing is small enough', () => {
    expect(choosePrecisions(layers, 100)).toMatchObject({ met: false, cost: 555 })
    expect(choosePrecisions(layers, 555).met).toBe(true)
  })

  test('comes near the best of all choices', () => {
    const random = mulberry32(3)
    const ratios = Array.from({ length: 40 }, () => {
      const many = Array.from({ length: 6 }, (_, i) => {
        const noise = random() ** 3
        return layer(String(i), noise * 0.1, noise, Math.ceil(100 * random()))
      })
      const all = many.reduce((sum, { precisions }) => sum + (precisions[0] as Precision).cost, 0)
      const limit = all * (0.15 + 0.5 * random())
      const own = choosePrecisions(many, limit)
      expect(own.cost).toBeLessThanOrEqual(limit)
      const noise = own.choices.reduce((sum, { chosen }) => sum + chosen.noise, 0)
      let best = Infinity
      for (let code = 0; code < 3 ** many.length; code++) {
        const chosen = many.map(({ precisions }, i) => precisions[Math.floor(code / 3 ** i) % 3] as Precision)
        if (chosen.reduce((sum, p) => sum + p.cost, 0) > limit) continue
        best = Math.min(
          best,
          chosen.reduce((sum, p) => sum + p.noise, 0),
        )
      }
      expect(noise).toBeGreaterThanOrEqual(best - 1e-12)
      return best === 0 ? 1 : noise / best
    })
    // Half of these are the best there is; none is three times as noisy.
    expect(ratios.toSorted((a, b) => a - b)[20]).toBeLessThan(1.2)
    expect(Math.max(...ratios)).toBeLessThan(3)
  })
})
