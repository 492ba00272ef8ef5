import type { Graph } from '../../graph/graph.ts'
import { inferTypes } from '../../ops/infer.ts'
import type { RankCurve } from '../../protocol/files/methods.ts'
import { layerWeights } from '../layer-weights.ts'
import type { LayerReport } from './factorize.ts'
import { factorLayer, isRefusal } from './layers.ts'
import { methods, type Method } from './methods.ts'
import { shapeOfLayer, spectraOf } from './ranks.ts'

/** All singular values of a layer are found for curves only where both its sides are this short: the work grows by n³. */
const LONGEST = 256
/** Ranks that a curve has at most. */
const POINTS = 33

/** What each layer that was factorized loses at other ranks, by the name of its weight. */
export function rankCurves(graph: Graph, layers: readonly LayerReport[]): ReadonlyMap<string, readonly RankCurve[]> {
  const typed = inferTypes(graph)
  const found = new Map<string, readonly RankCurve[]>()
  for (const weight of layerWeights(typed)) {
    const report = layers.find((layer) => layer.name === weight.name)
    if (!report || !('method' in report)) continue
    const method: Method = methods[report.method]
    const layer = factorLayer(typed, weight)
    if (!method.spectra || isRefusal(layer)) continue
    const { out, in: input } = shapeOfLayer(layer)
    if (Math.max(out, input) > LONGEST) continue
    found.set(
      weight.name,
      spectraOf(layer, method).map((sigma) => curveOf(sigma)),
    )
  }
  return found
}

/** The error of every rank, thinned out evenly where there are many (Eckart & Young 1936). */
function curveOf(sigma: Float64Array): RankCurve {
  const squares = [...sigma].map((s) => s * s)
  const total = squares.reduce((sum, s) => sum + s, 0)
  const lost = new Float64Array(sigma.length + 1)
  for (let r = sigma.length - 1; r >= 0; r--) lost[r] = (lost[r + 1] as number) + (squares[r] as number)
  const count = Math.min(POINTS, sigma.length + 1)
  const ranks = Array.from({ length: count }, (_, i) => Math.round((i * sigma.length) / (count - 1)))
  return { ranks, errors: ranks.map((r) => (total === 0 ? 0 : Math.sqrt((lost[r] as number) / total))) }
}
