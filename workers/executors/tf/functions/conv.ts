import type { Call, Functions } from '../call.ts'
import type { TfTensor } from '../tensorflow.ts'
import type { Value } from '../value.ts'
import { add } from './elementwise.ts'
import { strided } from './shape.ts'
import { framed, frameOf, fromImage, image, isSame, unframed, windowOf, type Pair, type Window } from './windows.ts'

/*
 * TensorFlow's convolutions take channels last and filters as [height, width, in, out] (tensorflow.org, tf.nn.conv2d);
 * ONNX has channels first and [out, in, …]. Groups of one channel each are its depthwise kernels, other groups are
 * convolved one by one. Its gradients know no dilation: the filter is spread with zeros instead.
 */

/** A filter as [height, width, in, out], made once for all who read it. */
const filterOf = (c: Call, w: Value): TfTensor =>
  w.form('filter', () => {
    const x = w.plain()
    const [out, inner, ...k] = x.shape as [number, number, ...number[]]
    return c.transpose(k.length === 1 ? c.reshape(x, [out, inner, 1, ...k]) : x, [2, 3, 1, 0])
  })

/** The inverse, with the dims of ONNX. */
const weightOf = (c: Call, filter: TfTensor, dims: readonly number[]): Value =>
  c.plain(c.reshape(c.transpose(filter, [3, 2, 0, 1]), dims), 'f32')

const spreadSize = (k: number, d: number): number => (k - 1) * d + 1

/** A filter with zeros between its elements. */
function spread(c: Call, filter: TfTensor, [dh, dw]: Pair): TfTensor {
  if (dh === 1 && dw === 1) return filter
  const [kh, kw, a, b] = filter.shape as [number, number, number, number]
  const apart = c.reshape(filter, [kh, 1, kw, 1, a * b])
  const paddings = [
    [0, 0],
    [0, dh - 1],
    [0, 0],
    [0, dw - 1],
    [0, 0],
  ]
  const wide = c.reshape(c.run('PadV2', { x: apart }, { paddings, constantValue: 0 }), [kh * dh, kw * dw, a, b])
  return c.run('Slice', { x: wide }, { begin: [0, 0, 0, 0], size: [spreadSize(kh, dh), spreadSize(kw, dw), a, b] })
}

/** The inverse: the elements that are not between others. */
function gathered(c: Call, filter: TfTensor, [kh, kw]: Pair, [dh, dw]: Pair): TfTensor {
  if (dh === 1 && dw === 1) return filter
  const [, , a, b] = filter.shape as [number, number, number, number]
  return strided(c, filter, [0, 0, 0, 0], [kh, kw, a, b], [dh, dw, 1, 1])
}

/** One group's convolution and its gradients; `w` tells the kernels how to slide. */
interface Sliding {
  readonly strides: Pair
  readonly pad: 'same' | 'valid'
  readonly dilations: Pair
}

const shared = { dataFormat: 'NHWC', dimRoundingMode: undefined }

interface Kernels {
  forward(c: Call, x: TfTensor, filter: TfTensor, s: Sliding): TfTensor
  input(c: Call, dy: TfTensor, filter: TfTensor, s: Sliding, inputShape: readonly number[]): TfTensor
  filter(c: Call, x: TfTensor, dy: TfTensor, s: Sliding, filterShape: readonly number[]): TfTensor
}

const dense: Kernels = {
  forward: (c, x, filter, s) => c.run('Conv2D', { x, filter }, { ...s, ...shared }),
  input: (c, dy, filter, s, inputShape) =>
    c.run('Conv2DBackpropInput', { dy, filter }, { ...s, ...shared, inputShape }),
  filter: (c, x, dy, s, filterShape) => c.run('Conv2DBackpropFilter', { x, dy }, { ...s, ...shared, filterShape }),
}

const depthwise: Kernels = {
  forward: (c, x, filter, s) => c.run('DepthwiseConv2dNative', { x, filter }, { ...s, dimRoundingMode: undefined }),
  input: (c, dy, filter, s, inputShape) =>
    c.run('DepthwiseConv2dNativeBackpropInput', { dy, filter }, { ...s, dimRoundingMode: undefined, inputShape }),
  filter: (c, x, dy, s, filterShape) =>
    c.run('DepthwiseConv2dNativeBackpropFilter', { x, dy }, { ...s, dimRoundingMode: undefined, filterShape }),
}

/** How a convolution is cut: all at once, one channel at a time in one kernel, or group by group. */
interface Plan {
  readonly window: Window
  readonly kernels: Kernels
  readonly groups: number
  /** The filter as the kernels want it, zeros between its elements where it is dilated. */
  readonly shape: readonly [number, number, number, number]
}

function planOf(window: Window, inputs: number, outputs: number): Plan {
  const { group, kernel, strides, dilations } = window
  const height = spreadSize(kernel[0], dilations[0])
  const width = spreadSize(kernel[1], dilations[1])
  // TensorFlow's depthwise kernels have one stride for both axes.
  if (group > 1 && group === inputs && strides[0] === strides[1]) {
    return { window, kernels: depthwise, groups: 1, shape: [height, width, inputs, outputs / inputs] }
  }
  return { window, kernels: dense, groups: group, shape: [height, width, inputs / group, outputs / group] }
}

const slidingOf = (plan: Plan): Sliding => ({
  strides: plan.window.strides,
  pad: isSame(plan.window) ? 'same' : 'valid',
  dilations: [1, 1],
})

/** The filter of each group, in the kernels' form. */
function filtersOf(c: Call, { kernels, groups, shape, window }: Plan, w: Value): TfTensor[] {
  const filter = spread(c, filterOf(c, w), window.dilations)
  if (kernels === depthwise) return [c.reshape(filter, shape)]
  return cut(c, filter, groups, 3)
}

const cut = (c: Call, x: TfTensor, groups: number, axis: number): TfTensor[] => {
  if (groups === 1) return [x]
  const sizes = Array<number>(groups).fill((x.shape[axis] as number) / groups)
  return c.tf.kernel('SplitV', { x }, { numOrSizeSplits: sizes, axis })
}

const joined = (c: Call, parts: readonly TfTensor[], axis: number): TfTensor =>
  parts.length === 1 ? (parts[0] as TfTensor) : c.run('Concat', parts, { axis })

function conv(c: Call): Value {
  const [x, w, bias] = [c.value(0), c.value(1), c.optional(2)]
  const window = windowOf(c, x.dims, w.dims.slice(2))
  const plan = planOf(window, x.dims[1] as number, w.dims[0] as number)
  const sliding = slidingOf(plan)
  const source = sliding.pad === 'same' ? image(c, x) : framed(c, image(c, x), frameOf(window))
  const xs = cut(c, source, plan.groups, 3)
  const filters = filtersOf(c, plan, w)
  const y = joined(
    c,
    xs.map((part, i) => plan.kernels.forward(c, part, filters[i] as TfTensor, sliding)),
    3,
  )
  return fromImage(c, bias ? add(c, y, bias.plain()) : y, x.rank)
}

/** dX of Conv: dY, W, X → dX. */
function convInputGrad(c: Call): Value {
  const [dy, w, x] = [c.value(0), c.value(1), c.value(2)]
  return inputGrad(c, dy, w, x.dims)
}

function inputGrad(c: Call, dy: Value, w: Value, dims: readonly number[]): Value {
  const window = windowOf(c, dims, w.dims.slice(2), dy.dims)
  const plan = planOf(window, dims[1] as number, w.dims[0] as number)
  const sliding = slidingOf(plan)
  const frame = sliding.pad === 'same' ? { before: [0, 0] as const, after: [0, 0] as const } : frameOf(window)
  const [h, width] = window.input
  const shape = [
    dims[0] as number,
    h + frame.before[0] + frame.after[0],
    width + frame.before[1] + frame.after[1],
    (dims[1] as number) / plan.groups,
  ]
  const filters = filtersOf(c, plan, w)
  const parts = cut(c, image(c, dy), plan.groups, 3).map((part, i) =>
    plan.kernels.input(c, part, filters[i] as TfTensor, sliding, shape),
  )
  return fromImage(c, unframed(c, joined(c, parts, 3), frame, window.input), dims.length)
}

/** dW of Conv: dY, X, W → dW. */
function convFilterGrad(c: Call): Value {
  const [dy, x, w] = [c.value(0), c.value(1), c.value(2)]
  const window = windowOf(c, x.dims, w.dims.slice(2), dy.dims)
  const plan = planOf(window, x.dims[1] as number, w.dims[0] as number)
  const sliding = slidingOf(plan)
  const source = sliding.pad === 'same' ? image(c, x) : framed(c, image(c, x), frameOf(window))
  const dys = cut(c, image(c, dy), plan.groups, 3)
  const parts = cut(c, source, plan.groups, 3).map((part, i) =>
    plan.kernels.filter(c, part, dys[i] as TfTensor, sliding, plan.shape),
  )
  const [kh, kw] = window.kernel
  const wide = joined(c, parts, 3)
  const filter = gathered(c, wide, window.kernel, window.dilations)
  const flat = plan.kernels === depthwise ? c.reshape(filter, [kh, kw, 1, w.dims[0] as number]) : filter
  return weightOf(c, flat, w.dims)
}

/** The input gradient of the convolution that has this output as its input; W is [in, out / group, …]. */
function convTranspose(c: Call): Value {
  const [x, w, bias] = [c.value(0), c.value(1), c.optional(2)]
  const kernel = w.dims.slice(2)
  const ones = kernel.map(() => 1)
  const [strides, dilations] = [c.numbers('strides') ?? ones, c.numbers('dilations') ?? ones]
  const pads = c.numbers('pads') ?? [...ones, ...ones].map(() => 0)
  const extra = c.numbers('output_padding') ?? ones.map(() => 0)
  if (c.text('auto_pad', 'NOTSET') !== 'NOTSET' || c.numbers('output_shape')) {
    c.fail('ConvTranspose with auto_pad or output_shape is not supported on TensorFlow')
  }
  const sizes = kernel.map((k, i) => {
    const reach = ((x.dims[i + 2] as number) - 1) * (strides[i] as number) + spreadSize(k, dilations[i] as number)
    return reach + (extra[i] as number) - (pads[i] as number) - (pads[i + kernel.length] as number)
  })
  const channels = (w.dims[1] as number) * c.number('group', 1)
  const y = inputGrad(c, x, w, [x.dims[0] as number, channels, ...sizes])
  return bias ? c.last(add(c, y.last(), bias.plain())) : y
}

export const convolutions: Functions = { Conv: conv, ConvTranspose: convTranspose }
export const convolutionGradients: Functions = { ConvInputGrad: convInputGrad, ConvFilterGrad: convFilterGrad }
