import { expect, test } from 'vitest'
import { fillGaussian, gaussian, mulberry32 } from '../../graph/random.ts'
import { cp4 } from './cp.ts'
import { energy, zeros, type Matrix } from './matrix.ts'
import type { ConvWeight } from './piece.ts'
import { leftSingular } from './svd.ts'
import { byInput, byOutput, tucker2 } from './tucker.ts'
import { multiply } from './matrix.ts'

const random = mulberry32(9)
const factor = (rows: number, rank: number): Matrix => {
  const m = zeros(rows, rank)
  fillGaussian(m.data, random)
  return m
}

/** Σ_r of the products of four columns. */
function composed(a: Matrix, b: Matrix, c: Matrix, d: Matrix): ConvWeight {
  const data = new Float64Array(a.rows * b.rows * c.rows * d.rows)
  let at = 0
  for (let t = 0; t < a.rows; t++)
    for (let s = 0; s < b.rows; s++)
      for (let y = 0; y < c.rows; y++)
        for (let x = 0; x < d.rows; x++, at++)
          for (let r = 0; r < a.columns; r++)
            data[at] =
              (data[at] as number) +
              (a.data[t * a.columns + r] as number) *
                (b.data[s * a.columns + r] as number) *
                (c.data[y * a.columns + r] as number) *
                (d.data[x * a.columns + r] as number)
  return { out: a.rows, in: b.rows, kernel: [c.rows, d.rows], data }
}

const distance = (a: ConvWeight, b: ConvWeight): number =>
  Math.sqrt(energy({ data: a.data.map((v, i) => v - (b.data[i] as number)) }) / energy(a))

test('CP finds a weight that has the rank, and reports the error that it has', () => {
  const w = composed(factor(12, 4), factor(10, 4), factor(3, 4), factor(5, 4))
  const found = cp4(w, 4, { sweeps: 300, ridge: 1e-12, tolerance: 1e-12 })
  const back = composed(found.output, found.input, found.rows, found.columns)
  expect(distance(w, back)).toBeLessThan(1e-4)
  expect(found.error).toBeCloseTo(distance(w, back), 5)
  const rough = cp4(w, 2)
  expect(rough.error).toBeCloseTo(distance(w, composed(rough.output, rough.input, rough.rows, rough.columns)), 5)
})

test('components have parts of equal norms', () => {
  const w = composed(factor(8, 3), factor(7, 3), factor(3, 3), factor(3, 3))
  const { output, input, rows, columns } = cp4(w, 3)
  for (let r = 0; r < 3; r++) {
    const norms = [output, input, rows, columns].map((m) =>
      Math.sqrt(m.data.reduce((sum, v, i) => (i % 3 === r ? sum + v * v : sum), 0)),
    )
    norms.forEach((n) => expect(n).toBeCloseTo(norms[0] ?? NaN, 6))
  }
})

test('components that cancel each other show: more sweeps, more energy, smaller error', () => {
  const data = new Float64Array(16).map((_, i) => {
    const [t, s, y] = [(i >> 3) & 1, (i >> 2) & 1, (i >> 1) & 1] as const
    return t + s + y === 1 ? 1 : 0
  })
  const w = { out: 2, in: 2, kernel: [2, 2], data }
  const [few, many] = [10, 1000].map((sweeps) => cp4(w, 2, { sweeps, ridge: 1e-9, tolerance: 0 }))
  expect(many?.error).toBeLessThan((few?.error ?? 0) / 3)
  expect(many?.degeneracy).toBeGreaterThan(2 * (few?.degeneracy ?? Infinity))
})

test('Tucker-2 finds a weight that has the ranks; its error is that of the weight it stands for', () => {
  for (const [out, input, rankOut, rankIn] of [
    [20, 15, 4, 3],
    [130, 110, 9, 12],
  ] as const) {
    const core = Float64Array.from({ length: rankOut * rankIn * 9 }, () => gaussian(random))
    const [u, v] = [factor(out, rankOut), factor(input, rankIn)]
    const w = expanded({ output: u, input: v, core })
    const exact = tucker2(w, rankOut, rankIn)
    expect(exact.error).toBeLessThan(1e-6)
    expect(distance(w, expanded(exact))).toBeLessThan(1e-6)
    const rough = tucker2(w, rankOut - 2, rankIn - 1)
    expect(rough.error).toBeCloseTo(distance(w, expanded(rough)), 6)
  }
})

function expanded({ output, input, core }: { output: Matrix; input: Matrix; core: Float64Array }): ConvWeight {
  const inner: ConvWeight = { out: output.columns, in: input.columns, kernel: [3, 3], data: core }
  const wide = multiply(input, byInput(inner)).data
  const turned = byInput({ out: input.rows, in: output.columns, kernel: [3, 3], data: wide })
  return { out: output.rows, in: input.rows, kernel: [3, 3], data: multiply(output, turned).data }
}

test('the basis of many channels spans what the eigenvectors span', () => {
  const w: ConvWeight = { out: 120, in: 30, kernel: [3, 3], data: factor(120 * 30, 9).data }
  const few = tucker2(w, 20, 30, { sweeps: 30, tolerance: 1e-9 })
  // With all input channels kept, the best output basis is that of the leading singular vectors.
  const sigma = leftSingular(byOutput(w)).sigma
  const best = sigma.slice(20).reduce((sum, v) => sum + v * v, 0) / energy(w)
  expect(few.error ** 2).toBeGreaterThan(best - 1e-9)
  expect(few.error ** 2).toBeLessThan(best + 1e-4)
})
