import { AlambicError } from '../../protocol/errors.ts'
import { f32 } from '../../graph/tensor.ts'
import type { Emitter } from '../../ops/emit.ts'
import { heTensor } from '../../passes/student/fresh.ts'

/*
 * What stands between the student's features and the teacher's where their shapes differ. Adapters are trained with
 * the student and exist only in the graph that is trained: the exported model has none of their weights.
 */

/** A fresh weight in He's uniform law, bound √(6/fan-in) (He et al. 2015, arXiv:1502.01852). */
export function freshWeight(g: Emitter, name: string, dims: readonly number[], fanIn: number, seed: number): string {
  return g.constant(name, heTensor(name, dims, fanIn, seed))
}

export const freshBias = (g: Emitter, name: string, size: number): string =>
  g.constant(name, f32(new Float32Array(size)))

export interface AdapterOptions {
  /** Prefix of the adapter's weights. */
  readonly name: string
  readonly seed: number
}

/** A k×k convolution with bias that keeps the size of maps: FitNets' regressor (Romero et al. 2015, arXiv:1412.6550). */
export function convolution(g: Emitter, x: string, channels: number, kernel: number, options: AdapterOptions): string {
  const { name, seed } = options
  const from = g.dims(x)[1] as number
  const weight = freshWeight(g, `${name}.weight`, [channels, from, kernel, kernel], from * kernel * kernel, seed)
  const pad = (kernel - 1) / 2
  const attributes = { kernel_shape: [kernel, kernel], pads: [pad, pad, pad, pad] }
  return g.op('Conv', [x, weight, freshBias(g, `${name}.bias`, channels)], attributes)
}

/** A matrix and a bias along the last axis, for tokens and vectors. */
export function projection(g: Emitter, x: string, features: number, { name, seed }: AdapterOptions): string {
  const from = g.dims(x).at(-1) as number
  const weight = freshWeight(g, `${name}.weight`, [from, features], from, seed)
  return g.add(g.matmul(x, weight), freshBias(g, `${name}.bias`, features))
}

/**
 * A student's feature `[N, C, H, W]`, `[N, T, D]` or `[N, D]` with as many channels (features) as the teacher's: a
 * convolution for maps, a matrix otherwise.
 */
export function regressor(
  g: Emitter,
  x: string,
  target: readonly number[],
  kernel: number,
  options: AdapterOptions,
): string {
  return g.rank(x) === 4
    ? convolution(g, x, target[0] as number, kernel, options)
    : projection(g, x, target.at(-1) as number, options)
}

/** Maps `[N, C, H, W]` averaged down to `[H′, W′]`, which divides their size. */
export function pooledTo(g: Emitter, x: string, size: readonly number[]): string {
  const factors = g
    .dims(x)
    .slice(2)
    .map((d, i) => d / (size[i] as number))
  return factors.every((f) => f === 1) ? x : g.op('AveragePool', [x], { kernel_shape: factors, strides: factors })
}

/** Flattened features `[N, D]` averaged over neighbours to `[N, size]`, as PyTorch's distillation tutorial does. */
export function pooledRows(g: Emitter, rows: string, size: number): string {
  const [n = 1, d = 1] = g.dims(rows)
  return d === size ? rows : g.mean(g.reshape(rows, [n, size, d / size]), [2], false)
}

/** The size that both can be averaged to: the smaller one in each direction, if it divides the larger. */
export function commonSize(student: readonly number[], teacher: readonly number[]): readonly number[] | undefined {
  const smaller = student.map((d, i) => Math.min(d, teacher[i] as number))
  const divides = [student, teacher].every((dims) => dims.every((d, i) => d % (smaller[i] as number) === 0))
  return divides ? smaller : undefined
}

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))

/** The largest size that divides both in each direction; undefined where only the mean of larger maps is left. */
export function sharedSize(a: readonly number[], b: readonly number[]): readonly number[] | undefined {
  const shared = a.map((d, i) => divisor(d, b[i] as number))
  const isMean = shared.every((d) => d === 1) && ![a, b].some((dims) => dims.every((d) => d === 1))
  return isMean ? undefined : shared
}

export const misfit = (term: string, what: string, student: readonly number[], teacher: readonly number[]) =>
  new AlambicError('distil.shape', `${term}: ${what}`, {
    subject: term,
    expected: `the teacher's [${teacher.join(', ')}]`,
    found: `the student's [${student.join(', ')}]`,
    fix: 'Pair other layers (--pair student=teacher), or use a loss that does not compare in place, such as sp or rkd.',
  })
