import { z } from 'zod'
import { preprocessorFor } from '../../datasets/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { hashSeed } from '../../graph/random.ts'
import { f32, type Tensor } from '../../graph/tensor.ts'
import { hold, settle } from '../../passes/cluster/share.ts'
import { isNamedBy, layerWeights, type LayerWeight } from '../../passes/layer-weights.ts'
import { lampScores } from '../../passes/prune/magnitude.ts'
import {
  belowDeviations,
  countOf,
  globalUnstructured,
  gradualSparsity,
  l1Unstructured,
  lnStructured,
  nOfM,
  randomUnstructured,
} from '../../passes/prune/sparsity.ts'
import { elementsOf } from '../../passes/prune/weights.ts'
import { AlambicError } from '../../protocol/errors.ts'
import { retrain, RetrainOptions } from '../distil/retrain.ts'
import { gather } from '../prune/evidence.ts'
import { ofRound, roundFacts } from '../prune/rounds.ts'
import { step, type StepContext, type StepResult } from '../step.ts'

const SparsifyOptions = RetrainOptions.extend({
  method: z
    .enum(['l1', 'random', 'lamp', 'taylor', 'obd', 'obd-diagonal', 'deviation', 'n:m', 'structured'])
    .default('l1')
    .describe(
      'Which weights become zero: the smallest, by saliency, below q deviations, all but n of m, whole filters',
    ),
  sparsity: z.number().min(0).lt(1).default(0.5).describe('Share of the weights that become zero'),
  scope: z.enum(['layer', 'global']).default('layer').describe('The same share of every layer, or one ranking of all'),
  n: z.number().int().min(1).default(2).describe('Of n:m: how many stay'),
  m: z.number().int().min(2).default(4).describe('Of n:m: in so many neighbours along the input'),
  q: z.number().positive().default(0.7).describe('Of deviation: standard deviations'),
  norm: z.number().positive().default(2).describe('Of structured: the n of the Ln norm of a filter'),
  layers: z.array(z.string().min(1)).default(['*']).describe('Weights or nodes by name, with *'),
  rounds: z.number().int().min(1).default(1).describe('Reach the sparsity in so many prunings, fast at first'),
  samples: z.number().int().min(1).default(512).describe('Of taylor and obd: samples that gradients are taken from'),
  epochs: RetrainOptions.shape.epochs.default(0).describe('Passes over the training set after each pruning; 0: none'),
})
type SparsifyOptions = z.output<typeof SparsifyOptions>

/** Largest first is what stays: one ranking, or one for each layer. */
function ranked(weights: readonly LayerWeight[], options: SparsifyOptions, share: number, scores?: Float64Array[]) {
  const tensors = weights.map((w) => w.tensor)
  const by = scores ?? tensors.map((t) => Float64Array.from(elementsOf(t), Math.abs))
  if (options.scope === 'global') return globalUnstructured(tensors, { share }, by)
  return tensors.map((tensor, i) => globalUnstructured([tensor], { share }, [by[i] as Float64Array])[0] as Uint8Array)
}

type Masks = (weights: readonly LayerWeight[], share: number, seed: number) => Promise<readonly Uint8Array[]>

/** Masks of a round by method; a share counts what is zero already. */
function masksOf(context: StepContext, options: SparsifyOptions, graph: Graph): Masks {
  const { method, n, m, q, norm } = options
  const each =
    (mask: (w: LayerWeight, share: number, seed: number) => Uint8Array): Masks =>
    async (weights, share, seed) =>
      weights.map((w, i) => mask(w, share, hashSeed(seed, i, 'sparsify')))
  const tables: Readonly<Record<SparsifyOptions['method'], Masks>> = {
    l1:
      options.scope === 'layer'
        ? each(({ tensor }, share) => l1Unstructured(tensor, { share }))
        : async (weights, share) => ranked(weights, options, share),
    random: each(({ tensor }, share, seed) => randomLeft(tensor, share, seed)),
    lamp: async (weights, share) =>
      ranked(
        weights,
        { ...options, scope: 'global' },
        share,
        weights.map(({ tensor }) => lampScores(tensor)),
      ),
    taylor: async (weights, share) =>
      ranked(weights, options, share, await saliencies(context, options, graph, weights)),
    obd: async (weights, share) => ranked(weights, options, share, await saliencies(context, options, graph, weights)),
    'obd-diagonal': async (weights, share) =>
      ranked(weights, options, share, await saliencies(context, options, graph, weights)),
    deviation: each(({ tensor }) => belowDeviations(tensor, q)),
    'n:m': each(({ tensor, node }) => nOfM(tensor, n, m, inputAxis(node.op, node.attributes['transB']))),
    structured: each(({ tensor, node }, share) =>
      lnStructured(tensor, { share }, norm, inputAxis(node.op, node.attributes['transB']) === 0 ? 1 : 0),
    ),
  }
  return tables[method]
}

/** Random elements, those that are zero already before all others. */
function randomLeft(tensor: Tensor, share: number, seed: number): Uint8Array {
  const mask = Uint8Array.from(elementsOf(tensor), (w) => (w === 0 ? 0 : 1))
  const gone = mask.length - mask.reduce((n, m) => n + m, 0)
  const count = Math.max(0, countOf({ share }, mask.length) - gone)
  return randomUnstructured(tensor, { count }, seed, mask)
}

/** Convolutions and transposed Gemm weights have their inputs along axis 1, others along axis 0. */
function inputAxis(op: string, transB: { readonly kind: string; readonly value: unknown } | undefined): number {
  return op === 'Conv' || (op === 'Gemm' && Number(transB?.value ?? 0) === 1) ? 1 : 0
}

/** (g·w)², ½E[g²]w² or ½hw² of every weight. */
async function saliencies(
  context: StepContext,
  options: SparsifyOptions,
  graph: Graph,
  weights: readonly LayerWeight[],
) {
  const { data, executor, threads, seed } = context
  const split = data.splits.train
  const method = options.method === 'obd' || options.method === 'obd-diagonal' ? options.method : 'taylor'
  if (!split || (method !== 'obd-diagonal' && !split.labels)) {
    throw new AlambicError(
      'prune.needs-labels',
      `the method "${method}" scores by gradients: it needs labelled samples`,
      {
        subject: method,
        fix: 'Choose a method that looks at the weights only.',
      },
    )
  }
  const preprocessing = options.preprocessing ?? preprocessorFor(data, graph)
  const { samples, batch } = options
  const source = { executor, threads, seed, split, preprocessing, samples, batch, progress: () => undefined }
  const evidence = await gather(graph, method, {}, source)
  return weights.map(({ name, tensor }) => {
    const g = (evidence.gradient ?? evidence.squaredGradient ?? evidence.curvature)?.({ name })
    const w = elementsOf(tensor)
    return Float64Array.from(g ? elementsOf(g) : [], (v, i) => {
      const x = w[i] as number
      return method === 'taylor' ? (v * x) ** 2 : 0.5 * v * x * x
    })
  })
}

/** Weights as they are, zero where the mask is. */
function withMasks(graph: Graph, weights: readonly LayerWeight[], masks: readonly Uint8Array[]): Graph {
  const initializers = new Map(graph.initializers)
  weights.forEach(({ name, tensor }, i) => {
    const mask = masks[i] as Uint8Array
    initializers.set(
      name,
      f32(
        Float32Array.from(elementsOf(tensor), (w, k) => (mask[k] ? w : 0)),
        tensor.dims,
      ),
    )
  })
  return graph.with({ initializers })
}

const chosen = (graph: Graph, patterns: readonly string[]): readonly LayerWeight[] =>
  layerWeights(graph).filter((weight) => patterns.some((pattern) => isNamedBy(pattern, weight)))

/** How many weights are left, by layer. */
const densities = (graph: Graph, patterns: readonly string[]) =>
  chosen(graph, patterns).map(({ name, tensor }) => {
    const kept = Array.from(elementsOf(tensor)).filter((w) => w !== 0).length
    return { name, elements: elementsOf(tensor).length, kept }
  })

async function run(context: StepContext, options: SparsifyOptions): Promise<StepResult> {
  let { graph } = context.model
  if (chosen(graph, options.layers).length === 0) {
    throw new AlambicError('model.no-layer', `no weight is called ${options.layers.join(' or ')}`, {
      subject: options.layers[0],
      expected: `one of: ${layerWeights(graph)
        .map((w) => w.name)
        .join(', ')}`,
    })
  }
  let [stopped, offset] = [false, 0]
  const resumedAt = (await roundFacts(context.journal))?.round
  const rounds: unknown[] = []
  for (let round = 1; round <= options.rounds && !stopped; round++) {
    const weights = chosen(graph, options.layers)
    const share = gradualSparsity(0, options.sparsity, round, options.rounds)
    graph = withMasks(graph, weights, await masksOf(context, options, graph)(weights, share, context.seed))
    const cut = { sparsity: share, layers: densities(graph, options.layers) }
    rounds.push(cut)
    context.journal.event('sparsified', { round, rounds: options.rounds, ...cut })
    if (options.epochs === 0) continue
    // A resumed run does finished rounds again, which gives the same bits.
    const own = ofRound(context, { round, offset, removals: [] }, { resumedAt })
    const trained = await retrainHeld(
      own,
      graph,
      weights.map((w) => w.name),
      options,
    )
    ;({ graph, stopped } = trained)
    offset += trained.steps
  }
  const note = 'Zeros stay in the ONNX file: it is neither smaller nor faster until it is packed.'
  return { model: { ...context.model, graph }, report: { rounds, pattern: patternOf(options), note }, stopped }
}

/** Where zeros lie, which decides who can make use of them. */
const patternOf = ({ method, n, m }: SparsifyOptions): string =>
  method === 'n:m' ? `${n}:${m}` : method === 'structured' ? 'filters' : 'unstructured'

/** Training that keeps zeros zero. */
async function retrainHeld(context: StepContext, graph: Graph, names: readonly string[], options: SparsifyOptions) {
  const held = hold(graph, names)
  const preprocessing = options.preprocessing ?? preprocessorFor(context.data, graph)
  const result = await retrain(context, held.graph, options, { preprocessing })
  return { ...result, graph: settle({ graph: result.graph, held: held.held }) }
}

export const sparsify = step({
  id: 'sparsify',
  family: 'pruning',
  source: 'Zhu & Gupta 2017, arXiv:1710.01878; Zhou et al. 2021, arXiv:2102.04010',
  options: SparsifyOptions,
  run,
})
