import { f32 } from '../../graph/tensor.ts'
import { COMPOSITES } from '../../ops/composites.ts'
import type { Emitter } from '../../ops/emit.ts'
import { flatRows, unitRows } from './feature.ts'

/** ½d² below 1, |d| − ½ above; the mean over everything (Huber 1964, δ = 1). */
export function huber(g: Emitter, a: string, b: string): string {
  const distance = g.abs(g.sub(a, b))
  const inner = g.min(distance, 1)
  return g.average(g.mul(inner, g.sub(distance, g.mul(inner, 0.5))))
}

/** Squared distances are clamped to this before the root, whose slope at zero is infinite. */
const NEAREST = 1e-12

/** Distances between the samples of a batch `[N, N]`, divided by their mean over different samples. */
function distances(g: Emitter, feature: string): string {
  const rows = flatRows(g, feature)
  const [n = 1] = g.dims(rows)
  const centred = g.sub(rows, g.mean(rows, [0]))
  const squares = g.sumSquare(centred, [1])
  const products = g.matmul(centred, g.transpose(centred, [1, 0]))
  const squared = g.sub(g.add(squares, g.transpose(squares, [1, 0])), g.mul(products, 2))
  const distance = g.mul(g.sqrt(g.max(squared, NEAREST)), offDiagonal(g, n))
  return g.div(distance, g.div(g.total(distance), n * (n - 1)))
}

const offDiagonal = (g: Emitter, n: number): string =>
  g.constant(
    'off_diagonal',
    f32(
      Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 0 : 1)),
      [n, n],
    ),
  )

/** Relational distillation by distances (Park et al. 2019, arXiv:1904.05068, eq. 6–8). Features `[N, …]`, N > 1. */
export const distanceRelation = (g: Emitter, student: string, teacher: string): string =>
  huber(g, distances(g, student), distances(g, teacher))

/** cos of the angle at each sample j between i and k: `[N, N, N]`. */
function angles(g: Emitter, feature: string): string {
  const rows = flatRows(g, feature)
  const directions = unitRows(g, g.sub(g.unsqueeze(rows, [0]), g.unsqueeze(rows, [1])))
  return g.matmul(directions, g.swapLast(directions))
}

/** Relational distillation by angles (Park et al. 2019, eq. 9–10). Takes N³ numbers. */
export const angleRelation = (g: Emitter, student: string, teacher: string): string =>
  huber(g, angles(g, student), angles(g, teacher))

/** The values as they are, without a gradient: a target that the nets compute themselves. */
export const stopped = (g: Emitter, value: string): string => g.node(COMPOSITES, 'StopGradient', [value])[0] as string

/**
 * Contrastive representation distillation among the samples of a batch (Tian, Krishnan & Isola 2020,
 * arXiv:1910.10699, eq. 10, 18 and 19): a sample's two embeddings are told from those of different samples, with the
 * student's as anchor and with the teacher's. h = e/(e + K·Z), e = exp(s·t/τ), for the K other samples; Z is the mean
 * of e, as RepDistiller estimates it, but of this batch and without a gradient. Rows `[N, D]`, N > 1.
 */
export function contrast(g: Emitter, student: string, teacher: string, temperature: number, mean?: string): string {
  const [n = 1] = g.dims(student)
  const [s, t] = [unitRows(g, student), unitRows(g, teacher)]
  const scores = g.div(g.matmul(s, g.transpose(t, [1, 0])), temperature)
  const level = g.log(g.mul(mean ?? stopped(g, g.average(g.exp(scores))), n - 1))
  // −log h = softplus(−u) and −log(1 − h) = softplus(u) for u = log(e/(K·Z)).
  const logits = g.sub(scores, level)
  const others = offDiagonal(g, n)
  const signed = g.mul(logits, g.sub(g.mul(others, 2), 1))
  return g.mul(g.total(g.softplus(signed)), 2 / n)
}
