import { AlambicError } from '../../protocol/errors.ts'
import { evbmf } from './evbmf.ts'
import type { FactorLayer } from './layers.ts'
import { largestRanks, ranksAtShare, together, type ConvShape, type Method, type Ranks } from './methods.ts'
import { costOfPieces, type Cost, type PieceShape } from './piece.ts'

/** How the ranks of one layer are found. */
export type RankRule =
  /** These; one number stands for all. */
  | { readonly fixed: number | readonly number[] }
  /** A share of the ranks at which nothing is lost. */
  | { readonly share: number }
  /** The largest at which the layer has so many times fewer parameters. */
  | { readonly ratio: number }
  /** The smallest that keep this share of Σσ² in each unfolding. */
  | { readonly energy: number }
  /** What the variational Bayesian solution takes for signal; 1 at least. */
  | { readonly evbmf: true }

/** What a layer, or its groups together, is made of. */
export const shapeOfLayer = ({ groups }: FactorLayer): ConvShape => {
  const [first] = groups
  return { out: first?.out ?? 1, in: first?.in ?? 1, kernel: first?.kernel ?? [] }
}

/** What a layer costs once it is factorized. */
export function costAt(layer: FactorLayer, method: Method, ranks: Ranks): Cost {
  return costOfShapes(layer, method.shapes(shapeOfLayer(layer), ranks))
}

/** Groups lie side by side: each costs the same. */
function costOfShapes(layer: FactorLayer, shapes: readonly PieceShape[]): Cost {
  const { params, macs } = costOfPieces(shapes, layer.geometry)
  const count = layer.groups.length
  return { params: params * count, macs: macs === undefined ? undefined : macs * count }
}

/** Singular values by rank, those of all groups together. */
export function spectraOf(layer: FactorLayer, method: Method): readonly Float64Array[] {
  const { spectra } = method
  if (!spectra) throw withoutSpectrum(method)
  const all = layer.groups.map((w) => spectra(w, layer.moments))
  return (all[0] ?? []).map((_, i) => together(all.map((s) => s[i] as Float64Array)))
}

export function ranksFor(layer: FactorLayer, method: Method, rule: RankRule): Ranks {
  const shape = shapeOfLayer(layer)
  if ('fixed' in rule) return fixed(layer, method, rule.fixed)
  if ('share' in rule) return ranksAtShare(method, shape, rule.share)
  if ('ratio' in rule) {
    return largestRanks(method, shape, (s) => costOfShapes(layer, s).params * rule.ratio <= layer.cost.params)
  }
  if ('energy' in rule) return spectraOf(layer, method).map((sigma) => rankAtEnergy(sigma, rule.energy))
  return bayesian(layer, method)
}

/** The smallest rank that keeps a share of Σσ². */
export function rankAtEnergy(sigma: Float64Array, share: number): number {
  const total = sigma.reduce((sum, s) => sum + s * s, 0)
  let kept = 0
  for (let r = 0; r < sigma.length; r++) {
    // Rounding must not ask for a direction that holds nothing.
    if (kept >= (share - 1e-12) * total) return Math.max(1, r)
    kept += (sigma[r] as number) ** 2
  }
  return sigma.length
}

function fixed(layer: FactorLayer, method: Method, given: number | readonly number[]): Ranks {
  const full = method.fullRanks(shapeOfLayer(layer))
  const ranks = typeof given === 'number' ? full.map(() => given) : given
  const fits = ranks.length === full.length && ranks.every((r, i) => r >= 1 && r <= (full[i] as number))
  if (fits) return ranks
  throw new AlambicError('model.rank', `the ranks of "${layer.weight.name}" are out of range`, {
    subject: layer.weight.name,
    expected: full.map((f) => `1 … ${f}`).join(' and '),
    found: ranks.join(' and '),
    fix: 'Give ranks in range, or a share of the full ones.',
  })
}

function bayesian(layer: FactorLayer, method: Method): Ranks {
  const { spectra, unfoldings } = method
  if (!spectra || !unfoldings) throw withoutSpectrum(method)
  const sizes = unfoldings(shapeOfLayer(layer))
  const all = layer.groups.map((w) =>
    spectra(w).map((s, i) => evbmf(s, ...(sizes[i] as readonly [number, number])).rank),
  )
  return sizes.map((_, i) => Math.max(1, ...all.map((ranks) => ranks[i] as number)))
}

const withoutSpectrum = (method: Method): AlambicError =>
  new AlambicError('model.rank', `${method.title} has no singular values that this rule could cut`, {
    expected: 'fixed ranks, a share or a ratio',
    found: 'energy, evbmf or a budget',
    fix: 'Choose ranks by share or ratio, or another method.',
  })
