import { describe, expect, test } from 'vitest'
import { evaluate } from '../executors/reference/index.ts'
import type { NdArray } from '../executors/reference/value.ts'
import { f32, i64, type Tensor } from '../graph/tensor.ts'
import { asTensor, staticShape } from '../graph/types.ts'
import { Emitter } from '../ops/emit.ts'
import { bceWithLogits, crossEntropy, l1, LABELS, mse, TARGET, type LossTerm } from './losses.ts'

/** What a loss term gives for outputs and what the batch brings, in float64. */
function valueOf(term: LossTerm, output: Tensor, feeds: Readonly<Record<string, Tensor>>): number {
  const g = new Emitter()
  g.opsets.set('', 18)
  const y = g.input('y', 'f32', output.dims)
  const loss = term.build({ g, outputs: [y], feed: (name, dtype, shape) => g.input(name, dtype, shape) })
  g.output(loss)
  const graph = g.build()
  const result = evaluate(graph, { y: output, ...feeds }, { precision: 'f64' })[loss] as NdArray
  expect(staticShape(graph.type(loss))).toEqual([])
  expect(asTensor(graph.type(loss))?.dtype).toBe('f32')
  return Number(result.data[0])
}

const softplus = (z: number) => Math.log1p(Math.exp(z))
/** −log softmax(z)_k of three logits. */
const nll = (z: readonly number[], k: number) => Math.log(z.reduce((sum, v) => sum + Math.exp(v), 0)) - (z[k] as number)

const rows = [
  [2, 1, 0],
  [-1, 0.5, 3],
]
const logits = f32(rows.flat(), [2, 3])

describe('losses', () => {
  test('cross-entropy is the mean negative log-likelihood of the labels', () => {
    const expected = (nll(rows[0] as number[], 0) + nll(rows[1] as number[], 1)) / 2
    expect(valueOf(crossEntropy(), logits, { [LABELS]: i64([0, 1]) })).toBeCloseTo(expected, 12)
  })

  test('label smoothing spreads its share over all classes', () => {
    const smoothed = (z: readonly number[], k: number) =>
      0.9 * nll(z, k) + (0.1 * (nll(z, 0) + nll(z, 1) + nll(z, 2))) / 3
    const expected = (smoothed(rows[0] as number[], 0) + smoothed(rows[1] as number[], 1)) / 2
    expect(valueOf(crossEntropy({ labelSmoothing: 0.1 }), logits, { [LABELS]: i64([0, 1]) })).toBeCloseTo(expected, 6)
  })

  test('ignored labels count neither in the sum nor in the mean', () => {
    const term = crossEntropy({ ignoreIndex: -100 })
    expect(valueOf(term, logits, { [LABELS]: i64([0, -100]) })).toBeCloseTo(nll(rows[0] as number[], 0), 12)
    expect(valueOf(term, logits, { [LABELS]: i64([-100, -100]) })).toBe(0)
  })

  test('cross-entropy of maps averages over places too', () => {
    const map = f32([2, -1, 1, 0.5, 0, 3], [1, 3, 2])
    const expected = (nll([2, 1, 0], 0) + nll([-1, 0.5, 3], 1)) / 2
    expect(valueOf(crossEntropy(), map, { [LABELS]: i64([0, 1], [1, 2]) })).toBeCloseTo(expected, 12)
  })

  test('logits of a thousand do not overflow', () => {
    expect(valueOf(crossEntropy(), f32([1000, 0, -1000], [1, 3]), { [LABELS]: i64([1]) })).toBeCloseTo(1000, 6)
  })

  test('binary cross-entropy, squared and absolute error', () => {
    const y = f32([2, -1], [1, 2])
    const target = { [TARGET]: f32([1, 0], [1, 2]) }
    expect(valueOf(bceWithLogits(), y, target)).toBeCloseTo((softplus(2) - 2 + softplus(-1)) / 2, 12)
    expect(valueOf(mse(), y, target)).toBeCloseTo(1, 12)
    expect(valueOf(l1(), y, target)).toBeCloseTo(1, 12)
  })
})
