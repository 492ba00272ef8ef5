import { f32 } from '../../graph/tensor.ts'
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
