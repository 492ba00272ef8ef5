import { AlambicError } from '../protocol/errors.ts'
import { Loader, type Preprocessing, type Split } from '../datasets/index.ts'
import type { Executor } from '../executors/executor.ts'
import type { Graph } from '../graph/graph.ts'
import { asFloat32, castFloat } from '../graph/float.ts'
import type { Tensor } from '../graph/tensor.ts'
import { asTensor } from '../graph/types.ts'

export interface Where {
  readonly executor: Executor
  readonly threads: number | undefined
}

/** How well a classifier does on labelled samples. */
export interface Evaluation {
  /** Share of samples whose largest output is their label, 0 to 1. */
  readonly accuracy: number
  /** Its binomial standard error, √(p(1−p)/n). */
  readonly error: number
  readonly top5?: number
  /** Mean cross-entropy of the softmax of the outputs. */
  readonly loss: number
  readonly n: number
  /** Predicted class per sample, in the split's order. */
  readonly predictions: Int32Array
  /** Probability that each prediction was given. */
  readonly confidences: Float32Array
}

const BATCH = 256

/** Runs a classifier of any float type over a whole split, its weights as constants. Outputs `[N, classes]`. */
export async function evaluate(
  graph: Graph,
  split: Split,
  preprocessing: Preprocessing,
  where: Where,
): Promise<Evaluation> {
  const { labels } = split
  if (!labels) {
    throw new AlambicError('data.no-labels', 'accuracy needs labels, and these samples have none', {
      fix: 'Choose labelled data.',
    })
  }
  const score = new Score(split.count)
  await eachOutput(graph, split, preprocessing, where, (outputs, indices) => score.add(outputs, indices, labels))
  return score.result()
}

/** What a model puts out for all samples of a split, batch by batch, with the places of the samples in it. */
export async function eachOutput(
  graph: Graph,
  split: Split,
  preprocessing: Preprocessing,
  where: Where,
  use: (outputs: Tensor, indices: Int32Array) => void,
): Promise<void> {
  const input = graph.requiredInputs[0]?.name ?? ''
  const output = graph.outputs[0]?.name ?? ''
  const dtype = asTensor(graph.requiredInputs[0]?.type)?.dtype ?? 'f32'
  const program = await where.executor.compile(graph, where.threads === undefined ? {} : { threads: where.threads })
  try {
    const loader = new Loader(split, {
      batch: batchOf(graph),
      seed: 0,
      preprocessing,
      augmentation: {},
      shuffle: false,
      dropLast: false,
    })
    for (let i = 0; i < loader.stepsPerEpoch; i++) {
      const { x, indices } = await loader.batchAt(i)
      use((await program.run({ [input]: castFloat(x, dtype) }))[output] as Tensor, indices)
    }
  } finally {
    await program.dispose()
  }
}

/** The model's own batch when it is fixed. */
function batchOf(graph: Graph): number {
  const first = asTensor(graph.requiredInputs[0]?.type)?.shape?.[0]
  return typeof first === 'number' ? first : BATCH
}

/** Counts hits and adds up losses, batch by batch. */
class Score {
  readonly #predictions: Int32Array
  readonly #confidences: Float32Array
  #hits = 0
  #hits5 = 0
  #loss = 0
  #n = 0
  #classes = 0

  constructor(count: number) {
    this.#predictions = new Int32Array(count)
    this.#confidences = new Float32Array(count)
  }

  add(outputs: Tensor, indices: Int32Array, labels: Int32Array): void {
    const classes = outputs.dims.at(-1) ?? 0
    const values = asFloat32(outputs)
    this.#classes = classes
    indices.forEach((index, row) => {
      const logits = values.subarray(row * classes, (row + 1) * classes)
      const label = labels[index] as number
      const own = logits[label]
      if (own === undefined) throw outOfRange(index, label, classes)
      const larger = logits.reduce((count, v, k) => count + (v > own || (v === own && k < label) ? 1 : 0), 0)
      const best = argMax(logits)
      this.#predictions[index] = best
      this.#confidences[index] = largestProbability(logits, best)
      this.#hits += larger === 0 ? 1 : 0
      this.#hits5 += larger < 5 ? 1 : 0
      this.#loss += crossEntropy(logits, own)
      this.#n++
    })
  }

  result(): Evaluation {
    const n = this.#n
    const accuracy = this.#hits / n
    return {
      accuracy,
      error: Math.sqrt((accuracy * (1 - accuracy)) / n),
      ...(this.#classes > 5 ? { top5: this.#hits5 / n } : {}),
      loss: this.#loss / n,
      n,
      predictions: this.#predictions,
      confidences: this.#confidences,
    }
  }
}

function argMax(values: Float32Array): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i
  return best
}

/** Class probabilities: the softmax of logits; outputs that are probabilities already stay as they are. */
export function probabilities(outputs: Float32Array): Float32Array {
  const sum = outputs.reduce((total, value) => total + value, 0)
  if (outputs.every((value) => value >= 0) && Math.abs(sum - 1) < 1e-3) return outputs.slice()
  const max = outputs.reduce((most, value) => Math.max(most, value), -Infinity)
  const powers = outputs.map((value) => Math.exp(value - max))
  const total = powers.reduce((all, value) => all + value, 0)
  return powers.map((value) => value / total)
}

/** The largest of the probabilities that outputs stand for, without making them all. */
function largestProbability(outputs: Float32Array, best: number): number {
  const max = outputs[best] as number
  let [total, powers, least] = [0, 0, 0]
  for (const value of outputs) {
    total += value
    powers += Math.exp(value - max)
    least = Math.min(least, value)
  }
  return least >= 0 && Math.abs(total - 1) < 1e-3 ? max : 1 / powers
}

/** −log softmax(z)_label, with the maximum taken out first. */
function crossEntropy(logits: Float32Array, own: number): number {
  const max = logits.reduce((m, v) => Math.max(m, v), -Infinity)
  const sum = logits.reduce((s, v) => s + Math.exp(v - max), 0)
  return max + Math.log(sum) - own
}

const outOfRange = (index: number, label: number, classes: number): AlambicError =>
  new AlambicError(
    'data.label-range',
    `sample ${index} has the label ${label}, but the model puts out ${classes} classes`,
    {
      subject: `sample ${index}`,
      expected: `a label from 0 to ${classes - 1}`,
      found: String(label),
      fix: 'Use the data set the model was made for.',
    },
  )
