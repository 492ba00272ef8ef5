import { arrayOf, f32, type Tensor } from '../../graph/tensor.ts'
import type { Graph } from '../../graph/graph.ts'
import { byPattern, type LayerWeight } from '../layer-weights.ts'

/** How weights of several layers are compared. */
export const scopes = ['layer', 'global', 'lamp'] as const
export type Scope = (typeof scopes)[number]

export interface MagnitudeOptions {
  /** Share of all weights that stay, or by layer: patterns of names to shares. */
  readonly keep: number | Readonly<Record<string, number>>
  /** `layer`: the same share in each; `global`: one threshold; `lamp`: one threshold of the LAMP score. */
  readonly scope?: Scope
}

/** What is left of one layer. */
export interface LayerDensity {
  readonly name: string
  readonly elements: number
  readonly kept: number
}

export interface MagnitudeResult {
  readonly graph: Graph
  readonly layers: readonly LayerDensity[]
}

/**
 * Sets the smallest weights to zero (Han et al. 2015, arXiv:1506.02626). Weights that are zero already stay so. With
 * `lamp`, w² is divided by the sum of the squares of all weights in the layer that are at least as large (Lee et al.
 * 2021, arXiv:2010.07611, eq. 3), which keeps layers from running empty. Layers that no pattern names stay.
 */
export function pruneMagnitude(
  graph: Graph,
  layers: readonly LayerWeight[],
  { keep, scope = 'lamp' }: MagnitudeOptions,
): MagnitudeResult {
  const shares = typeof keep === 'number' ? undefined : byPattern(keep, layers)
  const chosen = shares ? layers.filter((layer) => shares(layer) !== undefined) : layers
  const kept =
    typeof keep === 'number' && scope !== 'layer'
      ? keepOverall(chosen, keep, scope === 'lamp' ? lampScores : squares)
      : chosen.map((layer) => keepLargest(squares(layer.tensor), shares?.(layer) ?? (keep as number)))
  const initializers = new Map(graph.initializers)
  chosen.forEach(({ name, tensor }, i) => initializers.set(name, masked(tensor, kept[i] as Uint8Array)))
  const densities = chosen.map(({ name }, i) => ({
    name,
    elements: (kept[i] as Uint8Array).length,
    kept: (kept[i] as Uint8Array).reduce((n, k) => n + k, 0),
  }))
  return { graph: graph.with({ initializers }), layers: densities }
}

function masked(tensor: Tensor, kept: Uint8Array): Tensor {
  return f32(
    (arrayOf(tensor) as Float32Array).map((w, i) => (kept[i] ? w : 0)),
    tensor.dims,
  )
}

const squares = (tensor: Tensor): Float64Array => Float64Array.from(arrayOf(tensor) as Float32Array, (w) => w * w)

/** w² / Σ {v² : |v| ≥ |w|}; the largest weight of a layer has 1. */
export function lampScores(tensor: Tensor): Float64Array {
  const scores = squares(tensor)
  const order = Uint32Array.from(scores.keys()).sort((a, b) => (scores[b] as number) - (scores[a] as number))
  let sum = 0
  for (const i of order) {
    const square = scores[i] as number
    sum += square
    scores[i] = square === 0 ? 0 : square / sum
  }
  return scores
}

/** 1 for the largest scores, as many as the share says (at least one); zeros never stay. Ties go to the first. */
function keepLargest(scores: Float64Array, share: number): Uint8Array {
  const count = Math.max(1, Math.round(share * scores.length))
  const kept = new Uint8Array(scores.length)
  const order = Uint32Array.from(scores.keys()).sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b)
  for (const i of order.subarray(0, count)) kept[i] = (scores[i] as number) > 0 ? 1 : 0
  return kept
}

/** One ranking of all layers. */
function keepOverall(
  layers: readonly LayerWeight[],
  share: number,
  score: (tensor: Tensor) => Float64Array,
): readonly Uint8Array[] {
  const scores = layers.map((layer) => score(layer.tensor))
  const all = new Float64Array(scores.reduce((n, s) => n + s.length, 0))
  let at = 0
  for (const s of scores) {
    all.set(s, at)
    at += s.length
  }
  const kept = keepLargest(all, share)
  at = 0
  return scores.map((s) => kept.subarray(at, (at += s.length)))
}
