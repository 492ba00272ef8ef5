import type { Call, Kernels } from '../call.ts'
import { roundHalfEven } from '../formats.ts'
import { around, normalizeAxis, sizeOf } from '../iterate.ts'
import { array, floatArray, floats, type NdArray } from '../value.ts'
import { convFilterGrad, convInputGrad } from './conv.ts'
import { channelStatistics, normalizeChannels } from './normalization.ts'
import { averagePoolGrad, maxPoolGrad } from './pool.ts'

/**
 * Batch normalisation of a training step (Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1).
 * X [N, C, …] → Y, running mean′, running variance′, batch mean, 1/√(batch variance + ε); the last four [C].
 * Both the normalisation and the running variance take the population variance, as ONNX BatchNormalization-15.
 */
function batchNormTraining(call: Call): NdArray[] {
  const [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4].map((i) => call.input(i)) as [
    NdArray,
    NdArray,
    NdArray,
    NdArray,
    NdArray,
  ]
  const batch = channelStatistics(x)
  const inverse = batch.variance.map((v) => 1 / Math.sqrt(v + call.number('epsilon', 1e-5)))
  const momentum = call.number('momentum', 0.9)
  const running = (old: NdArray, now: Float64Array) =>
    array(
      old.dtype,
      old.dims,
      floats(old).map((v, c) => v * momentum + (now[c] as number) * (1 - momentum)),
    )
  return [
    normalizeChannels(x, batch.mean, inverse, floats(scale), floats(bias)),
    running(mean, batch.mean),
    running(variance, batch.variance),
    floatArray(scale.dtype, scale.dims, batch.mean),
    floatArray(scale.dtype, scale.dims, inverse),
  ]
}

/**
 * The gradient of that by X, scale and bias, with x̂ = (x − mean)·inverse and m elements a channel:
 * dB = Σ dy, dScale = Σ dy·x̂, dX = scale·inverse·(dy − dB/m − x̂·dScale/m).
 */
function batchNormGrad(call: Call): NdArray[] {
  const [dy, x, scale, savedMean, savedInverse] = [0, 1, 2, 3, 4].map((i) => floats(call.input(i))) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ]
  const { dims, dtype } = call.input(1)
  const { size: channels, inner } = around(dims, 1)
  const count = sizeOf(dims) / channels
  const dScale = new Float64Array(channels)
  const dBias = new Float64Array(channels)
  const channelOf = (i: number) => Math.floor(i / inner) % channels
  const centred = (i: number, c: number) => ((x[i] as number) - (savedMean[c] as number)) * (savedInverse[c] as number)
  for (let i = 0; i < x.length; i++) {
    const c = channelOf(i)
    dBias[c] = (dBias[c] as number) + (dy[i] as number)
    dScale[c] = (dScale[c] as number) + (dy[i] as number) * centred(i, c)
  }
  const dX = dy.map((g, i) => {
    const c = channelOf(i)
    const rest = g - (dBias[c] as number) / count - (centred(i, c) * (dScale[c] as number)) / count
    return (scale[c] as number) * (savedInverse[c] as number) * rest
  })
  const parameters = call.input(2)
  return [
    floatArray(dtype, dims, dX),
    floatArray(parameters.dtype, parameters.dims, dScale),
    floatArray(parameters.dtype, parameters.dims, dBias),
  ]
}

/** dX = dY where Y = relu(X) is above zero, else 0. */
function reluGrad(call: Call): NdArray {
  const [dy, y] = [call.input(0), call.input(1)]
  const above = floats(y)
  return floatArray(
    dy.dtype,
    dy.dims,
    floats(dy).map((g, i) => ((above[i] as number) > 0 ? g : 0)),
  )
}

/** Quantizes and dequantizes: s·(clamp(rhe(x/s) + z, quant_min, quant_max) − z), per tensor or along `axis`. */
function fakeQuant(call: Call): NdArray {
  const [x, scale] = [call.input(0), floats(call.input(1))]
  const zero = call.optional(2)
  const zeros = zero ? floats(zero) : new Float64Array(scale.length)
  const [low, high] = [call.number('quant_min', -128), call.number('quant_max', 127)]
  const { size, inner } =
    scale.length === 1 ? { size: 1, inner: 1 } : around(x.dims, normalizeAxis(call.number('axis', 0), x.dims.length))
  const data = floats(x).map((v, i) => {
    const c = size === 1 ? 0 : Math.floor(i / inner) % size
    const [s, z] = [scale[c] as number, zeros[c] as number]
    return s * (Math.min(high, Math.max(low, roundHalfEven(v / s) + z)) - z)
  })
  return floatArray(x.dtype, x.dims, data)
}

/** The private composites of the domain `ai.alambic`; their meaning is what stands here. */
export const alambic: Kernels = {
  ConvInputGrad: convInputGrad,
  ConvFilterGrad: convFilterGrad,
  ReluGrad: reluGrad,
  MaxPoolGrad: maxPoolGrad,
  AveragePoolGrad: averagePoolGrad,
  BatchNormTraining: batchNormTraining,
  BatchNormGrad: batchNormGrad,
  FakeQuant: fakeQuant,
  LearnedQuant: fakeQuant,
  StopGradient: (call) => call.input(0),
}
