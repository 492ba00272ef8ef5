import type { Graph } from '../../graph/graph.ts'
import { byteLength } from '../../graph/dtype.ts'
import { sizeOf } from '../../graph/tensor.ts'
import { costOf } from '../../ops/cost.ts'
import { AlambicError } from '../../protocol/errors.ts'
import { cut, type Removal } from './cut.ts'
import type { Group, Groups } from './groups.ts'

/** What a budget counts. */
export const budgetKinds = ['params', 'macs', 'bytes'] as const
export type BudgetKind = (typeof budgetKinds)[number]

/** An upper limit; `share` of what the whole model has, or an absolute number. */
export interface Budget {
  readonly kind: BudgetKind
  readonly limit: number
  readonly isShare: boolean
}

/** Exceptions by name: `*` and `?` as in file names, over the group's name and its members' tensors. */
export interface Rule {
  readonly layer: string
  /** Share to cut; 0 keeps all. */
  readonly ratio?: number | undefined
  /** Channels that stay. */
  readonly keep?: number | undefined
}

export interface PlanOptions {
  /** Share of channels to cut. */
  readonly ratio: number
  /** The same share of every group, or the least important of all. */
  readonly scope: 'layer' | 'global'
  /** Channels that stay are a multiple of this. */
  readonly roundTo: number
  /** Least channels that stay in a group; a ratio that would leave none is an error when absent. */
  readonly minimum?: number | undefined
  /** Largest share that any group loses. */
  readonly maxRatio: number
  readonly rules: readonly Rule[]
  /** Shares by group id, for groups without a rule: what a sensitivity scan found. */
  readonly ratios?: ReadonlyMap<number, number> | undefined
  readonly budget?: Budget | undefined
}

/** What a group loses. */
export interface PlannedGroup {
  readonly group: number
  readonly name: string
  readonly before: number
  readonly after: number
}

export interface Plan {
  readonly removal: Removal
  readonly groups: readonly PlannedGroup[]
  /** The ratio that was used: the given one, or the one that meets the budget. */
  readonly ratio: number
}

/** Scores by group id; a group without scores stays whole. */
export type Scores = ReadonlyMap<number, Float64Array>

/** Chooses the units to cut. Throws `prune.rule`, `prune.empties`, `prune.budget`. */
export function plan(groups: Groups, scores: Scores, options: PlanOptions): Plan {
  const given = groups.groups.flatMap((group) => {
    const ratio = options.ratios?.get(group.id)
    return ratio === undefined ? [] : [[group.id, { layer: group.name, ratio }] as const]
  })
  const rules = new Map<number, Rule>([...given, ...matchRules(groups.groups, options.rules)])
  const context: Context = { groups, scores, options, rules }
  if (!options.budget) return planAt(context, options.ratio, options.minimum === undefined)
  return withinBudget(context, options.budget)
}

interface Context {
  readonly groups: Groups
  readonly scores: Scores
  readonly options: PlanOptions
  readonly rules: ReadonlyMap<number, Rule>
}

// --- rules ----------------------------------------------------------------------------------------------------------

const asPattern = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  )

/** The last rule that matches a group is its own. A rule that matches nothing is an error. */
function matchRules(groups: readonly Group[], rules: readonly Rule[]): ReadonlyMap<number, Rule> {
  const matched = new Map<number, Rule>()
  for (const rule of rules) {
    const pattern = asPattern(rule.layer)
    const found = groups.filter((group) =>
      [group.name, ...group.members.map((m) => m.constant.name)].some((name) => pattern.test(name)),
    )
    if (found.length === 0) {
      throw new AlambicError('prune.rule', `the rule for "${rule.layer}" matches no layer that can be pruned`, {
        subject: rule.layer,
        expected: `one of: ${[...new Set(groups.map((g) => g.name))].join(', ')}`,
        found: rule.layer,
        fix: 'Correct the name (`inspect --groups` lists them), or use * and ?.',
      })
    }
    for (const group of found) matched.set(group.id, rule)
  }
  return matched
}

// --- how many -------------------------------------------------------------------------------------------------------

/** How many units stay when a group is cut to `kept` of them: in whole multiples, at least the minimum. */
function allowed(group: Group, kept: number, { roundTo, minimum, maxRatio }: PlanOptions): number {
  const made = group.members.find((m) => m.roles.some(({ role }) => role === 'out'))
  const perUnit = (made?.indices.length ?? group.size) / group.size
  const step = Math.max(1, Math.round(roundTo / greatestCommonDivisor(Math.round(perUnit), roundTo)))
  const least = Math.max(1, minimum ?? 1, group.size - Math.floor(group.size * maxRatio))
  return Math.min(group.size, Math.ceil(Math.max(kept, least) / step) * step)
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b))

/** Units that stay at a ratio: ⌊size·(1−ratio)⌋, as Torch-Pruning counts. */
const left = (size: number, ratio: number): number => Math.floor(size * (1 - ratio) + 1e-9)

function keptByRule(group: Group, rule: Rule, context: Context, strict: boolean): number {
  const kept = rule.keep ?? left(group.size, rule.ratio ?? context.options.ratio)
  if (kept === group.size || rule.ratio === 0) return group.size
  if (kept < 1 && strict) throw empties(group, rule.ratio ?? context.options.ratio)
  return allowed(group, kept, context.options)
}

const empties = (group: Group, ratio: number) =>
  new AlambicError('prune.empties', `a ratio of ${ratio} would leave nothing of "${group.name}"`, {
    subject: group.name,
    expected: `at most ${(1 - 1 / group.size).toFixed(3)} for its ${group.size} units`,
    found: String(ratio),
    fix: 'Lower the ratio, set a minimum of channels, or give this layer a rule of its own.',
  })

function planAt(context: Context, ratio: number, strict: boolean): Plan {
  const { groups, options } = context
  const counts = options.scope === 'layer' ? layerCounts(context, ratio, strict) : globalCounts(context, ratio, strict)
  const removal = new Map<number, readonly number[]>()
  const planned = groups.groups.map((group): PlannedGroup => {
    const after = counts.get(group.id) ?? group.size
    const scores = context.scores.get(group.id)
    if (after < group.size && scores) removal.set(group.id, smallest(scores, group.size - after))
    return { group: group.id, name: group.name, before: group.size, after: scores ? after : group.size }
  })
  return { removal, groups: planned, ratio }
}

function layerCounts(context: Context, ratio: number, strict: boolean): ReadonlyMap<number, number> {
  return new Map(
    context.groups.groups.map((group) => {
      const rule = context.rules.get(group.id)
      if (rule) return [group.id, keptByRule(group, rule, context, strict)]
      const kept = left(group.size, ratio)
      if (kept < 1 && strict) throw empties(group, ratio)
      return [group.id, allowed(group, kept, context.options)]
    }),
  )
}

/** The least important of all units that no rule speaks of, as long as their groups may lose one more. */
function globalCounts(context: Context, ratio: number, strict: boolean): ReadonlyMap<number, number> {
  const { groups, scores, options, rules } = context
  const kept = new Map(groups.groups.map((group) => [group.id, group.size]))
  const units: { readonly group: Group; readonly score: number }[] = []
  for (const group of groups.groups) {
    const rule = rules.get(group.id)
    const own = scores.get(group.id)
    if (rule) kept.set(group.id, keptByRule(group, rule, context, strict))
    else if (own) for (const score of own) units.push({ group, score })
  }
  units.sort((a, b) => a.score - b.score)
  let missing = Math.floor(units.length * ratio + 1e-9)
  for (const { group } of units) {
    if (missing === 0) break
    const now = kept.get(group.id) as number
    const least = Math.max(1, options.minimum ?? 1, group.size - Math.floor(group.size * options.maxRatio))
    if (now <= least) continue
    kept.set(group.id, now - 1)
    missing--
  }
  for (const group of groups.groups) {
    const now = kept.get(group.id) as number
    if (now < group.size) kept.set(group.id, allowed(group, now, options))
  }
  return kept
}

/** The positions of the `count` smallest; ties go to the lower position. */
export function smallest(scores: ArrayLike<number>, count: number): number[] {
  const order = Array.from({ length: scores.length }, (_, i) => i)
  order.sort((a, b) => (scores[a] as number) - (scores[b] as number) || a - b)
  return order.slice(0, count).sort((a, b) => a - b)
}

// --- budgets --------------------------------------------------------------------------------------------------------

/** What a graph has of what a budget counts. Multiply-accumulates are those of one sample. */
export function amountOf(graph: Graph, kind: BudgetKind): number {
  if (kind === 'bytes') {
    return [...graph.initializers.values()].reduce((n, t) => n + byteLength(t.dtype, sizeOf(t.dims)), 0)
  }
  const { params, macs, unknown } = costOf(graph)
  if (kind === 'params') return params
  if (macs !== undefined) return macs
  throw new AlambicError(
    'prune.macs',
    `the multiply-accumulates of this model cannot be counted: ${unknown[0] ?? ''}`,
    {
      fix: 'Give a budget in params or bytes.',
    },
  )
}

/** The smallest ratio that meets the budget, by bisection. */
function withinBudget(context: Context, budget: Budget): Plan {
  const { groups } = context
  const whole = amountOf(groups.coupling.graph, budget.kind)
  const limit = budget.isShare ? budget.limit * whole : budget.limit
  const amount = (candidate: Plan) => amountOf(cut(groups, candidate.removal, { shapesOnly: true }), budget.kind)
  let [low, high] = [0, 1]
  let best = planAt(context, 1, false)
  const least = amount(best)
  if (least > limit) throw unreachable(budget, limit, least, whole)
  // Far finer than one unit of the largest models.
  for (let i = 0; i < 16 && high - low > 1e-4; i++) {
    const middle = (low + high) / 2
    const candidate = planAt(context, middle, false)
    if (amount(candidate) <= limit) [high, best] = [middle, candidate]
    else low = middle
  }
  return best
}

const unreachable = (budget: Budget, limit: number, least: number, whole: number) =>
  new AlambicError('prune.budget', `pruning cannot bring this model down to ${Math.floor(limit)} ${budget.kind}`, {
    subject: budget.kind,
    expected: `at least ${least} ${budget.kind}, ${((100 * least) / whole).toFixed(1)} % of the whole`,
    found: `${Math.floor(limit)}`,
    fix: 'Raise the budget, lower the minimum of channels, or allow a larger ratio per layer.',
  })
