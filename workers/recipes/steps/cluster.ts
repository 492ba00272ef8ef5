import { z } from 'zod'
import { preprocessingFor, withPreprocessing } from '../../datasets/index.ts'
import { arrayOf } from '../../graph/tensor.ts'
import { initializations, kMeans, type KMeansOptions } from '../../passes/cluster/kmeans.ts'
import { hold, settle, type Sharing } from '../../passes/cluster/share.ts'
import { byPattern, layerWeights, type LayerWeight } from '../../passes/layer-weights.ts'
import { retrain, RetrainOptions } from '../distil/retrain.ts'
import { step, type StepContext, type StepResult } from '../step.ts'
import { trainingProblems } from './train.ts'

const Bits = z.number().int().min(1).max(12)

const ClusterOptions = RetrainOptions.extend({
  epochs: RetrainOptions.shape.epochs.default(1).describe('Passes over the training set with the assignments fixed'),
  lr: RetrainOptions.shape.lr.default(1e-4),
  convBits: Bits.default(8).describe('2^bits shared values in each convolution'),
  denseBits: Bits.default(5).describe('2^bits shared values in each fully connected layer'),
  bits: z.record(z.string(), Bits).default({}).describe('Others for single layers: name pattern to bits'),
  init: z.enum(initializations).default('linear').describe('How k-means begins'),
  form: z
    .enum(['dense', 'gather'])
    .default('dense')
    .describe('dense: ordinary weights that repeat values; gather: codebooks and indices in the graph'),
})
type ClusterOptions = z.output<typeof ClusterOptions>

async function run(context: StepContext, options: ClusterOptions): Promise<StepResult> {
  const { model, data } = context
  const preprocessing = preprocessingFor(data, model, options.preprocessing)
  const weights = layerWeights(model.graph)
  const { shared, layers } = share(weights, options, context.seed)
  const held = hold(
    model.graph,
    weights.map((w) => w.name),
    shared,
  )
  const { graph: trained, ...report } = await retrain(context, held.graph, options, { preprocessing })
  const settled = settle({ graph: trained, held: held.held })
  const graph = options.form === 'gather' ? trained : settled
  const values = new Map(layerWeights(settled).map(({ name, tensor }) => [name, arrayOf(tensor) as Float32Array]))
  return {
    model: withPreprocessing({ ...model, graph }, preprocessing),
    report: {
      ...report,
      layers: layers.map((l) => ({ ...l, codebook: codebookOf(values.get(l.name) ?? new Float32Array()) })),
    },
    stopped: report.stopped,
  }
}

/** The values that weights share, rising, and how many have each. */
function codebookOf(weights: Float32Array): { values: number[]; counts: number[] } {
  const counts = new Map<number, number>()
  for (const w of weights) if (w !== 0) counts.set(w, (counts.get(w) ?? 0) + 1)
  const values = [...counts.keys()].sort((a, b) => a - b)
  return { values, counts: values.map((value) => counts.get(value) ?? 0) }
}

interface SharedLayer {
  readonly name: string
  readonly elements: number
  readonly nonZeros: number
  readonly clusters: number
  /** Root of the mean squared change of the weights that are not zero. */
  readonly rmse: number
}

/** K-means over the weights of each layer that are not zero. */
function share(weights: readonly LayerWeight[], options: ClusterOptions, seed: number) {
  const bitsOf = byPattern(options.bits, weights)
  const shared = new Map<string, Sharing>()
  const layers: SharedLayer[] = []
  for (const layer of weights) {
    const bits = bitsOf(layer) ?? (layer.kind === 'conv' ? options.convBits : options.denseBits)
    const values = arrayOf(layer.tensor) as Float32Array
    const nonZeros = values.filter((v) => v !== 0)
    if (nonZeros.length === 0) continue
    const { sharing, inertia } = clusters(values, nonZeros, 2 ** bits, { init: options.init, seed })
    shared.set(layer.name, sharing)
    layers.push({
      name: layer.name,
      elements: values.length,
      nonZeros: nonZeros.length,
      clusters: sharing.centroids.length,
      rmse: Math.sqrt(inertia / nonZeros.length),
    })
  }
  return { shared, layers }
}

function clusters(values: Float32Array, nonZeros: Float32Array, k: number, options: KMeansOptions) {
  const { centroids, assignments, inertia } = kMeans(nonZeros, k, options)
  // Clusters that nothing belongs to would only take room.
  const used = [...new Set(assignments)].sort((a, b) => a - b)
  const place = new Map(used.map((cluster, i) => [cluster, i]))
  const index = new Uint16Array(values.length)
  let at = 0
  values.forEach((v, i) => {
    if (v !== 0) index[i] = place.get(assignments[at++] as number) as number
  })
  return { sharing: { centroids: used.map((cluster) => centroids[cluster] as number), index }, inertia }
}

export const cluster = step({
  id: 'cluster',
  family: 'clustering',
  source: 'Han, Mao & Dally 2016, arXiv:1510.00149, section 3',
  options: ClusterOptions,
  preflight: trainingProblems,
  run,
})
