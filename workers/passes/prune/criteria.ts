import { hashSeed, mulberry32 } from '../../graph/random.ts'
import type { Tensor } from '../../graph/tensor.ts'

import type { Group, Member } from './groups.ts'
import { elementsOf, normSlices, rowsOf, sumSlices } from './weights.ts'

/** A constant by its name. */
export interface Named {
  readonly name: string
}

/** What was measured on data, by constant (gradients) or group (activations). */
export interface Evidence {
  /** Mean gradient of the loss, in the constant's shape. */
  readonly gradient?: (constant: Named) => Tensor | undefined
  /** Mean over samples of the squared gradient of each sample. */
  readonly squaredGradient?: (constant: Named) => Tensor | undefined
  /** Diagonal second derivative of the loss. */
  readonly curvature?: (constant: Named) => Tensor | undefined
  /** Mean |activation| of every unit, and the share of its activations that are not zero. */
  readonly activation?: (group: Group) => { readonly mean: Float64Array; readonly nonzero: Float64Array } | undefined
}

export interface ScoreContext extends Evidence {
  readonly seed: number
  /** The p of Lp norms. */
  readonly p: number
  /** All layers of the group, or only those that make its channels (Li et al.). */
  readonly members: 'all' | 'out'
}

/** Which evidence a criterion needs beside the weights. */
export type Needs = 'nothing' | 'gradients' | 'sample gradients' | 'curvature' | 'activations'

/** Scores of each member's indices, before they are put together; or of whole groups where members have none. */
export interface Criterion {
  readonly title: string
  readonly source: string
  readonly needs: Needs
  /** Importance of each index of a member's axis; undefined for a member that has no say. */
  readonly local?: (member: Member, context: ScoreContext) => Float64Array | undefined
  /** Importance of each unit. */
  readonly whole?: (group: Group, context: ScoreContext) => Float64Array | undefined
}

type LocalScore = NonNullable<Criterion['local']>

const has = (member: Member, ...roles: readonly string[]): boolean =>
  member.roles.some(({ role }) => roles.includes(role))

/** Weights and γ, as Torch-Pruning's importances look at them: biases and running statistics have no say. */
const isScored = (member: Member, context: ScoreContext): boolean =>
  has(member, 'out') || (context.members === 'all' && has(member, 'in', 'recurrent', 'scale'))

const magnitude = (term: (w: number, context: ScoreContext) => number): LocalScore => {
  return (member, context) =>
    isScored(member, context) ? sumSlices(member.constant.tensor, member.axis, (w) => term(w, context)) : undefined
}

const norm =
  (power: 1 | 2): LocalScore =>
  (member, context) =>
    isScored(member, context) ? normSlices(member.constant.tensor, member.axis, power) : undefined

/** Σ_j ‖W_i − W_j‖₂ over the filters of a layer: small means the others can stand in for it. */
function distances(member: Member): Float64Array | undefined {
  if (!has(member, 'out')) return undefined
  const rows = rowsOf(member.constant.tensor, member.axis)
  const sums = new Float64Array(rows.length)
  rows.forEach((a, i) => {
    for (let j = i + 1; j < rows.length; j++) {
      const b = rows[j] as Float64Array
      let square = 0
      for (let k = 0; k < a.length; k++) square += ((a[k] as number) - (b[k] as number)) ** 2
      const distance = Math.sqrt(square)
      sums[i] = (sums[i] as number) + distance
      sums[j] = (sums[j] as number) + distance
    }
  })
  return sums
}

/** Sums over slices of a term of weight and evidence at the same place. */
const withEvidence =
  (
    evidence: (context: ScoreContext, constant: Named) => Tensor | undefined,
    term: (w: number, e: number) => number,
    finish: (sum: number) => number = (sum) => sum,
  ): LocalScore =>
  (member, context) => {
    if (!isScored(member, context)) return undefined
    const found = evidence(context, member.constant)
    if (!found) return undefined
    const values = elementsOf(found)
    return sumSlices(member.constant.tensor, member.axis, (w, at) => term(w, values[at] as number)).map(finish)
  }

const gradient = (context: ScoreContext, constant: Named) => context.gradient?.(constant)
const squared = (context: ScoreContext, constant: Named) => context.squaredGradient?.(constant)
const curved = (context: ScoreContext, constant: Named) => context.curvature?.(constant)

/** How important a channel is. Smallest go first. */
export const criteria = {
  random: {
    title: 'Random',
    source: 'a baseline',
    needs: 'nothing',
    whole: (group, { seed }) => {
      const random = mulberry32(hashSeed(seed, group.id, 0, 'prune'))
      return Float64Array.from({ length: group.size }, random)
    },
  },
  l1: { title: 'L1 norm', source: 'Li et al. 2017, arXiv:1608.08710', needs: 'nothing', local: norm(1) },
  l2: {
    title: 'L2 norm',
    source: 'Fang et al. 2023, arXiv:2301.12900, eq. 4; squares without a root, as Torch-Pruning',
    needs: 'nothing',
    local: norm(2),
  },
  lp: {
    title: 'Lp norm',
    source: 'Li et al. 2017, arXiv:1608.08710',
    needs: 'nothing',
    local: magnitude((w, { p }) => Math.abs(w) ** p),
  },
  fpgm: {
    title: 'Distance to the geometric median',
    source: 'He et al. 2019, FPGM, arXiv:1811.00250, eq. 4, on the raw weights',
    needs: 'nothing',
    local: distances,
  },
  'bn-scale': {
    title: 'Batch-norm scale',
    source: 'Liu et al. 2017, Network Slimming, arXiv:1708.06519',
    needs: 'nothing',
    local: (member) => (has(member, 'scale') ? sumSlices(member.constant.tensor, member.axis, Math.abs) : undefined),
  },
  lamp: {
    title: 'LAMP',
    source: 'Lee et al. 2021, arXiv:2010.07611, over channels as Torch-Pruning',
    needs: 'nothing',
    local: norm(2),
  },
  taylor: {
    title: 'Taylor, first order',
    source: 'Molchanov et al. 2019, arXiv:1906.10771; Σ|g·w| as Torch-Pruning',
    needs: 'gradients',
    local: withEvidence(gradient, (w, g) => Math.abs(w * g)),
  },
  'taylor-channel': {
    title: 'Taylor per channel',
    source: 'Molchanov et al. 2019, arXiv:1906.10771, eq. 8; Lin et al. 2018 (GDP): |Σ g·w|',
    needs: 'gradients',
    local: withEvidence(gradient, (w, g) => w * g, Math.abs),
  },
  obd: {
    title: 'Optimal Brain Damage',
    source: 'LeCun et al. 1989, with the empirical Fisher E[g²] as diagonal Hessian: ½ h w²',
    needs: 'sample gradients',
    local: withEvidence(squared, (w, h) => 0.5 * h * w * w),
  },
  'obd-diagonal': {
    title: 'Optimal Brain Damage, second derivatives',
    source: 'LeCun et al. 1989, eq. 5 to 9: ½ h w², h carried backwards along diagonals',
    needs: 'curvature',
    local: withEvidence(curved, (w, h) => 0.5 * h * w * w),
  },
  activation: {
    title: 'Mean activation',
    source: 'Molchanov et al. 2017, arXiv:1611.06440, section 2.2',
    needs: 'activations',
    whole: (group, context) => context.activation?.(group)?.mean,
  },
  apoz: {
    title: 'Share of zero activations (APoZ)',
    source: 'Hu et al. 2016, arXiv:1607.03250',
    needs: 'activations',
    whole: (group, context) => context.activation?.(group)?.nonzero,
  },
} as const satisfies Readonly<Record<string, Criterion>>

export type CriterionId = keyof typeof criteria
export const criterionIds = Object.keys(criteria) as readonly CriterionId[]

/** How the layers of a group are put together (Torch-Pruning's `group_reduction`). */
export const reductions = {
  mean: (rows) => combine(rows, (sum, v) => sum + v).map((v) => v / rows.length),
  sum: (rows) => combine(rows, (sum, v) => sum + v),
  max: (rows) => combine(rows, Math.max),
  prod: (rows) => combine(rows, (sum, v) => sum * v),
  first: (rows) => rows[0] as Float64Array,
  last: (rows) => rows.at(-1) as Float64Array,
} as const satisfies Readonly<Record<string, (rows: readonly Float64Array[]) => Float64Array>>
export type Reduction = keyof typeof reductions

function combine(rows: readonly Float64Array[], by: (a: number, b: number) => number): Float64Array {
  const out = (rows[0] as Float64Array).slice()
  for (const row of rows.slice(1)) row.forEach((v, i) => (out[i] = by(out[i] as number, v)))
  return out
}

const total = (v: Float64Array): number => v.reduce((sum, x) => sum + x, 0)
const mean = (v: Float64Array): number => total(v) / v.length

/** What makes groups comparable with each other (Torch-Pruning's `normalizer`). */
export const normalizers = {
  mean: (v) => v.map((x) => x / mean(v)),
  none: (v) => v,
  sum: (v) => v.map((x) => x / total(v)),
  max: (v) => v.map((x) => x / Math.max(...v)),
  range: (v) => {
    const [low, high] = [Math.min(...v), Math.max(...v)]
    return v.map((x) => (x - low) / (high - low + 1e-8))
  },
  gaussian: (v) => {
    const center = mean(v)
    const deviation = Math.sqrt(total(v.map((x) => (x - center) ** 2)) / Math.max(1, v.length - 1))
    return v.map((x) => (x - center) / (deviation + 1e-8))
  },
  lamp: (v) => lamp(v),
} as const satisfies Readonly<Record<string, (v: Float64Array) => Float64Array>>
export type Normalizer = keyof typeof normalizers

/** x_i / Σ_{x_j ≥ x_i} x_j, so that the largest scores 1 (Lee et al. 2021, arXiv:2010.07611, eq. 3). */
export function lamp(values: Float64Array): Float64Array {
  const order = values.map((_, i) => i).sort((a, b) => (values[b] as number) - (values[a] as number) || a - b)
  const out = new Float64Array(values.length)
  let sum = 0
  for (const i of order) {
    sum += values[i] as number
    out[i] = sum === 0 ? 0 : (values[i] as number) / sum
  }
  return out
}

export interface ScoreOptions extends ScoreContext {
  readonly criterion: CriterionId
  readonly reduction: Reduction
  readonly normalizer: Normalizer
}

/** The importance of every unit of a group; undefined when the criterion has nothing to go by (no γ, no gradient). */
export function scoreGroup(group: Group, options: ScoreOptions): Float64Array | undefined {
  const criterion: Criterion = criteria[options.criterion]
  const raw = criterion.whole ? criterion.whole(group, options) : reduced(group, criterion, options)
  if (!raw) return undefined
  return normalizers[options.criterion === 'lamp' ? 'lamp' : options.normalizer](raw)
}

function reduced(group: Group, criterion: Criterion, options: ScoreOptions): Float64Array | undefined {
  const rows = group.members.flatMap((member) => {
    const scores = criterion.local?.(member, options)
    return scores ? [byUnit(member, scores, group.size)] : []
  })
  return rows.length === 0 ? undefined : reductions[options.reduction](rows)
}

/** A unit's score in one member: the sum over the indices that go with it. */
function byUnit({ indices, units }: Member, scores: Float64Array, size: number): Float64Array {
  const out = new Float64Array(size)
  indices.forEach((index, i) => {
    const unit = units[i] as number
    out[unit] = (out[unit] as number) + (scores[index] as number)
  })
  return out
}
