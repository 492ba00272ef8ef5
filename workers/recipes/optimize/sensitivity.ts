import { attributesOf } from '../../graph/attributes.ts'
import { f32, sizeOf } from '../../graph/tensor.ts'
import { factorize } from '../../passes/factorize/factorize.ts'
import { layerWeights, type LayerWeight } from '../../passes/layer-weights.ts'
import { pruneMagnitude } from '../../passes/prune/magnitude.ts'
import { removalOf } from '../../passes/prune/allocate.ts'
import { cut } from '../../passes/prune/cut.ts'
import { decodeWeight, floatsOf, quantizeWeight } from '../../passes/quantize/weights.ts'
import { costOf } from '../../ops/cost.ts'
import type { Graph } from '../../graph/graph.ts'
import { AlambicError } from '../../protocol/errors.ts'
import type { Sensitivity } from '../../protocol/files/sensitivity.ts'
import { scoreAll } from '../prune/choose.ts'
import { ChoiceOptions } from '../prune/options.ts'

export type { Sensitivity }

interface Changed {
  readonly graph: Graph
  /** Share of the layer's own bytes that go where the weight is stored in its best form; from the parameters if absent. */
  readonly saved?: number
  /** Milliseconds that other kernels save, where it is these and not fewer multiply-accumulates. */
  readonly kernels?: number | undefined
}

interface Technique extends Required<Pick<Sensitivity, 'code' | 'amount'>> {
  readonly name: string
  readonly family: Sensitivity['family']
  readonly apply: (graph: Graph, layer: LayerWeight) => Changed | undefined
}

const lowRank = (ratio: number): Technique => ({
  name: `low rank, ${ratio}× fewer parameters`,
  code: 'lowRank',
  amount: ratio,
  family: 'factorization',
  apply: (graph, layer) => ({
    graph: factorize(graph, {
      conv: 'none',
      dense: 'none',
      layers: { [layer.name]: { method: methodFor(layer), rank: { ratio } } },
      rank: { ratio },
    }).graph,
  }),
})

const methodFor = ({ tensor }: LayerWeight): 'svd' | 'tucker' =>
  tensor.dims.slice(2).every((d) => d === 1) ? 'svd' : 'tucker'

/** Bits of the relative index beside each weight that stays (Han et al. 2016, arXiv:1510.00149, §3). */
const INDEX_BITS = 5

const sparse = (keep: number): Technique => ({
  name: `single weights, ${100 * keep} % kept`,
  code: 'sparse',
  amount: keep,
  family: 'pruning',
  apply: (graph, { name }) => ({
    graph: pruneMagnitude(graph, layerWeights(graph), { keep: { [name]: keep } }).graph,
    saved: 1 - (keep * (32 + INDEX_BITS)) / 32,
  }),
})

/** The least important output channels by their norms, with all that reads them. */
const channels = (ratio: number): Technique => ({
  name: `channels, ${100 * ratio} % cut`,
  code: 'channels',
  amount: ratio,
  family: 'pruning',
  apply: (graph, { name }) => {
    const { groups, scores } = scoreAll(graph, ChoiceOptions.parse({ method: 'l2' }), {}, 0)
    const makes = groups.groups.find(({ members }) =>
      members.some(({ constant, roles }) => constant.name === name && roles.some(({ role }) => role === 'out')),
    )
    return makes && { graph: cut(groups, removalOf(groups, scores, new Map([[makes.id, ratio]]))) }
  },
})

/** Weights rounded to so many bits with a scale for each output channel; activations stay. */
const rounded = (bits: 4 | 8): Technique => ({
  name: `${bits}-bit weights`,
  code: 'bits',
  amount: bits,
  family: 'quantization',
  apply: (graph, { name, node, tensor }) => {
    const last = tensor.dims.length - 1
    const isLast = node.op === 'MatMul' || (node.op === 'Gemm' && attributesOf(node, 'Gemm').transB !== 1)
    const axis = isLast ? last : node.op === 'ConvTranspose' ? 1 : 0
    const weight = quantizeWeight(floatsOf(tensor), tensor.dims, {
      type: bits === 8 ? 'i8' : 'i4',
      axis,
      symmetric: true,
    })
    const initializers = new Map([...graph.initializers, [name, f32(decodeWeight(weight), tensor.dims)]])
    return { graph: graph.with({ initializers }), saved: 1 - bits / 32 }
  },
})

const techniques: readonly Technique[] = [
  lowRank(2),
  lowRank(4),
  sparse(0.3),
  sparse(0.1),
  channels(0.25),
  channels(0.5),
  rounded(8),
  rounded(4),
]

export interface MapOptions {
  /** Accuracy of a graph on some samples. */
  readonly score: (graph: Graph) => Promise<number>
  /** Least milliseconds of an inference of the two graphs, timed in turn. */
  readonly time: (before: Graph, after: Graph) => Promise<readonly [before: number, after: number]>
  /** Milliseconds that int8 kernels save on each layer, by the names of the nodes; not looked at unless given. */
  readonly int8?: (graph: Graph) => Promise<ReadonlyMap<string, number>>
  readonly isOver: () => boolean
  readonly progress: (done: number, total: number) => void
  readonly found?: (line: Sensitivity) => void
}

/**
 * Each technique on each layer alone, scored without training: what it costs in accuracy for each share of bytes,
 * multiply-accumulates and milliseconds that it saves. Stops early, with what there is, when `isOver` says so.
 */
export async function sensitivities(graph: Graph, options: MapOptions): Promise<readonly Sensitivity[]> {
  const found: Sensitivity[] = []
  const base = await options.score(graph)
  const layers = layerWeights(graph)
  const int8 = await options.int8?.(graph)
  let done = 0
  for (const layer of layers) {
    for (const technique of techniques) {
      if (options.isOver()) return found
      options.progress(done++, layers.length * techniques.length)
      const changed = applied(() => technique.apply(graph, layer))
      if (!changed || changed.graph === graph) continue
      const drop = base - (await options.score(changed.graph))
      const kernels = technique.code === 'bits' && technique.amount === 8 ? int8?.get(layer.node.name) : undefined
      const line = await lineOf(graph, layer, technique, { ...changed, kernels }, drop, options.time)
      found.push(line)
      options.found?.(line)
    }
  }
  return found
}

async function lineOf(
  graph: Graph,
  layer: LayerWeight,
  { name: technique, family, code, amount }: Technique,
  changed: Changed,
  drop: number,
  time: MapOptions['time'],
): Promise<Sensitivity> {
  const [whole, less] = [costOf(graph), costOf(changed.graph)]
  const macs = less.macs !== undefined && whole.macs ? 1 - less.macs / whole.macs : undefined
  const params = 1 - less.params / whole.params
  const bytes = changed.saved === undefined ? params : (changed.saved * sizeOf(layer.tensor.dims)) / whole.params
  // Zeros and rounded weights are computed with as before: only fewer multiply-accumulates and int8 kernels can be faster.
  const [before, after] = macs !== undefined && macs > 0 ? await time(graph, changed.graph) : [0, 0]
  const milliseconds = before > 0 ? before - after : changed.kernels
  const per = (saved: number | undefined) => (saved !== undefined && saved > 0 ? drop / saved : undefined)
  return {
    layer: layer.name,
    technique,
    code,
    amount,
    family,
    drop,
    macs,
    params,
    bytes,
    milliseconds,
    dropPerMacs: per(macs),
    dropPerBytes: per(bytes),
    dropPerMillisecond: per(milliseconds),
  }
}

/** Layers that a technique can't be used on have no line. */
function applied(change: () => Changed | undefined): Changed | undefined {
  try {
    return change()
  } catch (error) {
    if (error instanceof AlambicError && /^(model|prune)\./.test(error.code)) return undefined
    throw error
  }
}
