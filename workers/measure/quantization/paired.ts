import type { PairedComparison } from '../../protocol/studio/compare.ts'
import type { Evaluation } from '../accuracy.ts'

/** Compares predictions sample by sample: far more telling than two accuracies apart. */
export function pairedComparison(first: Evaluation, second: Evaluation, labels: Int32Array): PairedComparison {
  const n = first.predictions.length
  let [onlyFirst, onlySecond] = [0, 0]
  for (let i = 0; i < n; i++) {
    const [a, b] = [first.predictions[i] === labels[i], second.predictions[i] === labels[i]]
    if (a && !b) onlyFirst++
    if (b && !a) onlySecond++
  }
  const drop = (onlyFirst - onlySecond) / n
  const spread = (1.96 * Math.sqrt(onlyFirst + onlySecond - (onlyFirst - onlySecond) ** 2 / n)) / n
  return {
    n,
    drop,
    interval: [drop - spread, drop + spread],
    onlyFirst,
    onlySecond,
    p: binomialTwoSided(Math.min(onlyFirst, onlySecond), onlyFirst + onlySecond),
  }
}

/** 2·P(X ≤ k) for X ~ B(m, ½), at most 1. */
function binomialTwoSided(k: number, m: number): number {
  let term = -m * Math.LN2
  let sum = 0
  for (let i = 0; i <= k; i++) {
    sum += Math.exp(term)
    term += Math.log((m - i) / (i + 1))
  }
  return Math.min(1, 2 * sum)
}
