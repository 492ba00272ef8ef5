import { AlambicError } from '../../protocol/errors.ts'
import type { FactorLayer } from './layers.ts'
import type { Method, Ranks } from './methods.ts'
import type { Cost } from './piece.ts'
import { costAt, rankAtEnergy, spectraOf } from './ranks.ts'

/** What all layers that can be factorized may have together, as a share of what they have now. */
export type Budget = { readonly params: number } | { readonly macs: number }

export interface Candidate {
  readonly layer: FactorLayer
  readonly method: Method
}

/** What a choice of ranks costs, and the ranks: undefined where a layer stays whole because its factors cost more. */
interface Allocation {
  readonly ranks: readonly (Ranks | undefined)[]
  readonly cost: number
}

/**
 * Ranks for all layers at once, so that none loses a larger share of its energy than it must: one share of Σσ² is kept
 * in every unfolding, the largest at which all layers together are within the budget.
 *
 * @throws AlambicError `target.infeasible` when not even rank 1 everywhere is
 */
export function allocate(candidates: readonly Candidate[], budget: Budget): readonly (Ranks | undefined)[] {
  const measure = measureOf(budget)
  const spectra = candidates.map((c) => spectraOf(c.layer, c.method))
  const whole = candidates.reduce((sum, c) => sum + measure(c.layer.cost, c.layer), 0)
  const limit = whole * ('params' in budget ? budget.params : budget.macs)
  const at = (share: number): Allocation => {
    const ranks = candidates.map((_, i) => (spectra[i] ?? []).map((sigma) => rankAtEnergy(sigma, share)))
    return settle(candidates, ranks, measure)
  }
  const least = at(0)
  if (least.cost > limit) throw infeasible(budget, least.cost / whole)
  let [low, high] = [0, 1]
  let best = least
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2
    const allocation = at(middle)
    if (allocation.cost <= limit) [low, best] = [middle, allocation]
    else high = middle
  }
  return best.ranks
}

type Measure = (cost: Cost, layer: FactorLayer) => number

function measureOf(budget: Budget): Measure {
  if ('params' in budget) return (cost) => cost.params
  return (cost, layer) => {
    if (cost.macs !== undefined) return cost.macs
    throw new AlambicError('model.open-shape', `the multiply-accumulates of "${layer.weight.name}" are not known`, {
      subject: layer.weight.name,
      expected: 'an input of fixed height and width',
      found: 'open sizes',
      fix: 'Fix the sizes of the model, or give a budget of parameters.',
    })
  }
}

function settle(candidates: readonly Candidate[], ranks: readonly Ranks[], measure: Measure): Allocation {
  let cost = 0
  const kept = candidates.map((c, i): Ranks | undefined => {
    const own = ranks[i] as Ranks
    const [before, after] = [measure(c.layer.cost, c.layer), measure(costAt(c.layer, c.method, own), c.layer)]
    cost += Math.min(before, after)
    return after < before ? own : undefined
  })
  return { ranks: kept, cost }
}

const infeasible = (budget: Budget, closest: number): AlambicError => {
  const [name, share] = Object.entries(budget)[0] ?? ['', 0]
  return new AlambicError('target.infeasible', `no ranks meet the budget of ${name}`, {
    subject: name,
    expected: `${(100 * share).toPrecision(3)} % of what the layers have`,
    found: `${(100 * closest).toPrecision(3)} % at rank 1 everywhere`,
    fix: `Ask for at least ${(100 * closest).toPrecision(3)} %, or factorize more layers.`,
  })
}
