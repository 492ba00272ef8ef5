import type { Tensor } from '../graph/tensor.ts'
import type { LossTerm } from './losses.ts'

/**
 * λ Σ|γ| over batch-norm scales, whose gradient is the subgradient λ·sign(γ) (Liu et al. 2017, Network Slimming,
 * arXiv:1708.06519, eq. 1).
 */
export const scaleSparsity = (scales: readonly string[], lambda: number): LossTerm => ({
  name: 'sparsity',
  weight: lambda,
  build: ({ g }) => scales.map((name) => g.total(g.abs(name))).reduce((sum, term) => g.add(sum, term)),
})

/**
 * ½ reg Σ c·w²: weights decay faster the less important their group's unit is, c = α^((max − I)/(max − min))
 * (Fang et al. 2023, DepGraph, arXiv:2301.12900, eq. 5; α = 2⁴). `factors` hold c for every element of each weight.
 */
export const groupSparsity = (factors: ReadonlyMap<string, Tensor>, reg: number): LossTerm => ({
  name: 'sparsity',
  weight: reg / 2,
  build: ({ g }) =>
    [...factors]
      .map(([name, factor]) =>
        g.total(g.mul(g.square(name), g.op('Cast', [g.constant(`${name}.factor`, factor)], { to: 1 }))),
      )
      .reduce((sum, term) => g.add(sum, term)),
})
