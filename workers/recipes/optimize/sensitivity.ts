import { factorize } from '../../passes/factorize/factorize.ts'
import { layerWeights } from '../../passes/layer-weights.ts'
import { pruneMagnitude } from '../../passes/prune/magnitude.ts'
import { costOf } from '../../ops/cost.ts'
import type { Graph } from '../../graph/graph.ts'
import { AlambicError } from '../../protocol/errors.ts'

/** What one technique on one layer does, without any training. */
export interface Sensitivity {
  readonly layer: string
  readonly technique: string
  /** Accuracy that is lost on the samples; negative when it grew. */
  readonly drop: number
  /** Share of the whole model's multiply-accumulates and parameters that go. Zeros stay in place and save none. */
  readonly macs: number | undefined
  readonly params: number
  /** Drop per share of the multiply-accumulates saved: the smaller, the better a place to save. */
  readonly dropPerMacs: number | undefined
}

interface Technique {
  readonly name: string
  readonly apply: (graph: Graph, layer: string) => Graph
}

const lowRank = (ratio: number): Technique => ({
  name: `low rank, ${ratio}× fewer parameters`,
  apply: (graph, layer) =>
    factorize(graph, {
      conv: 'none',
      dense: 'none',
      layers: { [layer]: { method: methodFor(graph, layer), rank: { ratio } } },
      rank: { ratio },
    }).graph,
})
const sparse = (keep: number): Technique => ({
  name: `single weights, ${100 * keep} % kept`,
  apply: (graph, layer) => pruneMagnitude(graph, layerWeights(graph), { keep: { [layer]: keep } }).graph,
})

const methodFor = (graph: Graph, layer: string): 'svd' | 'tucker' =>
  (graph.initializers.get(layer)?.dims.slice(2) ?? []).every((d) => d === 1) ? 'svd' : 'tucker'

const techniques: readonly Technique[] = [lowRank(2), lowRank(4), sparse(0.3), sparse(0.1)]

/**
 * Each technique on each layer alone, scored without training. `score` gives the accuracy of a graph on some samples.
 * Stops early, with what there is, when `isOver` says so.
 */
export async function sensitivities(
  graph: Graph,
  score: (graph: Graph) => Promise<number>,
  { isOver, progress }: { isOver: () => boolean; progress: (done: number, total: number) => void },
): Promise<readonly Sensitivity[]> {
  const found: Sensitivity[] = []
  const base = await score(graph)
  const whole = costOf(graph)
  const layers = layerWeights(graph).map((w) => w.name)
  let done = 0
  for (const layer of layers) {
    for (const { name, apply } of techniques) {
      if (isOver()) return found
      progress(done++, layers.length * techniques.length)
      const changed = applied(() => apply(graph, layer))
      if (!changed || changed === graph) continue
      const drop = base - (await score(changed))
      const { macs, params } = costOf(changed)
      const saved = macs !== undefined && whole.macs ? 1 - macs / whole.macs : undefined
      found.push({
        layer,
        technique: name,
        drop,
        macs: saved,
        params: 1 - params / whole.params,
        dropPerMacs: saved !== undefined && saved > 0 ? drop / saved : undefined,
      })
    }
  }
  return found
}

/** Layers that a technique can't be used on have no line. */
function applied(change: () => Graph): Graph | undefined {
  try {
    return change()
  } catch (error) {
    if (error instanceof AlambicError && error.code.startsWith('model.')) return undefined
    throw error
  }
}
