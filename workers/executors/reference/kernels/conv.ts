import { addBias, convolve, convolveFilterGrad, convolveInputGrad, type Convolution } from '../convolution.ts'
import type { Call, Kernels } from '../call.ts'
import { sizeOf } from '../iterate.ts'
import { floatArray, floats, fromNumbers, numbers, type NdArray } from '../value.ts'
import { geometryOf, paddingOf, type Geometry } from '../windows.ts'

/** The sizes of a Conv node over given tensors, checked against each other. */
export function convolutionOf(call: Call, x: NdArray, w: NdArray): Convolution {
  const group = call.number('group', 1)
  const [batch, inputs] = [x.dims[0] as number, x.dims[1] as number]
  const outputs = w.dims[0] as number
  if (inputs % group !== 0) call.fail(`group=${group} does not divide ${inputs} input channels`)
  if (outputs % group !== 0) call.fail(`group=${group} does not divide ${outputs} output channels`)
  if (w.dims[1] !== inputs / group) {
    call.fail('the weight does not fit the input channels', {
      expected: `${inputs / group} channels per group`,
      found: `weight [${w.dims.join(',')}]`,
    })
  }
  return { geometry: geometryOf(call, x.dims.slice(2), w.dims.slice(2)), batch, group, inputs, outputs }
}

/** Convolution of numbers that may come from any dtype; dims [N, M, output…]. */
export function convolved(
  call: Call,
  x: NdArray,
  w: NdArray,
  xs: Float64Array,
  ws: Float64Array,
): { dims: number[]; data: Float64Array } {
  const c = convolutionOf(call, x, w)
  return { dims: [c.batch, c.outputs, ...c.geometry.output], data: convolve(xs, ws, c) }
}

export function conv(call: Call): NdArray {
  const [x, w, bias] = [call.input(0), call.input(1), call.optional(2)]
  const { dims, data } = convolved(call, x, w, floats(x), floats(w))
  return floatArray(x.dtype, dims, bias ? addBias(data, floats(bias), sizeOf(dims.slice(2))) : data)
}

/** Zero-point-subtracted numbers; `axis` says where a vector of zero points runs. */
export function centred(x: NdArray, zeroPoint: NdArray | undefined, axis: number): Float64Array {
  const out = Float64Array.from(numbers(x))
  if (!zeroPoint) return out
  const zeros = numbers(zeroPoint)
  const inner = sizeOf(x.dims.slice(axis + 1))
  for (let i = 0; i < out.length; i++) {
    out[i] = (out[i] as number) - (zeros[zeros.length === 1 ? 0 : Math.floor(i / inner) % zeros.length] as number)
  }
  return out
}

function convInteger(call: Call): NdArray {
  const [x, w] = [call.input(0), call.input(1)]
  const { dims, data } = convolved(call, x, w, centred(x, call.optional(2), 1), centred(w, call.optional(3), 0))
  return fromNumbers('i32', dims, data)
}

/** Output sizes and pads of ConvTranspose: `output_shape` decides the pads, else the pads the sizes. */
function transposedGeometry(call: Call, small: readonly number[], kernel: readonly number[]): Geometry {
  const rank = small.length
  const ones = small.map(() => 1)
  const strides = call.numbers('strides') ?? ones
  const dilations = call.numbers('dilations') ?? ones
  const extra = call.numbers('output_padding') ?? small.map(() => 0)
  const full = small.map(
    (size, d) =>
      (strides[d] as number) * (size - 1) +
      (extra[d] as number) +
      ((kernel[d] as number) - 1) * (dilations[d] as number) +
      1,
  )
  const auto = call.text('auto_pad', 'NOTSET')
  const same = auto === 'SAME_UPPER' || auto === 'SAME_LOWER'
  const given = call.numbers('output_shape')?.slice(-rank)
  const wanted = given ?? (same ? small.map((size, d) => size * (strides[d] as number)) : undefined)
  if (!wanted) {
    const { padBegin, padEnd } = paddingOf(call, small, kernel, strides)
    const input = full.map((size, d) => size - (padBegin[d] as number) - (padEnd[d] as number))
    return { input, output: small, kernel, strides, dilations, padBegin, padEnd }
  }
  const total = full.map((size, d) => Math.max(0, size - (wanted[d] as number)))
  const less = total.map((t) => Math.floor(t / 2))
  const more = total.map((t, d) => t - (less[d] as number))
  const upper = auto === 'SAME_UPPER'
  return {
    input: wanted,
    output: small,
    kernel,
    strides,
    dilations,
    padBegin: upper ? less : more,
    padEnd: upper ? more : less,
  }
}

/** The gradient of a convolution by its input: what is x here is that convolution's output. */
function convTranspose(call: Call): NdArray {
  const [x, w, bias] = [call.input(0), call.input(1), call.optional(2)]
  const group = call.number('group', 1)
  const geometry = transposedGeometry(call, x.dims.slice(2), w.dims.slice(2))
  const batch = x.dims[0] as number
  const channels = (w.dims[1] as number) * group
  const c = { geometry, batch, group, inputs: channels, outputs: x.dims[1] as number }
  const y = convolveInputGrad(floats(x), floats(w), c)
  const dims = [batch, channels, ...geometry.input]
  return floatArray(x.dtype, dims, bias ? addBias(y, floats(bias), sizeOf(geometry.input)) : y)
}

/** dX of Conv from dY, W and X, of which only the shape matters. */
export function convInputGrad(call: Call): NdArray {
  const [dy, w, x] = [call.input(0), call.input(1), call.input(2)]
  return floatArray(x.dtype, x.dims, convolveInputGrad(floats(dy), floats(w), convolutionOf(call, x, w)))
}

/** dW of Conv from dY, X and W, of which only the shape matters. */
export function convFilterGrad(call: Call): NdArray {
  const [dy, x, w] = [call.input(0), call.input(1), call.input(2)]
  return floatArray(w.dtype, w.dims, convolveFilterGrad(floats(dy), floats(x), convolutionOf(call, x, w)))
}

export const convolutions: Kernels = { Conv: conv, ConvInteger: convInteger, ConvTranspose: convTranspose }
