import type { Emitter } from '../../ops/emit.ts'
import { klDivergence, oneHot } from '../losses.ts'

/*
 * Losses on outputs. Logits are `[N, K]` or `[N, K, d…]`: classes along axis 1; means are over everything else. The
 * target never carries a gradient: it is fed, or a stopped value.
 */

/** T²·KL(softmax(z_t/T) ‖ softmax(z_s/T)) (Hinton et al. 2015, arXiv:1503.02531, §2). */
export const softenedKL = (g: Emitter, student: string, teacher: string, temperature: number): string =>
  g.mul(klDivergence(g, g.div(teacher, temperature), g.div(student, temperature)), temperature ** 2)

/**
 * −T²·Σ_k softmax(z_t/T)_k log softmax(z_s/T)_k: T²·KL plus T² times the teacher's entropy, so with KL's gradient
 * (Hinton et al. 2015, eq. 2).
 */
export function softCrossEntropy(g: Emitter, student: string, teacher: string, temperature: number): string {
  const p = g.softmax(g.div(teacher, temperature), 1)
  const perSample = g.neg(g.sum(g.mul(p, g.logSoftmax(g.div(student, temperature), 1)), [1], false))
  return g.mul(g.average(perSample), temperature ** 2)
}

/** Mean squared difference of logits (Ba & Caruana 2014, arXiv:1312.6184, eq. 1), or of any two tensors. */
export const meanSquared = (g: Emitter, student: string, teacher: string): string =>
  g.average(g.square(g.sub(student, teacher)))

/** Mean absolute difference. */
export const meanAbsolute = (g: Emitter, student: string, teacher: string): string =>
  g.average(g.abs(g.sub(student, teacher)))

export interface DecoupledOptions {
  readonly temperature: number
  /** Weight of the target class against all others. */
  readonly alpha: number
  /** Weight of how the others rank. */
  readonly beta: number
}

/**
 * Decoupled distillation, T²·(α·KL(b_t ‖ b_s) + β·KL(p̂_t ‖ p̂_s)): b is the target class against the rest, p̂ the
 * softmax over the other classes (Zhao et al. 2022, arXiv:2203.08679, eq. 7). With β = 1 − p_t it is plain
 * distillation. Logits `[N, K]`, labels i64 `[N]`.
 */
export function decoupled(
  g: Emitter,
  student: string,
  teacher: string,
  labels: string,
  { temperature, alpha, beta }: DecoupledOptions,
): string {
  const target = oneHot(g, labels, g.dims(student)[1] as number, g.dtype(student))
  const t = parts(g, g.div(teacher, temperature), target)
  const s = parts(g, g.div(student, temperature), target)
  const binary = g.add(g.mul(g.exp(t.own), g.sub(t.own, s.own)), g.mul(g.exp(t.rest), g.sub(t.rest, s.rest)))
  const others = g.sum(g.mul(g.exp(t.others), g.sub(t.others, s.others)), [1], false)
  return g.mul(g.average(g.add(g.mul(binary, alpha), g.mul(others, beta))), temperature ** 2)
}

/** Takes the target class out of a softmax without leaving the range of float32. */
const FAR = 1000

/** log p of the target class and of all others together, and log-softmax over the others alone. */
function parts(g: Emitter, logits: string, target: string) {
  const log = g.logSoftmax(logits, 1)
  const own = g.sum(g.mul(log, target), [1], false)
  const restMass = g.sum(g.mul(g.exp(log), g.sub(1, target)), [1], false)
  const rest = g.log(g.max(restMass, 1e-30))
  return { own, rest, others: g.logSoftmax(g.sub(logits, g.mul(target, FAR)), 1) }
}
