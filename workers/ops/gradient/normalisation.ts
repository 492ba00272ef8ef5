import type { Emitter } from '../emit.ts'
import { sumPerChannel } from './linear.ts'
import { range, unsupported, type GradientContext, type GradientTable } from './rule.ts'

/** A `[C]` vector as `[C, 1, …]`, to broadcast against `[N, C, …]`. */
export const perChannel = (g: Emitter, vector: string, like: string): string => {
  const spatial = range(g.rank(like)).slice(2)
  return spatial.length === 0
    ? vector
    : g.unsqueeze(
        vector,
        range(spatial.length).map((i) => i + 1),
      )
}

/** Batch normalization with fixed statistics is an affine map of each channel. */
function frozenBatchNorm(c: GradientContext<'BatchNormalization'>): (string | undefined)[] {
  const { g, inputs, dy, attr } = c
  const [x, scale, , mean, variance] = inputs
  const inverse = g.reciprocal(g.sqrt(g.add(variance, attr.epsilon ?? 1e-5)))
  const dx = g.mul(dy, perChannel(g, g.mul(scale, inverse), x))
  const centred = g.sub(x, perChannel(g, mean, x))
  return [dx, g.mul(sumPerChannel(g, g.mul(dy, centred)), inverse), sumPerChannel(g, dy)]
}

/**
 * Local response normalization, y = x·s^(−β) with s_c = bias + α/size·Σ x² over a window of channels:
 * dx = dy·s^(−β) − 2αβ/size · x · Σ_window(dy·x·s^(−β−1)).
 */
function localResponse(c: GradientContext<'LRN'>): string[] {
  const { g, x, dy, attr } = c
  const { alpha = 1e-4, beta = 0.75, bias = 1, size = 1 } = attr
  // The window of the adjoint is the forward one mirrored.
  const before = Math.floor((size - 1) / 2)
  const after = Math.ceil((size - 1) / 2)
  const s = g.add(g.mul(windowSum(g, g.square(x), before, after), alpha / size), bias)
  const power = g.pow(s, -beta)
  const inner = windowSum(g, g.mul(g.mul(dy, x), g.pow(s, -beta - 1)), after, before)
  return [g.sub(g.mul(dy, power), g.mul(g.mul(x, inner), (2 * alpha * beta) / size))]
}

function windowSum(g: Emitter, a: string, before: number, after: number): string {
  const channels = g.dims(a)[1] as number
  const zeros = g.shape(a).map(() => 0)
  const pads = [...zeros, ...zeros]
  pads[1] = before
  pads[zeros.length + 1] = after
  const padded = g.pad(a, pads)
  return range(before + after + 1)
    .map((offset) => g.slice(padded, [1], [offset], [offset + channels]))
    .reduce((sum, part) => g.add(sum, part))
}

/** y = x/‖x‖: dx = (dy − y·Σ(dy·y))/‖x‖ for p = 2, (dy − sign(x)·Σ(dy·y))/‖x‖ for p = 1. */
function lpNormalization({ g, x, y, dy, attr }: GradientContext<'LpNormalization'>): string[] {
  const axes = [attr.axis ?? -1]
  const two = (attr.p ?? 2) === 2
  const norm = two ? g.sqrt(g.sumSquare(x, axes)) : g.sum(g.abs(x), axes)
  const along = g.sum(g.mul(dy, y), axes)
  return [g.div(g.sub(dy, g.mul(two ? y : g.sign(x), along)), g.max(norm, 1e-30))]
}

export const normalisation = {
  BatchNormalization: frozenBatchNorm,
  LRN: localResponse,
  LpNormalization: lpNormalization,
  Dropout: unsupported('it was not replaced by its mask before differentiation'),
} satisfies GradientTable
