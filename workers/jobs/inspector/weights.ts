import { AlambicError } from '../../protocol/errors.ts'
import type { Counts, WeightFacts, WeightHistogram } from '../../protocol/studio/sheet.ts'
import { dtypes, type DType } from '../../graph/dtype.ts'
import { asFloat32 } from '../../graph/float.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { numbersOf, sizeOf, type Tensor } from '../../graph/tensor.ts'
import { sqnr } from '../../measure/sqnr.ts'
import { weightUseOf } from '../../ops/quant.ts'
import { channelLayout, decodeWeight, quantizeWeight } from '../../passes/quantize/weights.ts'
import { tensorOf } from '../../graph/tensor.ts'

const floats: ReadonlySet<DType> = new Set<DType>(['f32', 'f16', 'bf16', 'f64'])
const integers: ReadonlySet<DType> = new Set<DType>([
  'i8',
  'u8',
  'i16',
  'u16',
  'i32',
  'u32',
  'i64',
  'u64',
  'i4',
  'u4',
  'i2',
  'u2',
])

/** Elements as real numbers, codes of integers as they are; undefined for texts, complex numbers and tiny floats. */
export function realsOf(tensor: Tensor): Float32Array | Float64Array | undefined {
  if (tensor.dtype === 'f32' || tensor.dtype === 'f16' || tensor.dtype === 'bf16') return asFloat32(tensor)
  if (floats.has(tensor.dtype) || integers.has(tensor.dtype)) return Float64Array.from(numbersOf(tensor))
  return undefined
}

/** A constant that a node reads: an initializer, or the value of a Constant. */
export function constantOf(graph: Graph, value: string): Tensor | undefined {
  const own = graph.initializers.get(value)
  if (own) return own
  const node = graph.producer(value)
  const attribute = node?.op === 'Constant' ? node.attributes['value'] : undefined
  return attribute?.kind === 'tensor' ? attribute.value : undefined
}

function numbersIn(values: Float32Array | Float64Array) {
  let [min, max, sum, squares, zeros] = [Infinity, -Infinity, 0, 0, 0]
  for (let i = 0; i < values.length; i++) {
    const v = values[i] as number
    if (v < min) min = v
    if (v > max) max = v
    if (v === 0) zeros++
    sum += v
    squares += v * v
  }
  const n = Math.max(1, values.length)
  const mean = sum / n
  return { min, max, mean, deviation: Math.sqrt(Math.max(0, squares / n - mean * mean)), zeros }
}

/** Larger tensors are not rounded only to tell what that would cost. */
const MOST_ROUNDED = 64e6
export const NOISE_BITS = [8, 4] as const
const types = { 8: 'i8', 4: 'i4' } as const

/** Rounds a weight symmetrically, one scale per output channel, and compares. */
export function noiseOf(tensor: Tensor, axis: number | undefined, bits: (typeof NOISE_BITS)[number]): number {
  const values = asFloat32(tensor)
  const options = { type: types[bits], axis, symmetric: true }
  const rounded = decodeWeight(quantizeWeight(values, tensor.dims, options))
  return sqnr(tensorOf('f32', tensor.dims, values), tensorOf('f32', tensor.dims, rounded))
}

/** What can be said of a constant that a node reads. */
export function weightFacts(graph: Graph, node: Node, name: string, tensor: Tensor): WeightFacts {
  const values = realsOf(tensor)
  const use = weightUseOf(node, graph)
  const finite = values !== undefined && values.length > 0 && values.every((v) => Number.isFinite(v))
  const rounds = use?.name === name && finite && values.length <= MOST_ROUNDED
  return {
    tensor: name,
    dtype: tensor.dtype,
    dims: tensor.dims,
    bytes: tensor.bytes.byteLength,
    bits: dtypes[tensor.dtype].bits,
    ...(values && values.length > 0 ? { numbers: numbersIn(values) } : {}),
    ...(rounds ? { noise: NOISE_BITS.map((bits) => ({ bits, decibels: noiseOf(tensor, use.axis, bits) })) } : {}),
  }
}

const BINS = 80
/** More channels than this are not told apart on a screen. */
export const MOST_CHANNELS = 256

/** Counts in bins of one width from the least to the largest value. */
export function histogram(values: ArrayLike<number>, bins: number, low: number, high: number): Counts {
  const counts = new Float64Array(bins)
  const perUnit = bins / (high - low || 1)
  for (let i = 0; i < values.length; i++) {
    const bin = Math.floor(((values[i] as number) - low) * perUnit)
    if (!Number.isFinite(bin)) continue
    const at = Math.min(bins - 1, Math.max(0, bin))
    counts[at] = (counts[at] as number) + 1
  }
  const edges = Float64Array.from({ length: bins + 1 }, (_, i) => low + (i * (high - low || 1)) / bins)
  return { edges, counts }
}

/** The distribution of a tensor's elements, of all and of each slice of an axis. */
export function weightHistogram(tensor: Tensor, name: string, axis = 0): WeightHistogram {
  const values = realsOf(tensor)
  if (!values || values.length === 0) {
    throw new AlambicError('model.no-numbers', `the elements of "${name}" are no real numbers`, {
      subject: name,
      expected: 'a tensor of numbers with at least one element',
      found: `${tensor.dtype}[${tensor.dims.join(',')}]`,
    })
  }
  const { min, max } = numbersIn(values)
  const along = tensor.dims.length === 0 ? undefined : Math.min(axis, tensor.dims.length - 1)
  const { outer, channels, inner } = channelLayout(tensor.dims, along)
  const shown = Math.min(channels, MOST_CHANNELS)
  const index = Uint32Array.from({ length: shown }, (_, i) => Math.floor((i * channels) / shown))
  const each = Array.from(index, (channel) => sliceOf(values, { outer, channels, inner }, channel))
  const facts = each.map(numbersIn)
  const counts = new Uint32Array(shown * BINS)
  each.forEach((slice, i) => counts.set(Uint32Array.from(histogram(slice, BINS, min, max).counts), i * BINS))
  return {
    tensor: name,
    axis: along ?? 0,
    ...histogram(values, BINS, min, max),
    channels: {
      index,
      of: channels,
      min: Float64Array.from(facts, (f) => f.min),
      max: Float64Array.from(facts, (f) => f.max),
      mean: Float64Array.from(facts, (f) => f.mean),
      counts,
    },
  }
}

function sliceOf(
  values: Float32Array | Float64Array,
  { outer, channels, inner }: { outer: number; channels: number; inner: number },
  channel: number,
): Float64Array {
  const slice = new Float64Array(outer * inner)
  for (let o = 0; o < outer; o++) {
    const start = (o * channels + channel) * inner
    slice.set(values.subarray(start, start + inner), o * inner)
  }
  return slice
}

/** How many elements of a tensor are zero; undefined where they are no real numbers. */
export function zerosOf(tensor: Tensor): number | undefined {
  const values = realsOf(tensor)
  if (!values || sizeOf(tensor.dims) === 0) return undefined
  let zeros = 0
  for (let i = 0; i < values.length; i++) if (values[i] === 0) zeros++
  return zeros
}
