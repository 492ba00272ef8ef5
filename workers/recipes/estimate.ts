import type { Graph, Model } from '../graph/graph.ts'
import { byteLength } from '../graph/dtype.ts'
import { sizeOf } from '../graph/tensor.ts'
import { asTensor } from '../graph/types.ts'
import { bindDims } from '../ops/bind.ts'
import { costOf } from '../ops/cost.ts'
import { layerWeights, type LayerWeight } from '../passes/layer-weights.ts'
import { makeStudent, isRecipe } from '../passes/student/make.ts'
import { criteria } from '../passes/prune/criteria.ts'
import type { StepEstimate } from '../protocol/studio.ts'
import { pruneWithoutData } from './prune/choose.ts'
import { parseBudget, type PruneOptions } from './prune/options.ts'
import type { Recipe } from './recipe.ts'
import { factorizeModel, type FactorizeStepOptions } from './steps/factorize.ts'

/** The model after a step, as far as that can be known without running it. */
export interface Expected {
  /** With weights that stand for those that training would give. Undefined once a step can't be foreseen. */
  readonly model: Model | undefined
  /** Bytes of the file over those of the float weights. */
  readonly share: number
  /** Phrases that say how the numbers were made. */
  readonly basis: readonly string[]
}

type Foresee = (before: Expected & { readonly model: Model }, options: never) => Expected | Promise<Expected>

interface Context {
  /** Opens another model that options name. */
  readonly open: (reference: string) => Promise<Model>
  readonly seed: number
}

const unknown = (why: string): Expected => ({ model: undefined, share: 1, basis: [why] })
const same = (before: Expected, basis = 'same'): Expected => ({ ...before, basis: [basis] })

/** Multiplications of singular value decompositions beyond which factors are not tried out for an estimate. */
const LARGEST_FACTORIZATION = 4e9

/** Channels are cut as the run would; scores that need data are replaced by sizes of weights. */
function pruned(
  before: Expected & { readonly model: Model },
  options: PruneOptions & { readonly regularizer?: string },
  { seed }: Context,
): Expected {
  if (options.budget !== undefined && parseBudget(options.budget)?.kind === 'latency') return unknown('latencyBudget')
  const byWeights =
    !options.regularizer && criteria[options.method].needs === 'nothing' && options.scope !== 'sensitivity'
  const method = criteria[options.method].needs === 'nothing' ? options.method : 'l2'
  const scope = options.scope === 'sensitivity' ? 'global' : options.scope
  const { model } = pruneWithoutData(before.model, { ...options, method, scope, minimum: options.minimum ?? 1 }, seed)
  return { ...before, model, basis: [byWeights ? 'cut' : 'cutByWeights'] }
}

function factorized(before: Expected & { readonly model: Model }, options: FactorizeStepOptions): Expected {
  if ('latency' in options.rank) return unknown('latencyBudget')
  const work = layerWeights(before.model.graph).reduce((sum, { tensor: { dims } }) => {
    const rows = dims[0] ?? 1
    const columns = sizeOf(dims) / rows
    return sum + rows * columns * Math.min(rows, columns)
  }, 0)
  if (work > LARGEST_FACTORIZATION) return unknown('tooLarge')
  const { model } = factorizeModel(before.model, { ...options, samples: 0, rank: options.rank })
  return { ...before, model, basis: ['factorized'] }
}

const bytesOf = (weights: readonly LayerWeight[]): number =>
  weights.reduce((sum, { tensor }) => sum + tensor.bytes.byteLength, 0)

export const weightBytes = (graph: Graph): number =>
  [...graph.initializers.values()].reduce((sum, { bytes }) => sum + bytes.byteLength, 0)

/** Weights of some layers in so many bits instead of 32. */
function inBits(before: Expected & { readonly model: Model }, weights: readonly LayerWeight[], bits: number): Expected {
  const all = weightBytes(before.model.graph)
  const share = all === 0 ? 1 : 1 - (bytesOf(weights) * (1 - bits / 32)) / all
  return { ...before, share, basis: ['bits'] }
}

interface Quantized {
  readonly mode?: string
  readonly weights: string
  readonly bits?: number
  readonly convolutions?: boolean
  readonly blockSize?: number
}

function quantized(before: Expected & { readonly model: Model }, options: Quantized): Expected {
  const all = layerWeights(before.model.graph)
  const some = options.convolutions ? all : all.filter(({ kind }) => kind === 'dense')
  const modes: Readonly<Record<string, () => Expected>> = {
    fp16: () => ({ ...before, share: 0.5, basis: ['bits'] }),
    dynamic: () => inBits(before, some, 8),
    // A block of weights has a scale in float.
    weights: () => inBits(before, some, (options.bits ?? 4) + 32 / (options.blockSize ?? 32)),
  }
  const static_ = () => inBits(before, all, options.weights === 'i4' ? 4 : 8)
  return (modes[options.mode ?? 'static'] ?? static_)()
}

async function distilled(
  before: Expected & { readonly model: Model },
  { student }: { readonly student?: string },
  { open, seed }: Context,
): Promise<Expected> {
  if (student === undefined) return same(before)
  if (!isRecipe(student)) return { ...before, model: await open(student), basis: ['student'] }
  if (student === 'auto') return unknown('studentAuto')
  const { graph } = makeStudent(before.model.graph, student, seed)
  return { ...before, model: { ...before.model, graph }, basis: ['student'] }
}

const keeps = (): Foresee => (before) => same(before)

/** What becomes of a model, by the id of the step; what is not here is not foreseen. */
const table: Readonly<Record<string, (context: Context) => Foresee>> = {
  train: keeps,
  finetune: keeps,
  'insert-batchnorm': keeps,
  equalize: keeps,
  'prune-retrain': () => (before) => same(before, 'zeros'),
  sparsify: () => (before) => same(before, 'zeros'),
  cluster:
    () =>
    (before, { form }: { form: string }) =>
      form === 'dense' ? same(before, 'zeros') : unknown('codebooks'),
  pack: () => (before) => same(before, 'container'),
  distil: (context) => (before, options: { student?: string }) => distilled(before, options, context),
  prune: (context) => (before, options: PruneOptions) => pruned(before, options, context),
  slim: (context) => (before, options: PruneOptions) => pruned(before, options, context),
  factorize: () => factorized,
  quantize: () => quantized,
  qat: () => quantized,
  adaround: () => quantized,
}

/** The model after each step of a recipe; an estimate, made by doing to the weights what needs no data. */
export async function foresee(recipe: Recipe, model: Model, context: Context): Promise<readonly Expected[]> {
  let now: Expected = { model, share: 1, basis: [] }
  const all: Expected[] = []
  for (const { description, options } of recipe.steps) {
    const rule = table[description.id]?.(context)
    if (!now.model) now = unknown('before')
    else if (!rule) now = unknown('noRule')
    else now = await attempt(() => rule(now as Expected & { readonly model: Model }, options as never))
    all.push(now)
  }
  return all
}

/** A step that can't even be tried says so when it is checked; here it is only unknown. */
async function attempt(make: () => Expected | Promise<Expected>): Promise<Expected> {
  try {
    return await make()
  } catch {
    return unknown('failed')
  }
}

/** Parameters, multiply-accumulates of one sample and bytes. */
export function countsOf({ model, share, basis }: Expected): StepEstimate {
  if (!model) return { basis }
  const { params, macs } = costOf(model.graph, {}, { functions: model.functions })
  const bytes = Math.round(weightBytes(model.graph) * share)
  return { params, ...(macs === undefined ? {} : { macs }), bytes, basis }
}

/** Bytes of everything that a graph computes for a batch; undefined where sizes are open. */
export function activationBytes({ graph, functions }: Model, batch: number): number | undefined {
  const symbols = graph.requiredInputs.map((v) => asTensor(v.type)?.shape?.[0]).filter((d) => typeof d === 'string')
  const bound = bindDims(graph, Object.fromEntries(symbols.map((name) => [name, batch])), { functions })
  let sum = 0
  for (const name of bound.nodes.flatMap((node) => node.outputs)) {
    const type = asTensor(bound.type(name))
    const dims = type?.shape
    if (!dims || !type.dtype || !dims.every((d) => typeof d === 'number')) return undefined
    sum += byteLength(type.dtype, sizeOf(dims))
  }
  return sum
}
