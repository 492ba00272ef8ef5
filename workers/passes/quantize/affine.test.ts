import { describe, expect, test } from 'vitest'
import { affineOf, codesOf, fakeQuantize, quantize, quantizeBias, roundHalfEven, weightScaleForBias } from './affine.ts'

describe('affine quantization', () => {
  test('rounds ties to even', () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -2.6].map((v) => roundHalfEven(v) + 0)).toEqual([0, 2, 2, 0, -2, 2, -3])
  })

  // Values of onnxruntime.quantization.quant_utils.compute_scale_zp.
  test.each([
    ['u8', {}, 0.0156862754, 64],
    ['i8', {}, 0.0156862754, -64],
    ['i8', { symmetric: true }, 0.0236220472, 0],
    ['i8', { symmetric: true, reduceRange: true }, 0.046875, 0],
    ['u8', { symmetric: true }, 0.0235294122, 128],
    ['u8', { reduceRange: true }, 0.0314960629, 32],
  ] as const)('[-1, 3] as %s %o', (type, options, scale, zeroPoint) => {
    const affine = affineOf(-1, 3, type, options)
    expect(affine.scale).toBeCloseTo(scale, 9)
    expect(affine.scale).toBe(Math.fround(affine.scale))
    expect(affine.zeroPoint).toBe(zeroPoint)
  })

  test('a range that does not contain zero is widened to it', () => {
    const { scale, zeroPoint } = affineOf(0.5, 2, 'u8')
    expect(scale).toBeCloseTo(0.00784313772, 10)
    expect(zeroPoint).toBe(0)
    expect(affineOf(-2, -0.5, 'u8').zeroPoint).toBe(255)
  })

  test('int4 symmetric on ±3: scale 0.4, and +3 clips to 7', () => {
    const affine = affineOf(-3, 3, 'i4', { symmetric: true })
    expect(affine.scale).toBeCloseTo(0.4, 7)
    expect(quantize(3, affine, codesOf('i4', { symmetric: true }))).toBe(7)
    expect(quantize(-3, affine, codesOf('i4', { symmetric: true }))).toBe(-8)
  })

  test('a range without extent holds zeros', () => {
    expect(affineOf(0, 0, 'u8')).toEqual({ scale: 1, zeroPoint: 0 })
    expect(affineOf(0, 1e-40, 'i8')).toEqual({ scale: 1, zeroPoint: 0 })
  })

  test('zero is always represented exactly', () => {
    for (const [min, max] of [
      [-1.37, 2.11],
      [0.2, 5],
      [-7, -1],
    ] as const)
      expect(fakeQuantize(0, affineOf(min, max, 'u8'), [0, 255])).toBe(0)
  })

  test('a range that is not finite is refused', () => {
    expect(() => affineOf(0, Infinity, 'u8')).toThrow(expect.objectContaining({ code: 'quantize.range' }))
    expect(() => affineOf(NaN, 1, 'u8')).toThrow(expect.objectContaining({ code: 'quantize.range' }))
  })

  test('a bias that would overflow an int32 raises the scale of its weight', () => {
    const inputScale = 1e-4
    const raised = weightScaleForBias(1e-6, inputScale, 5)
    expect(raised * inputScale).toBeGreaterThanOrEqual((1.0001 * 2 * 5) / (2 ** 32 - 2) - 1e-16)
    const { code } = quantizeBias(5, inputScale, raised)
    expect(code).toBeLessThan(2 ** 31 - 1)
    expect(weightScaleForBias(0.02, 0.01, 5)).toBe(0.02)
  })

  test('a bias is stored in units of input scale times weight scale', () => {
    const { code, scale } = quantizeBias(0.25, 0.02, 0.005)
    expect(scale).toBe(Math.fround(Math.fround(0.02) * Math.fround(0.005)))
    expect(code).toBe(2500)
  })
})
