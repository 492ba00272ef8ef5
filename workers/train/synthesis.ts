import { AlambicError } from '../protocol/errors.ts'
import { attributesOf } from '../graph/attributes.ts'
import { namesIn } from '../graph/builder.ts'
import type { Graph } from '../graph/graph.ts'
import { numbersOf, tensorOf, type Tensor } from '../graph/tensor.ts'
import { staticShape } from '../graph/types.ts'
import { Emitter } from '../ops/emit.ts'
import { crossEntropy, type LossTerm } from './losses.ts'
import { optimizer } from './optimizers.ts'
import { prepare } from './prepare.ts'
import { buildStep, type StepGraph } from './step.ts'

/** The samples that are trained in place of the model's weights. */
const SAMPLES = 'alambic.samples'

export interface SynthesisOptions {
  /** Samples that are made together: their statistics are compared. */
  readonly batch: number
  /** Weight of the cross-entropy with the classes that the samples are to be of; for classifiers. */
  readonly classWeight: number
  /** Weight of the mean squared difference of neighbouring pixels. */
  readonly smoothness: number
}

export interface Synthesis {
  readonly step: StepGraph
  /** Of a batch of samples. */
  readonly dims: readonly number[]
  /** Classes, where samples are made to be of some. */
  readonly classes: number | undefined
  /** Batch normalizations whose statistics are compared. */
  readonly layers: number
  /** A state that starts from these samples, f32 in `dims`. */
  start(samples: Float32Array): Record<string, Tensor>
  /** The samples of a state. */
  samples(state: Readonly<Record<string, Tensor>>): Tensor
}

/**
 * A step that changes a batch of samples, not the weights, until the inputs of every batch normalization have the mean
 * and the deviation that training left in it: Σ_l ‖μ̃_l − μ_l‖² + ‖σ̃_l − σ_l‖² (Cai et al. 2020, "ZeroQ",
 * arXiv:2001.00281, eq. 3), with DeepInversion's classes and smoothness beside it (Yin et al. 2020, arXiv:1912.08795,
 * eq. 2 and 4). It is all that a model says of data that nobody has.
 *
 * @throws AlambicError `synthesize.no-statistics` for a model without batch normalizations of its own
 */
export function buildSynthesis(model: Graph, options: SynthesisOptions): Synthesis {
  const prepared = prepare(model, { batch: options.batch })
  const layers = prepared.nodes.flatMap(({ op, domain, inputs }) => {
    const [x = '', , , mean = '', variance = ''] = inputs
    const statistics = [mean, variance].map((name) => prepared.initializers.get(name))
    return op === 'BatchNormalization' && domain === '' && statistics.every(Boolean) ? [{ x, mean, variance }] : []
  })
  if (layers.length === 0) throw noStatistics()
  const [input] = prepared.requiredInputs
  const dims = staticShape(input?.type) ?? []
  const graph = withSamples(prepared, input?.name ?? '', dims)
  const output = staticShape(prepared.outputs[0]?.type) ?? []
  const classes = output.length === 2 && options.classWeight > 0 ? output[1] : undefined
  const losses: LossTerm[] = [
    { name: 'statistics', weight: 1, build: ({ g }) => statisticsDistance(g, prepared, layers) },
    ...(classes === undefined ? [] : [crossEntropy({}, options.classWeight)]),
    ...(dims.length === 4 && options.smoothness > 0 ? [roughness(input?.name ?? '', options.smoothness)] : []),
  ]
  const step = buildStep(graph, {
    losses,
    optimizer: optimizer('adam'),
    frozenBatchNorm: true,
    trainable: (name) => name === SAMPLES,
  })
  const initial = Object.fromEntries(step.state.map((slot) => [slot.input, slot.initial]))
  const [vector] = step.parameters.vectors
  return {
    step,
    dims,
    classes,
    layers: layers.length,
    start: (samples) => ({
      ...initial,
      ...(vector
        ? { [step.state[0]?.input ?? '']: vector.pack(new Map([[SAMPLES, tensorOf('f32', dims, samples)]])) }
        : {}),
    }),
    samples: (state) => step.trained(state).get(SAMPLES) as Tensor,
  }
}

const noStatistics = () =>
  new AlambicError('synthesize.no-statistics', 'this model has no batch normalization that could tell of its data', {
    expected: 'batch normalizations with the statistics of training',
    found: 'none: the model has none, or they were folded into its convolutions',
    fix: 'Use the model as it was before folding, or unlabelled samples of your own; --method noise needs neither.',
  })

/** The samples in the input's place; a sum with zero is where an operator reads them as a parameter. */
function withSamples(graph: Graph, input: string, dims: readonly number[]): Graph {
  const zeros = tensorOf('f32', dims, new Float32Array(dims.reduce((n, d) => n * d, 1)))
  const g = new Emitter(
    graph.with({ nodes: [], inputs: [], initializers: new Map([...graph.initializers, [SAMPLES, zeros]]) }),
  )
  g.reserve(namesIn(graph))
  const zero = g.scalar(0, 'f32')
  g.append({ name: input, op: 'Add', domain: '', inputs: [SAMPLES, zero], outputs: [input], attributes: {} })
  for (const node of graph.nodes) g.append(node)
  return g.build()
}

interface Layer {
  readonly x: string
  readonly mean: string
  readonly variance: string
}

/** The mean over channels of both squared differences, summed over layers. */
function statisticsDistance(g: Emitter, graph: Graph, layers: readonly Layer[]): string {
  const distances = layers.map(({ x, mean, variance }) => {
    const axes = g.dims(x).flatMap((_, axis) => (axis === 1 ? [] : [axis]))
    const own = g.mean(x, axes)
    const squares = g.mean(g.square(g.sub(x, own)), axes)
    const [channels = 1] = graph.initializers.get(mean)?.dims ?? []
    const target = (name: string, of: (value: number) => number) =>
      g.constant(
        `${name}.target`,
        tensorOf('f32', [channels], Float32Array.from(numbersOf(graph.initializers.get(name) as Tensor), of)),
      )
    const flat = (value: string) => g.reshape(value, [channels])
    const means = g.sub(
      flat(own),
      target(mean, (v) => v),
    )
    const deviations = g.sub(
      g.sqrt(g.add(flat(squares), epsilonOf(graph, x))),
      target(variance, (v) => Math.sqrt(v)),
    )
    return g.add(g.average(g.square(means)), g.average(g.square(deviations)))
  })
  return distances.reduce((sum, value) => g.add(sum, value))
}

/** What keeps the root's slope finite: the layer's own ε. */
function epsilonOf(graph: Graph, x: string): number {
  const node = graph.nodes.find((n) => n.op === 'BatchNormalization' && n.inputs[0] === x)
  return (node && attributesOf(node, 'BatchNormalization').epsilon) ?? 1e-5
}

const roughness = (input: string, weight: number): LossTerm => ({
  name: 'roughness',
  weight,
  build: ({ g }) => {
    const [, , height = 1, width = 1] = g.dims(input)
    const along = (axis: number, size: number) =>
      size < 2
        ? []
        : [g.average(g.square(g.sub(g.slice(input, [axis], [1], [size]), g.slice(input, [axis], [0], [size - 1]))))]
    return [...along(2, height), ...along(3, width)].reduce((sum, value) => g.add(sum, value), g.scalar(0, 'f32'))
  },
})
