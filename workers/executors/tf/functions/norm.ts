import type { Call, Functions } from '../call.ts'
import type { TfTensor } from '../tensorflow.ts'
import type { Value } from '../value.ts'
import { add, div, mul, sub } from './elementwise.ts'

/** All axes but the last: those that a channel is counted over when channels are last. */
const butLast = (x: TfTensor): number[] => [...Array(x.shape.length - 1).keys()]

const inverseOf = (c: Call, variance: TfTensor, epsilon: number): TfTensor =>
  c.run('Rsqrt', { x: add(c, variance, c.scalar(epsilon)) })

/** With the statistics of training. X, scale, B, mean, var → Y. */
function batchNormalization(c: Call): Value {
  if (c.number('training_mode', 0) !== 0) c.fail('training_mode is not supported: steps have their own operator')
  const x = c.value(0).last()
  const [scale, offset, mean, variance] = [c.x(1), c.x(2), c.x(3), c.x(4)]
  const varianceEpsilon = c.number('epsilon', 1e-5)
  if (x.shape.length === 4) {
    return c.last(c.run('FusedBatchNorm', { x, scale, offset, mean, variance }, { varianceEpsilon }))
  }
  const factor = mul(c, scale, inverseOf(c, variance, varianceEpsilon))
  return c.last(add(c, mul(c, x, factor), sub(c, offset, mul(c, mean, factor))))
}

/**
 * TensorFlow's fused operator writes a tensor once where the formula writes it four times. On a graphics processor it
 * is cuDNN's, whose backward pass reads what its forward pass has kept: that is not one of our values.
 */
const isFused = (c: Call, x: TfTensor): boolean => c.tf.native?.onGpu === false && x.shape.length === 4

const fusedAttributes = (epsilon: number) =>
  ({
    T: { type: 'type', value: 'float32' },
    U: { type: 'type', value: 'float32' },
    epsilon: { type: 'float', value: epsilon },
    data_format: { type: 'string', value: 'NHWC' },
    is_training: { type: 'bool', value: true },
  }) as const

interface Normalized {
  readonly y: TfTensor
  readonly batchMean: TfTensor
  readonly batchVariance: TfTensor
}

function plainForward(c: Call, x: TfTensor, scale: TfTensor, offset: TfTensor, epsilon: number): Normalized {
  const axis = butLast(x)
  const batchMean = c.run('Mean', { x }, { axis, keepDims: false })
  const centred = sub(c, x, batchMean)
  const batchVariance = c.run('Mean', { x: c.run('Square', { x: centred }) }, { axis, keepDims: false })
  const y = add(c, mul(c, centred, mul(c, scale, inverseOf(c, batchVariance, epsilon))), offset)
  return { y, batchMean, batchVariance }
}

/** TensorFlow gives the unbiased variance, m/(m − 1) times ours. */
function fusedForward(c: Call, x: TfTensor, scale: TfTensor, offset: TfTensor, epsilon: number): Normalized {
  const none = c.tf.tensor(new Float32Array(0), [0], 'float32')
  const inputs = [x, scale, offset, none, none]
  const outputs = c.tf.native?.run('FusedBatchNormV3', inputs, fusedAttributes(epsilon), 6) ?? []
  const [y, batchMean, unbiased] = outputs as [TfTensor, TfTensor, TfTensor]
  const count = countOf(x)
  return { y, batchMean, batchVariance: mul(c, unbiased, c.scalar((count - 1) / count)) }
}

/** Elements a channel. */
const countOf = (x: TfTensor): number => x.shape.slice(0, -1).reduce((n, d) => n * d, 1)

/**
 * Of a training step (Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1):
 * X, scale, B, mean, var → Y, mean′, var′, batch mean, 1/√(batch var + ε).
 */
function batchNormTraining(c: Call): Value[] {
  const x = c.value(0).last()
  const [scale, offset, mean, variance] = [c.x(1), c.x(2), c.x(3), c.x(4)]
  const epsilon = c.number('epsilon', 1e-5)
  const forward = isFused(c, x) ? fusedForward : plainForward
  const { y, batchMean, batchVariance } = forward(c, x, scale, offset, epsilon)
  const inverse = inverseOf(c, batchVariance, epsilon)
  const keep = c.number('momentum', 0.9)
  const running = (old: TfTensor, now: TfTensor) => add(c, mul(c, old, c.scalar(keep)), mul(c, now, c.scalar(1 - keep)))
  const vectors = [running(mean, batchMean), running(variance, batchVariance), batchMean, inverse]
  return [c.last(y), ...vectors.map((v) => c.plain(v))]
}

/**
 * dY, X, scale, batch mean, 1/√(batch var + ε) → dX, dScale, dB, with x̂ = (x − mean)·inverse and m elements a channel:
 * dB = Σ dy, dScale = Σ dy·x̂, dX = scale·inverse·(dy − dB/m − x̂·dScale/m).
 */
function batchNormGrad(c: Call): Value[] {
  const [dy, x] = [c.value(0).last(), c.value(1).last()]
  const [scale, mean, inverse] = [c.x(2), c.x(3), c.x(4)]
  if (isFused(c, x)) return fusedBackward(c, dy, x)
  const axis = butLast(x)
  const count = c.scalar(countOf(x))
  const normal = mul(c, sub(c, x, mean), inverse)
  const dScale = c.run('Sum', { x: mul(c, dy, normal) }, { axis, keepDims: false })
  const dOffset = c.run('Sum', { x: dy }, { axis, keepDims: false })
  const rest = sub(c, sub(c, dy, div(c, dOffset, count)), mul(c, normal, div(c, dScale, count)))
  const dx = mul(c, rest, mul(c, scale, inverse))
  return [c.last(dx), c.plain(dScale), c.plain(dOffset)]
}

function fusedBackward(c: Call, dy: TfTensor, x: TfTensor): Value[] {
  const [scale, mean, inverse] = [c.x(2), c.x(3), c.x(4)]
  const none = c.tf.tensor(new Float32Array(0), [0], 'float32')
  // It adds its epsilon to a variance: none is left to add to this one.
  const variance = c.run('Reciprocal', { x: c.run('Square', { x: inverse }) })
  const inputs = [dy, x, scale, mean, variance, none]
  const outputs = c.tf.native?.run('FusedBatchNormGradV3', inputs, fusedAttributes(0), 5) ?? []
  const [dx, dScale, dOffset] = outputs as [TfTensor, TfTensor, TfTensor]
  return [c.last(dx), c.plain(dScale), c.plain(dOffset)]
}

/** Across neighbouring channels (Krizhevsky et al. 2012, section 3.3); TensorFlow counts from the middle. */
function lrn(c: Call): Value {
  const size = c.number('size', 1)
  if (size % 2 === 0) c.fail('TensorFlow normalizes over an odd number of channels', { found: String(size) })
  const x = c.value(0).last()
  const attrs = {
    depthRadius: (size - 1) / 2,
    bias: c.number('bias', 1),
    alpha: c.number('alpha', 1e-4) / size,
    beta: c.number('beta', 0.75),
  }
  return c.last(c.run('LRN', { x }, attrs))
}

export const normalizations: Functions = { BatchNormalization: batchNormalization, LRN: lrn }
export const normalizationComposites: Functions = {
  BatchNormTraining: batchNormTraining,
  BatchNormGrad: batchNormGrad,
}
