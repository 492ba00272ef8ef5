import type { Call, Kernels } from '../call.ts'
import { around, broadcastTo, normalizeAxis, sizeOf } from '../iterate.ts'
import { array, floatArray, floats, type NdArray } from '../value.ts'

/** Mean and population variance of each channel (axis 1) over everything else. */
export function channelStatistics(x: NdArray): { mean: Float64Array; variance: Float64Array } {
  const { outer, size, inner } = around(x.dims, 1)
  const data = floats(x)
  const mean = new Float64Array(size)
  const variance = new Float64Array(size)
  const average = (c: number, f: (v: number) => number) => {
    let sum = 0
    for (let o = 0; o < outer; o++) {
      const start = (o * size + c) * inner
      for (let i = start; i < start + inner; i++) sum += f(data[i] as number)
    }
    return sum / (outer * inner)
  }
  for (let c = 0; c < size; c++) {
    const m = average(c, (v) => v)
    mean[c] = m
    variance[c] = average(c, (v) => (v - m) ** 2)
  }
  return { mean, variance }
}

/** scale·(x − mean)·inverse + bias per channel (axis 1). */
export function normalizeChannels(
  x: NdArray,
  mean: Float64Array,
  inverse: Float64Array,
  scale: Float64Array,
  bias: Float64Array,
): NdArray {
  const { size, inner } = around(x.dims, 1)
  const data = floats(x)
  const y = new Float64Array(data.length)
  for (let start = 0; start < y.length; start += inner) {
    const c = (start / inner) % size
    const [m, factor, shift] = [mean[c] as number, (scale[c] as number) * (inverse[c] as number), bias[c] as number]
    for (let i = start; i < start + inner; i++) y[i] = ((data[i] as number) - m) * factor + shift
  }
  return array(x.dtype, x.dims, y)
}

const inverseRoot = (variance: Float64Array, epsilon: number) => variance.map((v) => 1 / Math.sqrt(v + epsilon))

/** In training (opset 14: `training_mode`; before: more than one output) the batch's own statistics normalise. */
function batchNormalization(call: Call): NdArray[] {
  const x = call.input(0)
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => floats(call.input(i))) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ]
  const epsilon = call.number('epsilon', 1e-5)
  const training = call.opset >= 14 ? call.flag('training_mode') : call.wants(1)
  if (!training) return [normalizeChannels(x, mean, inverseRoot(variance, epsilon), scale, bias)]
  const batch = channelStatistics(x)
  const momentum = call.number('momentum', 0.9)
  const running = (index: number, now: Float64Array) => {
    const old = call.input(index)
    return array(
      old.dtype,
      old.dims,
      floats(old).map((v, c) => v * momentum + (now[c] as number) * (1 - momentum)),
    )
  }
  return [
    normalizeChannels(x, batch.mean, inverseRoot(batch.variance, epsilon), scale, bias),
    running(3, batch.mean),
    running(4, batch.variance),
  ]
}

/** Every row of `width` elements: its mean (or 0) and 1/√(mean square about that + ε). */
export function rowStatistics(
  data: Float64Array,
  width: number,
  epsilon: number,
  centre: boolean,
): { mean: Float64Array; inverse: Float64Array } {
  const mean = new Float64Array(data.length / width)
  const inverse = new Float64Array(mean.length)
  for (let r = 0; r < mean.length; r++) {
    let sum = 0
    if (centre) for (let i = r * width; i < (r + 1) * width; i++) sum += data[i] as number
    const m = sum / width
    let squares = 0
    for (let i = r * width; i < (r + 1) * width; i++) squares += ((data[i] as number) - m) ** 2
    mean[r] = m
    inverse[r] = 1 / Math.sqrt(squares / width + epsilon)
  }
  return { mean, inverse }
}

/** (x − mean)·inverse of every row, then scale and bias, which broadcast to x. */
export function normalizeRows(
  x: NdArray,
  width: number,
  epsilon: number,
  centre: boolean,
  scale?: NdArray,
  bias?: NdArray,
): { y: NdArray; mean: Float64Array; inverse: Float64Array } {
  const data = floats(x)
  const { mean, inverse } = rowStatistics(data, width, epsilon, centre)
  const factor = scale && floats(broadcastTo(scale, x.dims))
  const shift = bias && floats(broadcastTo(bias, x.dims))
  const y = data.map((v, i) => {
    const r = Math.floor(i / width)
    return (v - (mean[r] as number)) * (inverse[r] as number) * (factor?.[i] ?? 1) + (shift?.[i] ?? 0)
  })
  return { y: array(x.dtype, x.dims, y), mean, inverse }
}

/** Ba et al. 2016, arXiv:1607.06450; the optional outputs are the mean and 1/√(variance + ε) of each row. */
export function layerNormalization(call: Call): NdArray[] {
  const x = call.input(0)
  const axis = normalizeAxis(call.number('axis', -1), x.dims.length)
  const width = sizeOf(x.dims.slice(axis))
  const { y, mean, inverse } = normalizeRows(
    x,
    width,
    call.number('epsilon', 1e-5),
    true,
    call.input(1),
    call.optional(2),
  )
  const dims = x.dims.map((d, i) => (i < axis ? d : 1))
  return [y, floatArray('f32', dims, mean), floatArray('f32', dims, inverse)]
}

/** Zhang & Sennrich 2019, arXiv:1910.07467: no mean is taken off. */
function rmsNormalization(call: Call): NdArray {
  const x = call.input(0)
  const width = sizeOf(x.dims.slice(normalizeAxis(call.number('axis', -1), x.dims.length)))
  return normalizeRows(x, width, call.number('epsilon', 1e-5), false, call.input(1)).y
}

/** A parameter per channel, shaped so that it broadcasts over [N, C, …]. */
const perChannel = (p: NdArray, rank: number): NdArray =>
  array(p.dtype, [p.data.length, ...new Array<number>(rank - 2).fill(1)], p.data)

function instanceNormalization(call: Call): NdArray {
  const x = call.input(0)
  const [scale, bias] = [1, 2].map((i) => perChannel(call.input(i), x.dims.length))
  return normalizeRows(x, sizeOf(x.dims.slice(2)), call.number('epsilon', 1e-5), true, scale, bias).y
}

/** Wu & He 2018, arXiv:1803.08494; scale and bias were one per group until opset 21 made them one per channel. */
function groupNormalization(call: Call): NdArray {
  const x = call.input(0)
  const channels = x.dims[1] as number
  const groups = call.number('num_groups', 1)
  if (channels % groups !== 0) call.fail(`num_groups=${groups} does not divide ${channels} channels`)
  const spread = (p: NdArray): NdArray => {
    if (call.opset >= 21) return p
    const values = floats(p)
    const data = Float64Array.from(
      { length: channels },
      (_, c) => values[Math.floor(c / (channels / groups))] as number,
    )
    return floatArray(p.dtype, [channels], data)
  }
  const [scale, bias] = [1, 2].map((i) => perChannel(spread(call.input(i)), x.dims.length))
  const width = (channels / groups) * sizeOf(x.dims.slice(2))
  return normalizeRows(x, width, call.number('epsilon', 1e-5), true, scale, bias).y
}

/** Krizhevsky et al. 2012, §3.3: x / (bias + α/size · Σ x²)^β over `size` neighbouring channels. */
function lrn(call: Call): NdArray {
  const x = call.input(0)
  const window = call.number('size', 1)
  const [alpha, beta, bias] = [call.number('alpha', 1e-4), call.number('beta', 0.75), call.number('bias', 1)]
  const { size, inner } = around(x.dims, 1)
  const data = floats(x)
  const before = Math.floor((window - 1) / 2)
  const after = Math.ceil((window - 1) / 2)
  const y = data.map((v, i) => {
    const c = Math.floor(i / inner) % size
    let squares = 0
    for (let k = Math.max(0, c - before); k <= Math.min(size - 1, c + after); k++) {
      squares += (data[i + (k - c) * inner] as number) ** 2
    }
    return v / (bias + (alpha / window) * squares) ** beta
  })
  return array(x.dtype, x.dims, y)
}

/** x / ‖x‖ₚ along an axis; 0 where the norm is 0. */
function lpNormalization(call: Call): NdArray {
  const x = call.input(0)
  const p = call.number('p', 2)
  const { size, inner } = around(x.dims, normalizeAxis(call.number('axis', -1), x.dims.length))
  const data = floats(x)
  const norms = new Float64Array(data.length / size)
  const rowOf = (i: number) => Math.floor(i / (size * inner)) * inner + (i % inner)
  data.forEach((v, i) => (norms[rowOf(i)] = (norms[rowOf(i)] as number) + Math.abs(v) ** p))
  const y = data.map((v, i) => {
    const norm = (norms[rowOf(i)] as number) ** (1 / p)
    return norm === 0 ? 0 : v / norm
  })
  return array(x.dtype, x.dims, y)
}

/** (x − mean) / (standard deviation + 1e-9) over the given axes, [0, 2, 3] unless told. */
function meanVarianceNormalization(call: Call): NdArray {
  const x = call.input(0)
  const axes = new Set((call.numbers('axes') ?? [0, 2, 3]).map((a) => normalizeAxis(a, x.dims.length)))
  const data = floats(x)
  const groupOf = groupIndex(x.dims, axes)
  const groups = sizeOf(x.dims.filter((_, d) => !axes.has(d)))
  const count = data.length / groups
  const mean = new Float64Array(groups)
  const variance = new Float64Array(groups)
  data.forEach((v, i) => (mean[groupOf[i] as number] = (mean[groupOf[i] as number] as number) + v / count))
  data.forEach((v, i) => {
    const g = groupOf[i] as number
    variance[g] = (variance[g] as number) + (v - (mean[g] as number)) ** 2 / count
  })
  const y = data.map((v, i) => {
    const g = groupOf[i] as number
    return (v - (mean[g] as number)) / (Math.sqrt(variance[g] as number) + 1e-9)
  })
  return array(x.dtype, x.dims, y)
}

/** For every element, the row-major index of its coordinates on the axes that are kept. */
export function groupIndex(dims: readonly number[], reduced: ReadonlySet<number>): Int32Array {
  let index: Int32Array = Int32Array.of(0)
  dims.forEach((size, d) => {
    const next = new Int32Array(index.length * size)
    for (let i = 0; i < next.length; i++) {
      const held = index[Math.floor(i / size)] as number
      next[i] = reduced.has(d) ? held : held * size + (i % size)
    }
    index = next
  })
  return index
}

export const normalizations: Kernels = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LRN: lrn,
  LpNormalization: lpNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
}
