import { attributesOf } from '../graph/attributes.ts'
import { namesIn } from '../graph/builder.ts'
import { identity, type Graph, type Node } from '../graph/graph.ts'
import { numbersOf, sizeOf, tensorOf, type Tensor } from '../graph/tensor.ts'
import { COMPOSITES } from '../ops/composites.ts'
import { Emitter } from '../ops/emit.ts'

/** A dropout mask that the host draws for every step: 1 keeps, 0 drops. */
export interface DropoutMask {
  /** Name of the u8 input. */
  readonly input: string
  readonly dims: readonly number[]
  /** Probability that an element is kept. */
  readonly keep: number
}

/** Masks that drop nothing, as measurements feed them. */
export const keepAll = (masks: readonly DropoutMask[]): Record<string, Tensor> =>
  Object.fromEntries(
    masks.map(({ input, dims }) => [input, tensorOf('u8', dims, new Uint8Array(sizeOf(dims)).fill(1))]),
  )

/** What training keeps beside the parameters: the running statistics of one batch normalization. */
export interface RunningStatistics {
  /** Initializer names of mean and variance. */
  readonly mean: string
  readonly variance: string
  /** Values of this step's new ones. */
  readonly nextMean: string
  readonly nextVariance: string
}

export interface TrainingMode {
  readonly graph: Graph
  readonly masks: readonly DropoutMask[]
  readonly statistics: readonly RunningStatistics[]
}

export interface ModeOptions {
  /** Keep the running statistics and normalize by them, as fine-tuning on small batches does. */
  readonly frozenBatchNorm?: boolean
}

/**
 * The training form of an inference graph: batch normalizations use the statistics of the batch and report new
 * running ones, dropouts multiply by a mask that comes with the batch (so that a resumed run draws the same).
 */
export function toTrainingMode(graph: Graph, options: ModeOptions = {}): TrainingMode {
  const g = new Emitter(graph.with({ nodes: [] }))
  g.reserve(namesIn(graph))
  const masks: DropoutMask[] = []
  const statistics: RunningStatistics[] = []
  for (const node of graph.nodes) {
    if (node.domain === '' && node.op === 'Dropout') masks.push(...dropout(g, node))
    else if (isBatchNorm(g, node) && !options.frozenBatchNorm) statistics.push(batchNorm(g, node))
    else g.append(node)
  }
  return { graph: g.build(), masks, statistics }
}

const isBatchNorm = (g: Emitter, node: Node): boolean =>
  node.op === 'BatchNormalization' && node.domain === '' && node.inputs.slice(3, 5).every((s) => g.initializers.has(s))

function batchNorm(g: Emitter, node: Node): RunningStatistics {
  const { epsilon = 1e-5, momentum = 0.9 } = attributesOf(node, 'BatchNormalization')
  const [y = ''] = node.outputs
  const names = [y, ...['next_mean', 'next_var', 'mean', 'inv_std'].map((part) => g.fresh(`${y}.${part}`))]
  g.append({
    name: node.name,
    op: 'BatchNormTraining',
    domain: COMPOSITES,
    inputs: node.inputs,
    outputs: names,
    attributes: { epsilon: { kind: 'float', value: epsilon }, momentum: { kind: 'float', value: momentum } },
  })
  const [, , , mean = '', variance = ''] = node.inputs
  return { mean, variance, nextMean: names[1] as string, nextVariance: names[2] as string }
}

/** y = x · mask / keep (Srivastava et al. 2014, inverted form). The ratio is an attribute before opset 12. */
function dropout(g: Emitter, node: Node): DropoutMask[] {
  const [x = '', ratioInput = ''] = node.inputs
  const [y = ''] = node.outputs
  const constant = g.initializers.get(ratioInput)
  const ratio = constant ? (numbersOf(constant)[0] ?? 0.5) : (attributesOf(node, 'Dropout').ratio ?? 0.5)
  const keep = 1 - ratio
  const bypass = (value: string) => g.append(identity(value, y, node.name))
  if (keep >= 1) {
    bypass(x)
    return []
  }
  const input = g.input(`${y}.mask`, 'u8', g.dims(x))
  const scale = g.mul(g.cast(input, g.dtype(x)), 1 / keep)
  g.append({ name: node.name, op: 'Mul', domain: '', inputs: [x, scale], outputs: [y], attributes: {} })
  return [{ input, dims: g.dims(x), keep }]
}
