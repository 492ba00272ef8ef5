import { expect, test } from 'vitest'
import { referenceExecutor } from '../executors/reference/index.ts'
import { f32, numbersOf, tensorOf } from '../graph/tensor.ts'
import { Emitter } from '../ops/emit.ts'
import { Graph } from '../graph/graph.ts'
import { gradients } from './differentiate.ts'
import type { LossTerm } from './losses.ts'
import { groupSparsity, scaleSparsity } from './sparsity.ts'

/** ∂(weight · term)/∂w at a value of w. */
async function gradientOf(term: LossTerm, values: readonly number[]): Promise<number[]> {
  const g = new Emitter(new Graph({ opsets: new Map([['', 18]]) }))
  const w = g.input('w', 'f32', [values.length])
  const loss = g.mul(term.build({ g, outputs: [], feed: () => '' }), term.weight)
  const [gradient = ''] = gradients(g, loss, [w]).values()
  g.output(gradient)
  const program = await referenceExecutor.compile(g.build())
  const results = await program.run({ w: f32(values) })
  return numbersOf(results[gradient] ?? f32([]))
}

test('slimming adds λ·sign(γ)', async () => {
  const found = await gradientOf(scaleSparsity(['w'], 0.1), [2, -3, 0.5])
  ;[0.1, -0.1, 0.1].forEach((v, i) => expect(found[i]).toBeCloseTo(v, 7))
})

test('group sparsity adds reg·c·w', async () => {
  const factors = new Map([['w', tensorOf('f64', [3], Float64Array.of(1, 4, 16))]])
  const found = await gradientOf(groupSparsity(factors, 0.5), [2, -3, 1])
  ;[1, -6, 8].forEach((v, i) => expect(found[i]).toBeCloseTo(v, 6))
})
