import { describe, expect, test } from 'vitest'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { curvatureError, gptq, inverseFactor, roundToNearest, type Rows } from './gptq.ts'

const rowsOf = (values: readonly (readonly number[])[]): Rows => ({
  rows: values.length,
  columns: values[0]?.length ?? 0,
  values: Float64Array.from(values.flat()),
})

const weight = rowsOf([
  [0.9, -0.6, 0.35, 0.2],
  [-0.45, 0.75, -0.15, 0.62],
])
const hessian = Float64Array.from(
  [
    [2.1, 1.5, 0.2, 0.1],
    [1.5, 1.8, 0.5, 0.4],
    [0.2, 0.5, 1.9, 1.1],
    [0.1, 0.4, 1.1, 1.6],
  ].flat(),
)
// Codes −4…3, scale max|w|/4 per row.
const options = { type: 'i4', symmetric: true, codes: [-4, 3] } as const
const affines = [0.9 / 4, 0.75 / 4].map((scale) => ({ scale, zeroPoint: 0 }))

const rows = (codes: Int32Array) => [[...codes.subarray(0, 4)], [...codes.subarray(4)]]

describe('GPTQ', () => {
  test('rounding to nearest', () => {
    const result = roundToNearest(weight, options, affines)
    expect(rows(result.codes)).toEqual([
      [3, -3, 2, 1],
      [-2, 3, -1, 3],
    ])
    expect(curvatureError(weight, result, hessian)).toBeCloseTo(0.232718, 6)
  })

  test('spreading errors by curvature', () => {
    const result = gptq(weight, hessian, { ...options, affines, damping: 0 })
    expect(rows(result.codes)).toEqual([
      [3, -2, 2, 0],
      [-2, 3, -1, 3],
    ])
    expect(curvatureError(weight, result, hessian)).toBeCloseTo(0.134843, 6)
  })

  test('uncorrelated inputs give the same as rounding to nearest', () => {
    const identity = Float64Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0))
    expect(gptq(weight, identity, options).codes).toEqual(roundToNearest(weight, options).codes)
  })

  test('H⁻¹ = UᵀU with U upper triangular', () => {
    const u = inverseFactor(hessian, 4)
    const at = (i: number, j: number) => u[i * 4 + j] as number
    for (let i = 0; i < 4; i++) for (let j = 0; j < i; j++) expect(at(i, j)).toBe(0)
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 4; j++) {
        // (H · UᵀU)[i, j]
        let sum = 0
        for (let k = 0; k < 4; k++) {
          let inverse = 0
          for (let m = 0; m < 4; m++) inverse += at(m, k) * at(m, j)
          sum += (hessian[i * 4 + k] as number) * inverse
        }
        expect(sum).toBeCloseTo(i === j ? 1 : 0, 12)
      }
    }
  })

  test.each([{}, { actOrder: true }, { block: 16 }, { block: 16, actOrder: true }, { mse: true }])(
    'beats rounding to nearest on correlated inputs %o',
    (more) => {
      const random = mulberry32(3)
      const [n, k] = [8, 64]
      const w: Rows = { rows: n, columns: k, values: Float64Array.from({ length: n * k }, () => gaussian(random)) }
      const h = new Float64Array(k * k)
      for (let sample = 0; sample < 256; sample++) {
        const common = gaussian(random)
        const x = Float64Array.from({ length: k }, () => gaussian(random) + 2 * common)
        for (let i = 0; i < k; i++)
          for (let j = 0; j < k; j++) h[i * k + j] = (h[i * k + j] as number) + (x[i] as number) * (x[j] as number)
      }
      const choice = { type: 'i4', symmetric: true, ...more } as const
      const found = curvatureError(w, gptq(w, h, choice), h, choice.block)
      expect(found).toBeLessThan(0.6 * curvatureError(w, roundToNearest(w, choice), h, choice.block))
    },
  )

  test('inputs that are always zero take no part', () => {
    const dead = hessian.slice()
    for (let i = 0; i < 4; i++) dead[4 + i] = dead[4 * i + 1] = 0
    const { codes } = gptq(weight, dead, { ...options, affines, damping: 0 })
    expect([codes[1], codes[5]]).toEqual([0, 0])
  })

  test('a matrix that is not positive definite is refused', () => {
    const bad = Float64Array.of(1, 2, 2, 1)
    expect(() => inverseFactor(bad, 2)).toThrow(expect.objectContaining({ code: 'gptq.hessian' }))
  })
})
