import { AlambicError } from '../protocol/errors.ts'
import { identity, type Graph } from '../graph/graph.ts'
import type { Value } from '../graph/graph.ts'
import { namesIn } from '../graph/builder.ts'
import { removeDead } from '../graph/dead.ts'
import { tensorOf, type Tensor } from '../graph/tensor.ts'
import { Emitter } from '../ops/emit.ts'
import { accumulated, accumulation, lastOf, movedLast, type Accumulation } from './accumulate.ts'
import { gradients } from './differentiate.ts'
import { Layout, ParameterVectors, trainableParameters } from './layout.ts'
import { LABELS, type LossTerm } from './losses.ts'
import { toTrainingMode, type DropoutMask, type RunningStatistics } from './mode.ts'
import type { Optimizer } from './optimizers.ts'
import { recomputed } from './recompute.ts'

export interface StepOptions {
  readonly losses: readonly LossTerm[]
  readonly optimizer: Optimizer
  /** Weight decay per parameter, by name and dims; none unless given. */
  readonly decay?: (name: string, dims: readonly number[]) => number
  /** Factor of the learning rate per parameter; 0 freezes one. */
  readonly rate?: (name: string, dims: readonly number[]) => number
  /** Largest global gradient norm (Pascanu et al. 2013, arXiv:1211.5063, alg. 1). */
  readonly clipNorm?: number
  /** Keep an exponential moving average of the parameters with this decay; it is what gets exported. */
  readonly ema?: number
  readonly frozenBatchNorm?: boolean
  /** Which parameters are trained; all that qualify unless given. */
  readonly trainable?: (name: string) => boolean
  /** Runs of the graph that make one step, each with an equal part of the batch; 1 unless given. */
  readonly accumulate?: number
  /** Compute activations again in the backward pass, where keeping them costs most. */
  readonly recompute?: boolean
}

/** A resident value of the step graph: what comes out as `output` goes in as `input` next time. */
export interface StateSlot {
  readonly input: string
  readonly output: string
  readonly initial: Tensor
}

/**
 * A training step as one graph: (state, batch, hyper) → (state′, metrics). The batch size is fixed. `metrics` is one
 * f32 vector whose entries `metricNames` names: `loss`, every term, `top1` and `top5` (counts, for classifiers),
 * `gradNorm`, and `finite` (1 while loss and gradients are finite numbers).
 */
export interface StepGraph {
  readonly graph: Graph
  readonly state: readonly StateSlot[]
  /** Inputs that every batch brings: the model's own, then what the losses ask for. */
  readonly batch: readonly Value[]
  readonly masks: readonly DropoutMask[]
  readonly metricNames: readonly string[]
  readonly parameters: ParameterVectors
  readonly statistics: Layout
  /** Runs that make one step. */
  readonly parts: number
  /**
   * The scalar inputs of a step; steps count from 1. `total` is the length of the run, for weights that change over it;
   * `part` is which of its runs this is, from 0: the last unless told.
   */
  hyper(step: number, lr: number, total?: number, part?: number): Record<string, Tensor>
  /** The trained initializers (parameters and running statistics) out of a state. */
  trained(state: Readonly<Record<string, Tensor>>): ReadonlyMap<string, Tensor>
}

/** Names of the state vectors and of the metrics output. */
const PARAMS = 'params'
const EMA = 'ema'
const STATISTICS = 'state.statistics'
export const METRICS = 'metrics'

/**
 * Builds the step graph of a model in training form: static shapes, opset ≥ 18, compound operators decomposed (see
 * `prepare`). Value names of the model stay what they are.
 */
export function buildStep(model: Graph, options: StepOptions): StepGraph {
  const chosen = [...trainableParameters(model)].filter(([name]) => options.trainable?.(name) ?? true)
  if (chosen.length === 0) {
    throw new AlambicError('train.nothing', 'this model has nothing to train', {
      expected: 'at least one float32 weight that an operator reads as a parameter',
      fix: 'Check that it is not quantized, and which weights are excluded from training.',
    })
  }
  const initial = new Map(chosen)
  const parameters = new ParameterVectors(initial)
  const { g, outputs, masks, running } = openForTraining(model, parameters, options)
  const statistics = layoutOf(model, running)
  const terms = writeLosses(g, outputs, options.losses)
  const forward = g.nodes.length
  const parts = options.accumulate ?? 1
  const writer = { g, options, parameters, statistics, running, initial, model, parts: accumulation(g, parts) }
  const { state, gradNorm, gradients: own } = writeUpdate(writer, terms.total)
  const metricNames = writeMetrics(g, outputs, terms, gradNorm)
  g.outputs.length = 0
  for (const name of [...state.map((s) => s.output), METRICS]) g.output(name)
  // Rules write the gradients of all inputs, those of data and constants too: what nobody reads goes.
  const written = removeDead(g.build())
  const resident = new Set(state.map((s) => s.input))
  const maskInputs = new Set(masks.map((m) => m.input))
  const data = written.inputs.filter((v) => !resident.has(v.name) && !v.name.startsWith('hyper.'))
  const stepParts = { forward: forwardOf(g, forward), data: data.map((v) => v.name), gradients: own }
  const graph = options.recompute ? recomputed(written, stepParts) : written
  return {
    graph,
    state,
    masks,
    metricNames,
    parameters,
    statistics,
    parts,
    batch: data.filter((v) => !maskInputs.has(v.name)),
    hyper: (step, lr, total = step, part = parts - 1) => ({
      ...scalars({ ...options.optimizer.hyper(step, lr), ...rampsAt(options.losses, step - 1, total) }),
      ...lastOf(parts, part),
    }),
    trained: (values) => {
      const weights = parameters.unpack(values, options.ema === undefined ? PARAMS : EMA)
      const own = values[STATISTICS]
      return own ? new Map([...weights, ...statistics.unpack(own)]) : weights
    },
  }
}

/** What the forward pass and the losses compute: the first nodes that were written. */
const forwardOf = (g: Emitter, count: number): ReadonlySet<string> =>
  new Set(g.nodes.slice(0, count).flatMap((node) => node.outputs))

const scalars = (values: Readonly<Record<string, number>>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`hyper.${name}`, tensorOf('f32', [], Float32Array.of(value))]),
  )

/** The factors of terms whose weight changes; steps count from 0. */
const rampsAt = (losses: readonly LossTerm[], step: number, total: number): Record<string, number> =>
  Object.fromEntries(losses.flatMap(({ name, ramp }) => (ramp ? [[`weight.${name}`, ramp(step, total)] as const] : [])))

/** Turns the trained initializers into inputs that come out of the flat vectors, and puts the model in training mode. */
function openForTraining(model: Graph, parameters: ParameterVectors, options: StepOptions) {
  const mode = toTrainingMode(model, options.frozenBatchNorm ? { frozenBatchNorm: true } : {})
  const resident = new Set([
    ...parameters.slots.map((s) => s.name),
    ...mode.statistics.flatMap((s) => [s.mean, s.variance]),
  ])
  const initializers = new Map([...mode.graph.initializers].filter(([name]) => !resident.has(name)))
  const g = new Emitter(
    mode.graph.with({ nodes: [], initializers, inputs: mode.graph.inputs.filter((v) => !resident.has(v.name)) }),
  )
  g.reserve(namesIn(mode.graph))
  parameters.vectors.forEach((vector, i) => takeApart(g, ParameterVectors.nameOf(PARAMS, i), vector))
  takeApart(g, STATISTICS, layoutOf(model, mode.statistics))
  for (const node of mode.graph.nodes) g.append(node)
  return { g, outputs: model.outputs.map((v) => v.name), masks: mode.masks, running: mode.statistics }
}

function takeApart(g: Emitter, input: string, layout: Layout): void {
  if (layout.size === 0) return
  g.input(input, 'f32', layout.dims)
  for (const [name, value] of layout.split(g, input)) {
    g.append(identity(value, name))
  }
}

function layoutOf(model: Graph, running: readonly RunningStatistics[]): Layout {
  const names = [...new Set(running.flatMap((s) => [s.mean, s.variance]))]
  return new Layout(new Map(names.map((name) => [name, model.initializers.get(name) as Tensor])))
}

interface WrittenTerms {
  readonly total: string
  readonly terms: readonly { readonly name: string; readonly value: string }[]
  readonly labels: string | undefined
}

function writeLosses(g: Emitter, outputs: readonly string[], losses: readonly LossTerm[]): WrittenTerms {
  const feeds = new Set<string>()
  const feed: Parameters<LossTerm['build']>[0]['feed'] = (name, dtype, shape) => {
    if (!feeds.has(name)) g.input(name, dtype, shape)
    feeds.add(name)
    return name
  }
  const terms = losses.map((term) => ({
    name: term.name,
    value: term.build({ g, outputs, feed }),
    weight: term.weight,
    ramp: term.ramp && g.input(`hyper.weight.${term.name}`, 'f32', []),
  }))
  const weighted = terms.map(({ value, weight, ramp }) => {
    const scaled = weight === 1 ? value : g.mul(value, weight)
    return ramp === undefined ? scaled : g.mul(scaled, ramp)
  })
  const total = weighted.reduce((sum, value) => g.add(sum, value))
  return { total, terms, labels: feeds.has(LABELS) ? LABELS : undefined }
}

interface UpdateWriter {
  readonly g: Emitter
  readonly options: StepOptions
  readonly parameters: ParameterVectors
  readonly statistics: Layout
  readonly running: readonly RunningStatistics[]
  readonly initial: ReadonlyMap<string, Tensor>
  readonly model: Graph
  /** Undefined where a step is one run. */
  readonly parts: Accumulation | undefined
}

interface Update {
  readonly state: readonly StateSlot[]
  readonly gradNorm: string
  /** The parameters' gradients. */
  readonly gradients: ReadonlySet<string>
}

/** Gradients, clipping, optimizer, moving average and running statistics: everything that makes the next state. */
function writeUpdate(w: UpdateWriter, loss: string): Update {
  const { g, options, parameters } = w
  const grads = gradients(
    g,
    loss,
    parameters.slots.map((slot) => slot.name),
  )
  const sums = parameters.vectors.map((vector, i) => {
    const own = vector.join(g, grads)
    return w.parts ? accumulated(g, w.parts, { vector, i, own }) : { grads: own }
  })
  const raw = sums.map((sum) => sum.grads)
  const squares = raw.map((vector) => g.totalSquare(vector))
  const gradNorm = g.sqrt(squares.reduce((sum, square) => g.add(sum, square)))
  const factor = options.clipNorm === undefined ? undefined : clipFactor(g, gradNorm, options.clipNorm)
  const hyper = Object.fromEntries(
    Object.keys(options.optimizer.hyper(1, 1)).map((name) => [name, g.input(`hyper.${name}`, 'f32', [])]),
  )
  const moved = parameters.vectors.flatMap((vector, i) => {
    const own = raw[i] as string
    return writeVector(w, { vector, i, grads: factor === undefined ? own : g.mul(own, factor), hyper })
  })
  const carried = sums.flatMap((sum) => ('state' in sum ? [sum.state] : []))
  const state = [...(w.parts ? movedLast(g, w.parts, moved) : moved), ...carried]
  if (w.statistics.size > 0) state.push(statisticsSlot(w))
  return { state, gradNorm, gradients: new Set(grads.values()) }
}

interface VectorUpdate {
  readonly vector: Layout
  readonly i: number
  readonly grads: string
  readonly hyper: Readonly<Record<string, string>>
}

/** The next state of one vector of parameters: itself, what the optimizer keeps of it, its moving average. */
function writeVector(w: UpdateWriter, { vector, i, grads, hyper }: VectorUpdate): StateSlot[] {
  const { g, options, initial } = w
  const { optimizer } = options
  const nameOf = (part: string) => ParameterVectors.nameOf(part, i)
  const input = (part: string) => g.input(nameOf(part), 'f32', vector.dims)
  const params = nameOf(PARAMS)
  const next = optimizer.update({
    g,
    params,
    grads,
    state: Object.fromEntries(optimizer.slots.map((slot) => [slot, input(slot)])),
    hyper,
    decay: perParameter(w, vector, 'decay', options.decay) ?? 0,
    rate: perParameter(w, vector, 'rate', options.rate),
  })
  const zeros = tensorOf('f32', vector.dims, new Float32Array(vector.size))
  const start = vector.pack(initial)
  const state: StateSlot[] = [
    { input: params, output: next.params, initial: start },
    ...optimizer.slots.map((slot) => ({ input: nameOf(slot), output: next.state[slot] as string, initial: zeros })),
  ]
  if (options.ema === undefined) return state
  const moved = g.add(g.mul(input(EMA), options.ema), g.mul(next.params, 1 - options.ema))
  return [...state, { input: nameOf(EMA), output: moved, initial: start }]
}

const clipFactor = (g: Emitter, norm: string, limit: number): string => g.min(g.div(limit, g.add(norm, 1e-6)), 1)

/** A value per parameter as an operand: one number where all are the same, else a vector; undefined without a rule. */
function perParameter(
  w: UpdateWriter,
  vector: Layout,
  name: string,
  value: StepOptions['rate'],
): string | number | undefined {
  const [first] = vector.slots
  if (!value || !first) return undefined
  const flat = vector.perParameter(value)
  return flat
    ? w.g.constant(`per_parameter.${name}`, tensorOf('f32', [flat.length], flat))
    : value(first.name, first.dims)
}

function statisticsSlot({ g, statistics, running, model }: UpdateWriter): StateSlot {
  const next = new Map(running.flatMap((s) => [[s.mean, s.nextMean] as const, [s.variance, s.nextVariance] as const]))
  return { input: STATISTICS, output: statistics.join(g, next), initial: statistics.pack(model.initializers) }
}

/** Joins all metrics into one vector, so that a step reads back a single small tensor. */
function writeMetrics(g: Emitter, outputs: readonly string[], written: WrittenTerms, gradNorm: string): string[] {
  const { total, terms, labels } = written
  const alone = new Map([total, gradNorm, ...terms.map(({ value }) => value)].map((v) => [v, g.reshape(v, [1])]))
  const vector = (value: string) => alone.get(value) as string
  const finite = g.mask(g.less(g.abs(g.add(vector(total), vector(gradNorm))), 3e38), vector(total))
  const counted = labels && counts(g, outputs[0] as string, labels)
  const named: readonly (readonly [readonly string[], string])[] = [
    [['loss'], vector(total)],
    ...terms.map(({ name, value }) => [[name], vector(value)] as const),
    ...(counted ? [counted] : []),
    [['gradNorm'], vector(gradNorm)],
    [['finite'], finite],
  ]
  const joined = g.concat(
    named.map(([, value]) => value),
    0,
  )
  g.append(identity(joined, METRICS))
  return named.flatMap(([names]) => names)
}

/** The metrics of a step out of those of its parts: means of losses, sums of counts, the norm of the whole gradient. */
export function joinedMetrics(names: readonly string[], parts: readonly (readonly number[])[]): readonly number[] {
  const [first = [], ...others] = parts
  if (others.length === 0) return first
  return names.map((name, i) => {
    const values = parts.map((part) => part[i] as number)
    return (joins[name] ?? mean)(values)
  })
}

const mean = (values: readonly number[]): number => total(values) / values.length
const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)

/** How metrics of parts become those of a step; losses are means. */
const joins: Readonly<Record<string, (values: readonly number[]) => number>> = {
  top1: total,
  top5: total,
  gradNorm: (values) => values.at(-1) as number,
  finite: (values) => Math.min(...values),
}

/** How many samples have their label among the 1 and the 5 largest logits: names and values of a vector. */
function counts(g: Emitter, logits: string, labels: string): readonly [readonly string[], string] | undefined {
  const shape = g.dims(logits)
  if (shape.length !== 2) return undefined
  const classes = shape[1] as number
  const k = classes < 5 ? 1 : 5
  const [, indices = ''] = g.ops('TopK', [logits, g.ints([k])], { axis: 1 }, { outputs: 2 })
  // Of every place how often the label took it; the first alone, and all together.
  const places = g.sum(g.cast(g.equal(indices, g.unsqueeze(labels, [1])), 'f32'), [0], false)
  if (k === 1) return [['top1'], places]
  const among = Float32Array.from({ length: 2 * k }, (_, i) => (i % 2 === 1 || i === 0 ? 1 : 0))
  return [['top1', 'top5'], g.matmul(places, g.constant('metrics.among', tensorOf('f32', [k, 2], among)))]
}
