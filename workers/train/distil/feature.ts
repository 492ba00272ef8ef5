import { sizeOf } from '../../graph/tensor.ts'
import type { Emitter } from '../../ops/emit.ts'

/*
 * Losses on values inside the nets, `[N, …]`. The teacher's side never carries a gradient. Shapes already match where
 * a loss needs that: adapters see to it.
 */

/** Squared lengths below this count as zero: float32 cannot tell more, and a root's slope there is infinite. */
const TINY = 1e-12

/** Rows `[…, D]` divided by their length along the last axis; rows of zeros stay zeros, with zero gradient. */
export function unitRows(g: Emitter, rows: string): string {
  const squared = g.sumSquare(rows, [g.rank(rows) - 1])
  const inverse = g.reciprocal(g.sqrt(g.max(squared, TINY)))
  return g.mul(rows, g.mul(inverse, g.mask(g.greater(squared, TINY), rows)))
}

/** `[N, …]` as `[N, D]`. */
export function flatRows(g: Emitter, value: string): string {
  const [n = 1, ...rest] = g.dims(value)
  return g.reshape(value, [n, sizeOf(rest)])
}

/** mean_c |F|^p over the channels of `[N, C, d…]`, as rows of length 1 (Zagoruyko & Komodakis 2017, eq. 2). */
function attentionMap(g: Emitter, feature: string, power: number): string {
  const raised = power === 2 ? g.square(feature) : g.pow(g.abs(feature), power)
  return unitRows(g, flatRows(g, g.mean(raised, [1], false)))
}

/** Attention transfer: mean squared difference of the two maps (Zagoruyko & Komodakis 2017, arXiv:1612.03928). */
export const attentionTransfer = (g: Emitter, student: string, teacher: string, power = 2): string =>
  g.average(g.square(g.sub(attentionMap(g, student, power), attentionMap(g, teacher, power))))

/**
 * Variational information distillation, the mean of ½((μ − F_t)²/σ² + log σ²): μ is predicted from the student, one σ²
 * per channel is trained (Ahn et al. 2019, arXiv:1904.05835, eq. 6).
 */
export function informationGap(g: Emitter, predicted: string, teacher: string, variance: string): string {
  const squared = g.square(g.sub(predicted, teacher))
  return g.mul(g.average(g.add(g.div(squared, variance), g.log(variance))), 0.5)
}

/** 1 − cos of the angle between the two flattened features, mean over the batch (PyTorch's distillation tutorial). */
export const cosineDistance = (g: Emitter, student: string, teacher: string): string => {
  const [s, t] = [student, teacher].map((value) => unitRows(g, flatRows(g, value))) as [string, string]
  return g.sub(1, g.average(g.sum(g.mul(s, t), [1], false)))
}

/** How alike the samples of a batch are, `[N, N]`, rows of length 1. */
function similarities(g: Emitter, feature: string): string {
  const rows = flatRows(g, feature)
  return unitRows(g, g.matmul(rows, g.transpose(rows, [1, 0])))
}

/** Similarity-preserving distillation, ‖G_t − G_s‖²/N² (Tung & Mori 2019, arXiv:1907.09682, eq. 4). */
export const similarityPreserving = (g: Emitter, student: string, teacher: string): string =>
  g.average(g.square(g.sub(similarities(g, teacher), similarities(g, student))))

/** The flow between two layers of one net: F₁F₂ᵀ over positions, `[N, C₁, C₂]` (Yim et al. 2017, eq. 1). */
function flow(g: Emitter, [first, second]: readonly [string, string]): string {
  const flat = [first, second].map((value) => {
    const [n = 1, c = 1, ...places] = g.dims(value)
    return g.reshape(value, [n, c, sizeOf(places)])
  }) as [string, string]
  const places = g.dims(flat[0])[2] as number
  return g.div(g.matmul(flat[0], g.swapLast(flat[1])), places)
}

/** Mean squared difference of the flows; both layers of a net have as many positions (Yim et al. 2017, CVPR, eq. 2). */
export const flowDifference = (
  g: Emitter,
  student: readonly [string, string],
  teacher: readonly [string, string],
): string => g.average(g.square(g.sub(flow(g, student), flow(g, teacher))))
