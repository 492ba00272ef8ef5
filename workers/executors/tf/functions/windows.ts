import { geometryOf } from '../../ort/lower/geometry.ts'
import type { Call } from '../call.ts'
import type { TfTensor } from '../tensorflow.ts'
import type { Value } from '../value.ts'

/** A pair: along the height and along the width. */
export type Pair = readonly [number, number]

/** A window operator over two spatial axes; one of a single axis has a height of one. */
export interface Window {
  readonly kernel: Pair
  readonly strides: Pair
  readonly dilations: Pair
  readonly before: Pair
  readonly after: Pair
  readonly group: number
  /** Spatial sizes of the input and the output. */
  readonly input: Pair
  readonly output: Pair
}

const pair = (list: readonly number[], fill: number): Pair =>
  list.length === 1 ? [fill, list[0] as number] : [list[0] as number, list[1] as number]

/** What the attributes of a convolution or pool over dims `x` say, with the output `y` if its dims are known. */
export function windowOf(c: Call, x: readonly number[], kernel: readonly number[], y?: readonly number[]): Window {
  const spatial = x.slice(2)
  if (spatial.length > 2) c.fail('TensorFlow.js has windows over one or two axes', { found: `${spatial.length} axes` })
  const ones = spatial.map(() => 1)
  const strides = c.numbers('strides') ?? ones
  const dilations = c.numbers('dilations') ?? ones
  const extent = kernel.map((k, i) => (k - 1) * (dilations[i] as number) + 1)
  const same = spatial.map((size, i) => Math.ceil(size / (strides[i] as number)))
  const auto = c.text('auto_pad', 'NOTSET')
  const g = geometryOf(c.attr, x, y ?? [0, 0, ...same], kernel)
  const isCeil = c.number('ceil_mode', 0) !== 0
  const sizes = spatial.map((size, i) => {
    const [before, after, stride] = [g.before[i] as number, g.after[i] as number, strides[i] as number]
    if (auto.startsWith('SAME')) return same[i] as number
    const steps = (size + before + after - (extent[i] as number)) / stride
    const count = (isCeil ? Math.ceil(steps) : Math.floor(steps)) + 1
    // A window of ceil_mode must still start inside the input or its leading padding.
    return isCeil && (count - 1) * stride >= size + before ? count - 1 : count
  })
  return {
    kernel: pair(kernel, 1),
    strides: pair(strides, 1),
    dilations: pair(dilations, 1),
    before: pair(g.before, 0),
    after: pair(g.after, 0),
    group: g.group,
    input: pair(spatial, 1),
    output: pair(y?.slice(2) ?? sizes, 1),
  }
}

/** Channels last, with a height. */
export function image(c: Call, value: Value): TfTensor {
  const x = value.last()
  const [n, ...rest] = x.shape as [number, ...number[]]
  return x.shape.length === 3 ? c.reshape(x, [n, 1, ...rest]) : x
}

/** The inverse, of a result for a value of some rank. */
export function fromImage(c: Call, x: TfTensor, rank: number): Value {
  const [n, , ...rest] = x.shape as [number, number, ...number[]]
  return c.last(rank === 3 ? c.reshape(x, [n, ...rest]) : x, 'f32')
}

/** Zeros (or another value) around an image, at the end as many as the last window reaches. */
export interface Frame {
  readonly before: Pair
  readonly after: Pair
}

/** Padding after which windows without padding of their own give the output. */
export function frameOf({ before, after, input, output, kernel, dilations, strides }: Window): Frame {
  const reach = [0, 1].map((i) => {
    const extent = ((kernel[i] as number) - 1) * (dilations[i] as number) + 1
    const last = ((output[i] as number) - 1) * (strides[i] as number) + extent
    return Math.max(after[i] as number, last - (input[i] as number) - (before[i] as number))
  })
  return { before, after: reach as unknown as Pair }
}

export function framed(c: Call, x: TfTensor, { before, after }: Frame, constantValue = 0): TfTensor {
  if ([...before, ...after].every((p) => p === 0)) return x
  if ([...before, ...after].some((p) => p < 0)) c.fail('negative padding is not supported by TensorFlow.js')
  const paddings = [
    [0, 0],
    [before[0], after[0]],
    [before[1], after[1]],
    [0, 0],
  ]
  return c.run('PadV2', { x }, { paddings, constantValue })
}

/** The inverse: an image without its frame. */
export function unframed(c: Call, x: TfTensor, { before, after }: Frame, [h, w]: Pair): TfTensor {
  if ([...before, ...after].every((p) => p === 0)) return x
  const [n, , , channels] = x.shape as [number, number, number, number]
  return c.run('Slice', { x }, { begin: [0, before[0], before[1], 0], size: [n, h, w, channels] })
}

/** Whether the padding is what TensorFlow means by SAME: as many outputs as fit, the odd row at the end. */
export function isSame({ before, after, input, output, kernel, dilations, strides }: Window): boolean {
  return [0, 1].every((i) => {
    const [size, stride] = [input[i] as number, strides[i] as number]
    const count = Math.ceil(size / stride)
    const extent = ((kernel[i] as number) - 1) * (dilations[i] as number) + 1
    const total = Math.max(0, (count - 1) * stride + extent - size)
    const small = Math.floor(total / 2)
    return output[i] === count && before[i] === small && after[i] === total - small
  })
}
