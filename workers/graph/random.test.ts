import { describe, expect, test } from 'vitest'
import { fillGaussian, fillUniform, gaussian, hashSeed, mulberry32 } from './random.ts'

describe('mulberry32', () => {
  test('gives the known stream of seed 42', () => {
    const random = mulberry32(42)
    expect([random(), random(), random()]).toEqual([0.6011037519201636, 0.44829055899754167, 0.8524657934904099])
  })
  test('takes its seed modulo 2^32', () => expect(mulberry32(2 ** 32 + 7)()).toBe(mulberry32(7)()))
})

describe('normal numbers', () => {
  test('of seed 42 are the known ones', () => {
    const random = mulberry32(42)
    const values = [gaussian(random), gaussian(random), gaussian(random)]
    ;[-1.2848381576, -0.94535281, -0.6112802847].forEach((expected, i) => expect(values[i]).toBeCloseTo(expected, 9))
  })

  test('have the asked mean and deviation, whole and odd lengths alike', () => {
    const values = new Float64Array(100_001)
    fillGaussian(values, mulberry32(1), 3)
    const mean = values.reduce((a, b) => a + b) / values.length
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length
    expect(Math.abs(mean)).toBeLessThan(0.04)
    expect(Math.sqrt(variance)).toBeCloseTo(3, 1)
    expect(values.at(-1)).not.toBe(0)
  })
})

test('uniform numbers fill [-bound, bound)', () => {
  const values = new Float32Array(10_000)
  fillUniform(values, mulberry32(2), 0.5)
  expect(Math.max(...values)).toBeLessThan(0.5)
  expect(Math.max(...values)).toBeGreaterThan(0.499)
  expect(Math.min(...values)).toBeGreaterThanOrEqual(-0.5)
  expect(Math.min(...values)).toBeLessThan(-0.499)
})

test('seeds from parts differ by part, by order and by kind', () => {
  const seeds = [hashSeed(1, 'a'), hashSeed('a', 1), hashSeed('1', 'a'), hashSeed(2, 'a'), hashSeed(1, 'b'), hashSeed()]
  expect(new Set(seeds).size).toBe(seeds.length)
  expect(hashSeed(1, 'a')).toBe(seeds[0])
  expect(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)).toBe(true)
})
