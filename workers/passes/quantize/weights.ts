import { AlambicError } from '../../protocol/errors.ts'
import { toAttributes } from '../../graph/attributes.ts'
import type { Rewriter } from '../../graph/rewrite.ts'
import { arrayOf, packBits, sizeOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { affineOf, codesOf, type Affine, type AffineOptions, type CodeRange, type QuantType } from './affine.ts'

/** How the range of a weight is chosen: its extremes, or the clip with the least error. */
export type WeightRange = 'min-max' | 'mse'

export interface WeightOptions extends AffineOptions {
  readonly type: QuantType
  /** One scale per index along this axis; a single one when absent. */
  readonly axis?: number | undefined
  readonly range?: WeightRange | undefined
}

/** A constant as codes with their scales. */
export interface QuantizedWeight {
  readonly type: QuantType
  readonly dims: readonly number[]
  readonly axis: number | undefined
  /** One for all, or one per channel. */
  readonly affines: readonly Affine[]
  /** One code per element, row-major. */
  readonly codes: Int32Array
}

/** The scale and zero point of a channel, where one may stand for all. */
export const affineAt = (affines: readonly Affine[], channel: number): Affine =>
  affines[channel] ?? affines[0] ?? { scale: 1, zeroPoint: 0 }

/** Positions of the channels of a tensor: `outer` repeats of `channels` runs of `inner` elements. */
export interface ChannelLayout {
  readonly outer: number
  readonly channels: number
  readonly inner: number
}

export const channelLayout = (dims: readonly number[], axis: number | undefined): ChannelLayout =>
  axis === undefined
    ? { outer: 1, channels: 1, inner: sizeOf(dims) }
    : { outer: sizeOf(dims.slice(0, axis)), channels: dims[axis] ?? 1, inner: sizeOf(dims.slice(axis + 1)) }

/** Smallest and largest element of every channel. */
export function channelExtremes(values: Float32Array, { outer, channels, inner }: ChannelLayout) {
  const min = new Float64Array(channels).fill(Infinity)
  const max = new Float64Array(channels).fill(-Infinity)
  for (let o = 0, at = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      let [low, high] = [min[c] as number, max[c] as number]
      for (const end = at + inner; at < end; at++) {
        const v = values[at] as number
        if (v < low) low = v
        if (v > high) high = v
      }
      min[c] = low
      max[c] = high
    }
  }
  return { min, max }
}

/**
 * Scales and zero points of a constant, one or one per channel.
 *
 * @throws AlambicError `quantize.not-finite` for NaN or infinite elements
 */
export function weightAffines(
  values: Float32Array,
  dims: readonly number[],
  options: WeightOptions,
  name = '',
): readonly Affine[] {
  const bad = values.findIndex((v) => !Number.isFinite(v))
  if (bad >= 0) {
    throw new AlambicError('quantize.not-finite', `the weight "${name}" has an element that is not a number`, {
      subject: name,
      expected: 'finite numbers',
      found: `${values[bad]} at element ${bad}`,
      fix: 'Train the model again from before it diverged.',
    })
  }
  const layout = channelLayout(dims, options.axis)
  const { min, max } = channelExtremes(values, layout)
  return Array.from(min, (low, c) => {
    if (low > (max[c] as number)) return { scale: 1, zeroPoint: 0 }
    if (options.range !== 'mse') return affineOf(low, max[c] as number, options.type, options)
    return leastError(values, layout, c, low, max[c] as number, options)
  })
}

/** The grid of GPTQ's own quantizer (Frantar et al. 2023, arXiv:2210.17323): 100 steps, shrinking to 0.2, norm 2.4. */
const GRID = 100
const MAX_SHRINK = 0.8
const NORM = 2.4

/** The clip of a channel that minimizes Σ|x̂ − x|^2.4 over shrinking ranges. */
function leastError(
  values: Float32Array,
  { outer, channels, inner }: ChannelLayout,
  channel: number,
  min: number,
  max: number,
  options: WeightOptions,
): Affine {
  const [qmin, qmax] = codesOf(options.type, options)
  let best = affineOf(min, max, options.type, options)
  let least = Infinity
  for (let step = 0; step < GRID * MAX_SHRINK; step++) {
    const share = 1 - step / GRID
    const affine = affineOf(min * share, max * share, options.type, options)
    let error = 0
    for (let o = 0; o < outer && error < least; o++) {
      const start = (o * channels + channel) * inner
      for (let i = start; i < start + inner; i++) {
        const v = values[i] as number
        const code = Math.min(qmax, Math.max(qmin, Math.round(v / affine.scale) + affine.zeroPoint))
        error += Math.abs(affine.scale * (code - affine.zeroPoint) - v) ** NORM
      }
    }
    if (error < least) [least, best] = [error, affine]
  }
  return best
}

/** Codes of a constant under given scales: clamp(rhe(x/s) + z) with the quotient in float32. */
export function encodeWeight(
  values: Float32Array,
  layout: ChannelLayout,
  affines: readonly Affine[],
  [qmin, qmax]: CodeRange,
): Int32Array {
  const { outer, channels, inner } = layout
  const codes = new Int32Array(values.length)
  const quotient = new Float32Array(1)
  for (let o = 0, at = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      const { scale, zeroPoint } = affineAt(affines, c)
      for (const end = at + inner; at < end; at++) {
        quotient[0] = (values[at] as number) / scale
        const q = quotient[0]
        const floor = Math.floor(q)
        const rest = q - floor
        const rounded = rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1
        codes[at] = Math.min(qmax, Math.max(qmin, rounded + zeroPoint))
      }
    }
  }
  return codes
}

/** Real numbers of the codes. */
export function decodeWeight({ codes, dims, axis, affines }: QuantizedWeight): Float32Array {
  const { outer, channels, inner } = channelLayout(dims, axis)
  const values = new Float32Array(codes.length)
  for (let o = 0, at = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      const { scale, zeroPoint } = affineAt(affines, c)
      for (const end = at + inner; at < end; at++) values[at] = scale * ((codes[at] as number) - zeroPoint)
    }
  }
  return values
}

/** Rounds a constant to nearest. `affines` are computed unless given. */
export function quantizeWeight(
  values: Float32Array,
  dims: readonly number[],
  options: WeightOptions,
  affines: readonly Affine[] = weightAffines(values, dims, options),
): QuantizedWeight {
  const { type, axis } = options
  const codes = encodeWeight(values, channelLayout(dims, axis), affines, codesOf(type, options))
  return { type, dims, axis, affines, codes }
}

const arrays = { i8: Int8Array, u8: Uint8Array, i16: Int16Array, u16: Uint16Array } as const

/** Codes as a tensor; types of less than a byte are packed. */
export function codeTensor(type: QuantType, dims: readonly number[], codes: ArrayLike<number>): Tensor {
  if (type in arrays) return tensorOf(type, dims, arrays[type as keyof typeof arrays].from(codes))
  return tensorOf(type, dims, packBits(type as 'i4', codes))
}

/** Scales and zero points as the constants that QuantizeLinear and DequantizeLinear take: 0-D, or `[channels]`. */
export function affineTensors(affines: readonly Affine[], type: QuantType, perChannel: boolean) {
  const dims = perChannel ? [affines.length] : []
  const scale = tensorOf(
    'f32',
    dims,
    Float32Array.from(affines, (a) => a.scale),
  )
  const zeroPoint = codeTensor(
    type,
    dims,
    affines.map((a) => a.zeroPoint),
  )
  return { scale, zeroPoint }
}

/** A DequantizeLinear over new constants; returns its output. */
export function dequantizedConstant(rewriter: Rewriter, name: string, weight: QuantizedWeight): string {
  const { builder } = rewriter
  const { scale, zeroPoint } = affineTensors(weight.affines, weight.type, weight.axis !== undefined)
  const inputs = [
    builder.constant(`${name}_quantized`, codeTensor(weight.type, weight.dims, weight.codes)),
    builder.constant(`${name}_scale`, scale),
    builder.constant(`${name}_zero_point`, zeroPoint),
  ]
  const output = builder.fresh(`${name}_dq`)
  appendNode(rewriter, 'DequantizeLinear', inputs, [output], weight.axis)
  return output
}

/** Appends a QuantizeLinear or DequantizeLinear under its output's name. */
export function appendNode(
  rewriter: Rewriter,
  op: 'QuantizeLinear' | 'DequantizeLinear',
  inputs: readonly string[],
  outputs: readonly string[],
  axis?: number,
  blockSize?: number,
): readonly string[] {
  const attributes = toAttributes(op, '', { axis, block_size: blockSize })
  return rewriter.builder.append({ name: outputs[0] ?? '', op, domain: '', inputs, outputs, attributes })
}

/** The elements of a float32 constant. */
export const floatsOf = (tensor: Tensor): Float32Array => arrayOf(tensor) as Float32Array
