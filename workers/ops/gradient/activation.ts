import { COMPOSITES } from '../composites.ts'
import { stops, type GradientContext, type GradientTable } from './rule.ts'

const SQRT_2_PI = Math.sqrt(2 / Math.PI)

/** Hendrycks & Gimpel 2016, arXiv:1606.08415: x·Φ(x), or its tanh approximation. */
function gelu({ g, x, dy, attr }: GradientContext<'Gelu'>): string[] {
  if (attr.approximate === 'tanh') {
    const inner = g.mul(g.add(x, g.mul(g.mul(g.square(x), x), 0.044715)), SQRT_2_PI)
    const t = g.tanh(inner)
    const slope = g.mul(g.add(g.mul(g.square(x), 3 * 0.044715), 1), SQRT_2_PI)
    const left = g.mul(g.add(t, 1), 0.5)
    const right = g.mul(g.mul(g.mul(x, 0.5), g.sub(1, g.square(t))), slope)
    return [g.mul(dy, g.add(left, right))]
  }
  const cdf = g.mul(g.add(g.erf(g.mul(x, Math.SQRT1_2)), 1), 0.5)
  const pdf = g.mul(g.exp(g.mul(g.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI))
  return [g.mul(dy, g.add(cdf, g.mul(x, pdf)))]
}

/** Misra 2019, arXiv:1908.08681: x·tanh(softplus(x)). */
function mish({ g, x, dy }: GradientContext<'Mish'>): string[] {
  const t = g.tanh(g.softplus(x))
  const slope = g.mul(g.mul(x, g.sub(1, g.square(t))), g.sigmoid(x))
  return [g.mul(dy, g.add(t, slope))]
}

function softmax({ g, y, dy, attr }: GradientContext<'Softmax'>): string[] {
  const weighted = g.mul(dy, y)
  const total = g.sum(weighted, [attr.axis ?? -1])
  return [g.sub(weighted, g.mul(y, total))]
}

function logSoftmax({ g, y, dy, attr }: GradientContext<'LogSoftmax'>): string[] {
  return [g.sub(dy, g.mul(g.exp(y), g.sum(dy, [attr.axis ?? -1])))]
}

const SELU_ALPHA = 1.67326319217681884765625
const SELU_GAMMA = 1.05070102214813232421875

export const activation = {
  Relu: ({ g, y, dy }) => g.node(COMPOSITES, 'ReluGrad', [dy, y]),
  LeakyRelu: ({ g, x, dy, attr }) => [g.where(g.greater(x, 0), dy, g.mul(dy, attr.alpha ?? 0.01))],
  PRelu: ({ g, inputs: [x, slope], dy }) => {
    const negative = g.mul(dy, g.mask(g.lessOrEqual(x, 0), dy))
    return [g.where(g.greater(x, 0), dy, g.mul(dy, slope)), g.mul(negative, x)]
  },
  Elu: ({ g, x, y, dy, attr }) => [g.where(g.greater(x, 0), dy, g.mul(dy, g.add(y, attr.alpha ?? 1)))],
  Selu: ({ g, x, y, dy, attr }) => {
    const gamma = attr.gamma ?? SELU_GAMMA
    const below = g.mul(dy, g.add(y, gamma * (attr.alpha ?? SELU_ALPHA)))
    return [g.where(g.greater(x, 0), g.mul(dy, gamma), below)]
  },
  Celu: ({ g, x, dy, attr }) => [g.where(g.greater(x, 0), dy, g.mul(dy, g.exp(g.div(g.min(x, 0), attr.alpha ?? 1))))],
  ThresholdedRelu: ({ g, x, dy, attr }) => [g.mul(dy, g.mask(g.greater(x, attr.alpha ?? 1), dy))],
  Shrink: ({ g, x, dy, attr }) => [g.mul(dy, g.mask(g.greater(g.abs(x), attr.lambd ?? 0.5), dy))],
  Sigmoid: ({ g, y, dy }) => [g.mul(dy, g.mul(y, g.sub(1, y)))],
  Tanh: ({ g, y, dy }) => [g.mul(dy, g.sub(1, g.square(y)))],
  HardSigmoid: ({ g, y, dy, attr }) => {
    const inside = g.and(g.greater(y, 0), g.less(y, 1))
    return [g.mul(dy, g.mul(g.mask(inside, dy), attr.alpha ?? 0.2))]
  },
  HardSwish: ({ g, x, dy }) => {
    const middle = g.add(g.div(x, 3), 0.5)
    return [g.mul(dy, g.where(g.lessOrEqual(x, -3), 0, g.where(g.greaterOrEqual(x, 3), g.add(g.mul(x, 0), 1), middle)))]
  },
  Softplus: ({ g, x, dy }) => [g.mul(dy, g.sigmoid(x))],
  Softsign: ({ g, x, dy }) => [g.div(dy, g.square(g.add(g.abs(x), 1)))],
  Swish: ({ g, x, dy, attr }) => {
    const alpha = attr.alpha ?? 1
    const s = g.sigmoid(g.mul(x, alpha))
    return [g.mul(dy, g.mul(s, g.add(g.mul(g.mul(x, alpha), g.sub(1, s)), 1)))]
  },
  Gelu: gelu,
  Mish: mish,
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  Hardmax: stops('it picks one class: its derivative is zero almost everywhere'),
} satisfies GradientTable
