import type { DType } from '../graph/dtype.ts'
import type { Shape } from '../graph/types.ts'
import type { Emitter } from '../ops/emit.ts'
import type { Schedule } from './schedules.ts'

/** What a loss term sees: the model's outputs and a way to ask for more inputs per batch. */
export interface LossContext {
  readonly g: Emitter
  /** The model's outputs; the first is the logits of a classifier. */
  readonly outputs: readonly string[]
  /** A batch input by name (labels, what a teacher says); terms that ask for the same name share it. */
  readonly feed: (name: string, dtype: DType, shape: Shape) => string
}

/** One term of the loss. `build` writes it and returns a scalar, the mean over the batch; `weight` scales it in the sum. */
export interface LossTerm {
  readonly name: string
  readonly weight: number
  /** A factor of the weight that changes over the run. */
  readonly ramp?: Schedule
  readonly build: (c: LossContext) => string
}

/** Names of the batch inputs that the built-in terms ask for. */
export const LABELS = 'labels'
export const TARGET = 'target'

export interface CrossEntropyOptions {
  /** Share ε of the target spread evenly over all classes (Szegedy et al. 2016, arXiv:1512.00567, eq. 3). */
  readonly labelSmoothing?: number
  /** Samples with this label count neither in the sum nor in the mean. */
  readonly ignoreIndex?: number
}

/**
 * −Σ_k q_k log softmax(z)_k, averaged over the samples that are not ignored. Logits `[N, K]` or `[N, K, d…]`, labels
 * i64 `[N]` or `[N, d…]`.
 */
export function crossEntropy(options: CrossEntropyOptions = {}, weight = 1): LossTerm {
  const { labelSmoothing = 0, ignoreIndex } = options
  return {
    name: 'cross-entropy',
    weight,
    build: ({ g, outputs, feed }) => {
      const logits = outputs[0] as string
      const [n, classes, ...rest] = g.dims(logits)
      const labels = feed(LABELS, 'i64', [n as number, ...rest])
      const counted = ignoreIndex === undefined ? undefined : g.not(g.equal(labels, ignoreIndex))
      const safe = counted === undefined ? labels : g.where(counted, labels, 0)
      const target = oneHot(g, safe, classes as number, g.dtype(logits))
      const smooth =
        labelSmoothing === 0 ? target : g.add(g.mul(target, 1 - labelSmoothing), labelSmoothing / (classes as number))
      const perSample = g.neg(g.sum(g.mul(smooth, g.logSoftmax(logits, 1)), [1], false))
      if (counted === undefined) return g.average(perSample)
      const keep = g.cast(counted, g.dtype(logits))
      return g.div(g.total(g.mul(perSample, keep)), g.max(g.total(keep), 1))
    },
  }
}

/** Indices `[N, d…]` as 0 and 1 along a new axis 1 of `classes`. */
export function oneHot(g: Emitter, indices: string, classes: number, dtype: DType): string {
  const rank = g.rank(indices)
  const column = g.unsqueeze(indices, [1])
  const ramp = g.reshape(g.ints([...Array(classes).keys()]), [classes, ...Array<number>(rank - 1).fill(1)])
  return g.cast(g.equal(column, ramp), dtype)
}

/** Binary cross-entropy on logits, softplus(z) − z·t, the mean over all elements; targets f32 in the outputs' shape. */
export const bceWithLogits = (weight = 1): LossTerm =>
  againstTarget('bce', weight, (g, z, target) => g.average(g.sub(g.softplus(z), g.mul(z, target))))

/** Mean squared error over all elements. */
export const mse = (weight = 1): LossTerm =>
  againstTarget('mse', weight, (g, y, target) => g.average(g.square(g.sub(y, target))))

/** Mean absolute error over all elements. */
export const l1 = (weight = 1): LossTerm =>
  againstTarget('l1', weight, (g, y, target) => g.average(g.abs(g.sub(y, target))))

function againstTarget(
  name: string,
  weight: number,
  build: (g: Emitter, y: string, target: string) => string,
): LossTerm {
  return {
    name,
    weight,
    build: ({ g, outputs, feed }) => {
      const y = outputs[0] as string
      return build(g, y, feed(TARGET, g.dtype(y), g.dims(y)))
    },
  }
}

/** KL(softmax(p) ‖ softmax(q)) of two sets of logits, summed over axis 1, mean over the others. */
export function klDivergence(g: Emitter, p: string, q: string): string {
  const logP = g.logSoftmax(p, 1)
  const difference = g.sub(logP, g.logSoftmax(q, 1))
  return g.average(g.sum(g.mul(g.exp(logP), difference), [1], false))
}
