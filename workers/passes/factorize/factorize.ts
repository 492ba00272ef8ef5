import type { Graph } from '../../graph/graph.ts'
import type { PassReport, PassResult } from '../../graph/pass.ts'
import { Rewriter } from '../../graph/rewrite.ts'
import { inferTypes } from '../../ops/infer.ts'
import { byPattern, layerWeights, type LayerWeight } from '../layer-weights.ts'
import { allocate, type Budget, type Candidate } from './budget.ts'
import { factorLayer, isRefusal, type FactorLayer, type Refusal } from './layers.ts'
import type { Matrix } from './matrix.ts'
import { methods, type CpOptions, type Factors, type Method, type MethodId, type Ranks } from './methods.ts'
import { costOfPieces, stack } from './piece.ts'
import { costAt, ranksFor, shapeOfLayer, type RankRule } from './ranks.ts'
import { writePieces } from './write.ts'

/** Methods for single layers; `none` leaves one as it is. */
export type Choice = MethodId | 'none'

export interface FactorizeOptions {
  /** Of convolutions with more than one tap; tucker unless told. */
  readonly conv?: Choice
  /** Of matrix products and convolutions of one tap; svd unless told. */
  readonly dense?: Choice
  /** Others for single layers, by pattern of their names. */
  readonly layers?: Readonly<
    Record<string, { readonly method?: Choice | undefined; readonly rank?: RankRule | undefined }>
  >
  /** One rule for each layer by itself, or a budget over all of them. */
  readonly rank: RankRule | Budget
  readonly cp?: CpOptions | undefined
  /**
   * What layers put out on data, by the names of their weights: E[(y − b)(y − b)ᵀ]. Methods that can then keep the outputs
   * rather than the weights, and ranks by energy are those of the outputs.
   */
  readonly moments?: ReadonlyMap<string, Matrix> | undefined
  /**
   * What convolutions read on data, by the names of their weights: E[xxᵀ] of the patches that the kernel is laid on, one
   * for each group. Methods that can then keep the outputs rather than the weights.
   */
  readonly inputs?: ReadonlyMap<string, readonly Matrix[]> | undefined
  /** Also factorize layers whose factors are not smaller. */
  readonly force?: boolean
}

/** What became of a layer. */
export type LayerReport =
  | {
      readonly name: string
      readonly node: string
      readonly method: MethodId
      readonly ranks: Ranks
      readonly params: { readonly before: number; readonly after: number }
      readonly macs?: { readonly before: number; readonly after: number }
      /** ‖W − Ŵ‖ / ‖W‖ over all groups; on data √(E‖y − ŷ‖² / E‖y‖²) of the outputs. */
      readonly error: number
      readonly note?: string
    }
  | { readonly name: string; readonly node: string; readonly skipped: string }

export interface FactorizeReport extends PassReport {
  readonly layers: readonly LayerReport[]
}

const isBudget = (rank: RankRule | Budget): rank is Budget => 'params' in rank || 'macs' in rank

/**
 * Writes convolutions and matrix products as several smaller ones (low-rank approximation). A layer stays when its
 * factors would not be smaller; the report says so. Names of outputs stay. Nothing is run.
 *
 * @throws AlambicError `model.rank`, `model.no-layer`, `target.infeasible`
 */
export function factorize(graph: Graph, options: FactorizeOptions): PassResult<FactorizeReport> {
  const typed = inferTypes(graph)
  const weights = layerWeights(typed)
  const own = byPattern(options.layers ?? {}, weights)
  const found = weights.map((weight) => choose(typed, weight, options, own(weight)))
  const ranks = ranksOfAll(found, options)
  const rewriter = new Rewriter(typed)
  const layers = found.map((f) =>
    'reason' in f ? skip(f.weight, f.reason) : write(rewriter, f, ranks.get(f), options),
  )
  const modified = layers.some((l) => 'method' in l)
  return { graph: modified ? inferTypes(rewriter.apply()) : graph, report: { modified, layers } }
}

interface Chosen extends Candidate {
  readonly id: MethodId
  readonly rule: RankRule | undefined
}

/** What the method that is chosen for a layer makes use of. */
export function wantsOf(
  graph: Graph,
  weight: LayerWeight,
  options: FactorizeOptions,
): { readonly moments: boolean; readonly inputs: boolean } {
  const own = byPattern(options.layers ?? {}, layerWeights(graph))(weight)
  const id = choiceOf(weight.tensor.dims.slice(2), options, own?.method)
  const method: Method | undefined = id === 'none' ? undefined : methods[id]
  return { moments: method?.usesMoments === true, inputs: method?.usesInputs === true }
}

const choiceOf = (kernel: readonly number[], options: FactorizeOptions, own: Choice | undefined): Choice =>
  own ?? (kernel.every((k) => k === 1) ? (options.dense ?? 'svd') : (options.conv ?? 'tucker'))

function choose(
  graph: Graph,
  weight: LayerWeight,
  options: FactorizeOptions,
  own: { readonly method?: Choice | undefined; readonly rank?: RankRule | undefined } | undefined,
): Chosen | Refusal {
  const layer = factorLayer(graph, weight, options.moments?.get(weight.name))
  if (isRefusal(layer)) return layer
  const id = choiceOf(shapeOfLayer(layer).kernel, options, own?.method)
  if (id === 'none') return { weight, reason: 'it was left out' }
  const reason = methods[id].whyNot(shapeOfLayer(layer))
  return reason === undefined ? { layer, id, method: methods[id], rule: own?.rank } : { weight, reason }
}

/** Ranks of each layer; undefined where it had better stay as it is. */
function ranksOfAll(found: readonly (Chosen | Refusal)[], { rank }: FactorizeOptions): Map<Chosen, Ranks | undefined> {
  const chosen = found.filter((f): f is Chosen => !('reason' in f))
  const single = chosen.filter((c) => c.rule !== undefined || !isBudget(rank))
  const ranks = new Map<Chosen, Ranks | undefined>(
    single.map((c) => [c, ranksFor(c.layer, c.method, c.rule ?? (rank as RankRule))]),
  )
  if (!isBudget(rank)) return ranks
  const together = chosen.filter((c) => c.rule === undefined)
  allocate(together, rank).forEach((r, i) => ranks.set(together[i] as Chosen, r))
  return ranks
}

const skip = (weight: LayerWeight, skipped: string): LayerReport => ({
  name: weight.name,
  node: weight.node.name,
  skipped,
})

function write(
  rewriter: Rewriter,
  { layer, method, id }: Chosen,
  ranks: Ranks | undefined,
  { force, cp, inputs }: FactorizeOptions,
): LayerReport {
  if (!ranks) return skip(layer.weight, 'the budget is met without it')
  const unpaid = force ? undefined : whyNotPaid(layer, costAt(layer, method, ranks), ranks)
  if (unpaid !== undefined) return skip(layer.weight, unpaid)
  const read = inputs?.get(layer.weight.name)
  const contextOf = (g: number) => ({ geometry: layer.geometry, cp, moments: layer.moments, inputs: read?.[g] })
  const factors = layer.groups.map((w, g) => method.factor(w, ranks, contextOf(g)))
  const used = sameForAll(factors, () =>
    layer.groups.map((w, g) => methods.tucker.factor(w, tuckerRanks(factors), contextOf(g))),
  )
  const pieces = stack(used.map((f) => f.pieces))
  writePieces(rewriter, layer.node, pieces)
  const cost = costOfPieces(pieces, layer.geometry)
  const note = used.find((f) => f.note)?.note
  const macs = layer.cost.macs !== undefined && cost.macs !== undefined && { before: layer.cost.macs, after: cost.macs }
  return {
    name: layer.weight.name,
    node: layer.node.name,
    method: note === undefined ? id : 'tucker',
    ranks: note === undefined ? ranks : tuckerRanks(used),
    params: { before: layer.cost.params, after: cost.params },
    ...(macs && { macs }),
    error: Math.sqrt(
      weightedMean(
        used.map((f) => f.error ** 2),
        layer,
      ),
    ),
    ...(note === undefined ? {} : { note }),
  }
}

/** When one group of a convolution had to fall back, all do: their pieces lie in the same nodes. */
function sameForAll(factors: readonly Factors[], again: () => readonly Factors[]): readonly Factors[] {
  const fallen = factors.filter((f) => f.note !== undefined)
  if (fallen.length === 0 || fallen.length === factors.length) return factors
  const note = fallen[0]?.note ?? ''
  return again().map((f) => ({ ...f, note }))
}

/** Ranks of Tucker-2 as the pieces of a fallen group have them. */
function tuckerRanks(factors: readonly Factors[]): Ranks {
  const core = factors.find((f) => f.note !== undefined)?.pieces[1]
  return [core?.out ?? 1, core?.in ?? 1]
}

function weightedMean(values: readonly number[], { groups }: FactorLayer): number {
  const energies = groups.map((w) => w.data.reduce((sum, v) => sum + v * v, 0))
  const total = energies.reduce((a, b) => a + b, 0)
  return total === 0 ? 0 : values.reduce((sum, v, i) => sum + v * (energies[i] as number), 0) / total
}

function whyNotPaid(
  layer: FactorLayer,
  cost: { params: number; macs: number | undefined },
  ranks: Ranks,
): string | undefined {
  const { params, macs } = layer.cost
  const at = `at rank ${ranks.join(' and ')}`
  if (cost.params >= params) return `its factors would have ${cost.params} parameters ${at}, and it has ${params}`
  if (macs !== undefined && cost.macs !== undefined && cost.macs >= macs) {
    return `its factors would take ${cost.macs} multiply-accumulates ${at}, and it takes ${macs}`
  }
  return undefined
}
