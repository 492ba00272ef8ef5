import type { Call, Functions } from '../call.ts'
import type { TfTensor } from '../tensorflow.ts'
import type { Value } from '../value.ts'
import { mul } from './elementwise.ts'
import { framed, frameOf, fromImage, image, unframed, windowOf, type Frame, type Pair, type Window } from './windows.ts'

/*
 * TensorFlow's pools know no padding but SAME, so images are padded beforehand: with what no maximum is, and with
 * zeros for averages, which are then corrected for what ONNX does not count.
 */

/** Less than any float32; minus infinity itself would give NaN under a gradient of zero. */
const LOWEST = -3.4028234663852886e38

const slidingOf = ({ kernel, strides }: Window) => ({
  filterSize: kernel,
  strides,
  pad: 'valid',
  dimRoundingMode: undefined,
})

function windowOfPool(c: Call, x: Value, y?: Value): Window {
  const window = windowOf(c, x.dims, c.numbers('kernel_shape') ?? c.fail('"kernel_shape" is missing'), y?.dims)
  if (window.dilations.some((d) => d !== 1)) c.fail('TensorFlow.js has no dilated pools')
  return window
}

function maxPool(c: Call): Value {
  const x = c.value(0)
  const window = windowOfPool(c, x)
  const padded = framed(c, image(c, x), frameOf(window), LOWEST)
  return fromImage(c, c.run('MaxPool', { x: padded }, slidingOf(window)), x.rank)
}

/** dX of MaxPool: dY, X, Y → dX. */
function maxPoolGrad(c: Call): Value {
  const [dy, x, y] = [c.value(0), c.value(1), c.value(2)]
  const window = windowOfPool(c, x, dy)
  const frame = frameOf(window)
  const inputs = { dy: image(c, dy), input: framed(c, image(c, x), frame, LOWEST), output: image(c, y) }
  return fromImage(c, unframed(c, c.run('MaxPoolGrad', inputs, slidingOf(window)), frame, window.input), x.rank)
}

/** Factor of each output from the mean over its whole window to that over what ONNX counts; undefined where it is one. */
function corrections(c: Call, window: Window, frame: Frame): TfTensor | undefined {
  const counts = [0, 1].map((i) => countsAlong(window, i, c.number('count_include_pad', 0) !== 0)) as [
    number[],
    number[],
  ]
  const whole = window.kernel[0] * window.kernel[1]
  const factors = counts[0].flatMap((a) => counts[1].map((b) => whole / Math.max(1, a * b)))
  if ([...frame.before, ...frame.after].every((p) => p === 0) || factors.every((f) => f === 1)) return undefined
  return c.tf.tensor(Float32Array.from(factors), [1, ...window.output, 1], 'float32')
}

/** How many elements each window holds along one axis; those beyond the padding that was asked for never count. */
function countsAlong(
  { kernel, strides, before, after, input, output }: Window,
  i: number,
  withPads: boolean,
): number[] {
  const [low, high] = withPads
    ? [-(before[i] as number), (input[i] as number) + (after[i] as number)]
    : [0, input[i] as number]
  return Array.from({ length: output[i] as number }, (_, o) => {
    const from = o * (strides[i] as number) - (before[i] as number)
    return Math.min(high, from + (kernel[i] as number)) - Math.max(low, from)
  })
}

function averagePool(c: Call): Value {
  const x = c.value(0)
  const window = windowOfPool(c, x)
  const frame = frameOf(window)
  const mean = c.run('AvgPool', { x: framed(c, image(c, x), frame) }, slidingOf(window))
  const factor = corrections(c, window, frame)
  return fromImage(c, factor ? mul(c, mean, factor) : mean, x.rank)
}

/** dX of AveragePool: dY, X → dX. */
function averagePoolGrad(c: Call): Value {
  const [dy, x] = [c.value(0), c.value(1)]
  const window = windowOfPool(c, x, dy)
  const frame = frameOf(window)
  const factor = corrections(c, window, frame)
  const scaled = factor ? mul(c, image(c, dy), factor) : image(c, dy)
  const [h, w] = window.input
  const size: Pair = [h + frame.before[0] + frame.after[0], w + frame.before[1] + frame.after[1]]
  // Only the shape of the input is read.
  const input = framed(c, image(c, x), frame)
  if (input.shape[1] !== size[0]) c.fail('the frame does not fit')
  return fromImage(
    c,
    unframed(c, c.run('AvgPoolGrad', { dy: scaled, input }, slidingOf(window)), frame, window.input),
    x.rank,
  )
}

export const pools: Functions = { AveragePool: averagePool, MaxPool: maxPool }
export const poolGradients: Functions = { AveragePoolGrad: averagePoolGrad, MaxPoolGrad: maxPoolGrad }
