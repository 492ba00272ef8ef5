import { amountOf, type BudgetKind, type Rule, type Scores, smallest } from './plan.ts'
import { cut } from './cut.ts'
import type { Groups } from './groups.ts'

/** What pruning one group alone to a ratio did to the model. */
export interface Sensitivity {
  readonly group: number
  readonly name: string
  readonly ratio: number
  /** Accuracy with this group cut, batch-norm statistics taken anew, nothing trained. */
  readonly accuracy: number
}

/** Accuracies of a group by ratio that never rise with it: noise does not make a larger cut the better one. */
export function monotone(rows: readonly Sensitivity[]): readonly Sensitivity[] {
  let least = Infinity
  return rows
    .toSorted((a, b) => a.ratio - b.ratio)
    .map((row) => ({ ...row, accuracy: (least = Math.min(least, row.accuracy)) }))
}

export interface AllocationTarget {
  readonly kind: BudgetKind
  /** Most that may stay, in the unit of the kind. */
  readonly limit: number
}

/**
 * A ratio for every group: the step that costs the least accuracy for what it saves, again and again, until the
 * target is met (after Li et al. 2017, arXiv:1608.08710, section 3.2, whose sensitivity analysis sets ratios by hand).
 * Where even the largest ratios of the scan do not meet it, they are what comes back.
 */
export function allocate(
  groups: Groups,
  scores: Scores,
  scan: readonly Sensitivity[],
  baseline: number,
  { kind, limit }: AllocationTarget,
): readonly (Rule & { readonly group: number })[] {
  const curves = groups.groups.map(({ id }) => monotone(scan.filter((row) => row.group === id)))
  const whole = amountOf(groups.coupling.graph, kind)
  const saved = curves.map((rows) =>
    rows.map(({ group, ratio }) => whole - amountOf(single(groups, scores, group, ratio), kind)),
  )
  const level = curves.map(() => -1)
  const lossAt = (g: number, k: number) => Math.max(0, baseline - (curves[g]?.[k]?.accuracy ?? baseline))
  const savedAt = (g: number, k: number) => saved[g]?.[k] ?? 0
  const amount = () => amountOf(cut(groups, removalAt(groups, scores, curves, level), { shapesOnly: true }), kind)
  while (amount() > limit) {
    let [best, price] = [-1, Infinity]
    for (const [g, rows] of curves.entries()) {
      const k = level[g] as number
      if (k + 1 >= rows.length) continue
      const gain = savedAt(g, k + 1) - savedAt(g, k)
      const cost = (lossAt(g, k + 1) - lossAt(g, k) + 1e-4) / Math.max(gain, 1)
      if (cost < price) [best, price] = [g, cost]
    }
    if (best < 0) break
    level[best] = (level[best] as number) + 1
  }
  return curves.flatMap((rows, g) => {
    const row = rows[level[g] as number]
    const group = groups.groups[g]
    return group ? [{ group: group.id, layer: group.name, ratio: row?.ratio ?? 0 }] : []
  })
}

const single = (groups: Groups, scores: Scores, group: number, ratio: number) =>
  cut(groups, removalOf(groups, scores, new Map([[group, ratio]])), { shapesOnly: true })

function removalAt(
  groups: Groups,
  scores: Scores,
  curves: readonly (readonly Sensitivity[])[],
  level: readonly number[],
) {
  const ratios = curves.flatMap((rows, g) => {
    const row = rows[level[g] as number]
    return row ? [[row.group, row.ratio] as const] : []
  })
  return removalOf(groups, scores, new Map(ratios))
}

/** The least important units of each group at its ratio; one always stays. */
export const removalOf = ({ groups }: Groups, scores: Scores, ratios: ReadonlyMap<number, number>) =>
  new Map(
    groups.flatMap(({ id, size }) => {
      const own = scores.get(id)
      const count = Math.min(size - 1, Math.floor(size * (ratios.get(id) ?? 0)))
      return own && count > 0 ? [[id, smallest(own, count)] as const] : []
    }),
  )
