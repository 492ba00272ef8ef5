import type { CandidateKind } from '../../protocol/files/search.ts'
import type { Target } from './target.ts'

/** A recipe without its training: the steps that make a model smaller, in a safe order. */
export interface Candidate {
  readonly name: string
  /** What it is for shells, which have words of their own. */
  readonly kind: CandidateKind
  /** Share of the cost that it aims at. */
  readonly share?: number
  /** Steps before the training. */
  readonly before: readonly object[]
  /** Steps behind it. */
  readonly after: readonly object[]
}

const percent = (share: number): string => `${(100 * share).toPrecision(6)}%`
const quantize = { step: 'quantize', mode: 'static', diagnose: false }

/** Channels cut to a share of the cost. Only parameters, multiply-accumulates and bytes can be a budget of pruning. */
const cut = (kind: 'macs' | 'params' | 'bytes', share: number, method: string) => ({
  step: 'prune',
  method,
  scope: 'global',
  maxRatio: 0.9,
  minimum: 2,
  budget: `${kind}=${percent(share)}`,
  recover: 'bn',
})
const lowRank = (kind: 'macs' | 'params', share: number, conv: string) => ({
  step: 'factorize',
  conv,
  rank: { [kind]: share },
})

/**
 * Recipes that should meet a target, given as a share of what the model costs. Where the cost can't be computed
 * beforehand (latency) there are several strengths, and measuring decides.
 */
export function candidatesFor({ kind }: Target, share: number): readonly Candidate[] {
  if (kind === 'packed') return packedCandidates(share)
  const unit = kind === 'latency' ? 'macs' : kind
  const strengths = kind === 'latency' ? [share, 0.6 * share, 0.35 * share] : [share]
  return [
    ...strengths.flatMap((s) => structural(unit, s)),
    ...(unit === 'macs' ? [] : quantized(unit, share)),
    ...(kind === 'latency' ? [justQuantized] : []),
  ]
}

const justQuantized: Candidate = { name: 'int8', kind: 'int8', before: [], after: [quantize] }

function structural(unit: 'macs' | 'params' | 'bytes', share: number): readonly Candidate[] {
  const half = Math.sqrt(share)
  const rank = unit === 'bytes' ? 'params' : unit
  const at = percent(share)
  return [
    { name: `channels by L1, ${at}`, kind: 'channels-l1', share, before: [cut(unit, share, 'l1')], after: [] },
    { name: `channels by LAMP, ${at}`, kind: 'channels-lamp', share, before: [cut(unit, share, 'lamp')], after: [] },
    { name: `Tucker-2 and SVD, ${at}`, kind: 'tucker-svd', share, before: [lowRank(rank, share, 'tucker')], after: [] },
    { name: `spatial SVD, ${at}`, kind: 'spatial', share, before: [lowRank(rank, share, 'spatial')], after: [] },
    {
      name: `channels, then Tucker-2, ${at}`,
      kind: 'channels-tucker',
      share,
      before: [cut(unit, half, 'l1'), lowRank(rank, half, 'tucker')],
      after: [],
    },
  ]
}

/** An int8 weight takes a quarter of a float32 one: what is left to cut is the rest. */
function quantized(unit: 'params' | 'bytes', share: number): readonly Candidate[] {
  if (unit === 'params') return []
  const left = Math.min(1, share / 0.27)
  if (left >= 1) return [justQuantized]
  return [
    { name: 'channels, then int8', kind: 'channels-int8', share, before: [cut(unit, left, 'l1')], after: [quantize] },
  ]
}

/** Pruned weights of 8.1 bits each (a gap and a shared value) fill what the target leaves. */
function packedCandidates(share: number): readonly Candidate[] {
  const keep = Math.min(1, (0.9 * share * 32) / 8.1)
  const rounds = [Math.min(1, 3.5 * keep), Math.min(1, 1.8 * keep), keep]
  const prune = (scope: string) => rounds.map((k) => ({ step: 'prune-retrain', keep: k, scope }))
  const cluster = { step: 'cluster', convBits: 6, denseBits: 5, lr: 3e-4 }
  return (['lamp', 'layer', 'global'] as const).map((scope) => ({
    name: `single weights (${scope}), shared`,
    kind: `shared-${scope}` as const,
    share,
    before: prune(scope),
    after: [cluster],
  }))
}

/** The steps of a candidate with so many epochs of training; `validation` of the samples are not trained on. */
export function stepsOf({ before, after }: Candidate, epochs: number, validation?: number): readonly object[] {
  const kept = validation === undefined ? {} : { validation }
  const trained = (steps: readonly object[]) =>
    steps.map((s) =>
      'step' in s && (s.step === 'prune-retrain' || s.step === 'cluster') ? { ...s, epochs, ...kept } : s,
    )
  const holdsZeros = before.some((s) => 'step' in s && s.step === 'prune-retrain')
  const distil = { step: 'distil', epochs, lr: 1e-3, alpha: 0.7, ...kept }
  const training = epochs > 0 && !holdsZeros && before.length > 0 ? [distil] : []
  return [...trained(before), ...training, ...trained(after)]
}
