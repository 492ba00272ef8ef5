import { sizeOf } from '../../../graph/tensor.ts'
import { mapBinary, mapUnary } from '../map.ts'
import type { Call, Kernel, Kernels } from '../call.ts'
import { broadcastTo, concat, transpose } from '../iterate.ts'
import { gelu, geluTanh, sigmoid } from '../special.ts'
import { floatArray, floats, integers, numbers, roundStored, type NdArray } from '../value.ts'
import { activationOf, activations } from './activations.ts'
import { centred, conv } from './conv.ts'
import { gather } from './indexing.ts'
import { addLast, gemm, matMul, multiply } from './matmul.ts'
import { normalizeRows } from './normalization.ts'
import { pools } from './pool.ts'
import { dequantized, dynamicQuantize, requantize, scaledProduct } from './quantize.ts'

/** Operators of onnxruntime's domain `com.microsoft`; source: ContribOperators.md of onnxruntime. */

const plus = (a: NdArray, b: NdArray | undefined): NdArray => (b ? mapBinary(a, b, (x, y) => x + y) : a)

/** The activation that a fused operator names, with its parameters in the order of its attributes. */
function fusedActivation(call: Call, y: NdArray, parameters: readonly number[]): NdArray {
  const name = call.text('activation', '')
  if (name === '') return y
  if (name === 'Clip')
    return mapUnary(y, (v) => Math.min(parameters[1] ?? Infinity, Math.max(parameters[0] ?? -Infinity, v)))
  const f = activationOf(name, parameters[0], parameters[1]) ?? call.fail(`has no activation "${name}"`)
  return mapUnary(y, f)
}

function fusedMatMul(call: Call): NdArray {
  const flip = (x: NdArray, attribute: string) => {
    const rank = x.dims.length
    if (!call.flag(attribute) || rank < 2) return x
    return transpose(
      x,
      [...x.dims.keys()].map((d) => (d === rank - 1 ? rank - 2 : d === rank - 2 ? rank - 1 : d)),
    )
  }
  /** Moves the first axis to the last but one: the batch of a transposed attention. */
  const unbatch = (x: NdArray, attribute: string) => {
    const rank = x.dims.length
    if (!call.flag(attribute) || rank < 3) return x
    return transpose(x, [...Array.from({ length: rank - 2 }, (_, d) => d + 1), 0, rank - 1])
  }
  const a = flip(unbatch(call.input(0), 'transBatchA'), 'transA')
  const b = flip(unbatch(call.input(1), 'transBatchB'), 'transB')
  const alpha = call.number('alpha', 1)
  return mapUnary(matMul(a, b, call), (v) => alpha * v)
}

/** Quantized inputs (x, scale, zero point) and output (scale, zero point) around a real function. */
const qLinearUnary =
  (kernel: Kernel): Kernel =>
  (call) => {
    const x = call.input(0)
    const real = floatArray('f32', x.dims, dequantized(x, call.input(1), call.optional(2)))
    const y = kernel(call.with({ values: [real] }))
    const tensor = roundStored(('kind' in y ? y : y[0]) as NdArray)
    return requantize(floats(tensor), tensor.dims, call.input(3), call.optional(4) ?? x)
  }

const qLinearBinary =
  (f: (a: number, b: number) => number): Kernel =>
  (call) => {
    const real = (i: number) =>
      floatArray('f32', call.input(i).dims, dequantized(call.input(i), call.input(i + 1), call.optional(i + 2)))
    const y = roundStored(mapBinary(real(0), real(3), f))
    return requantize(floats(y), y.dims, call.input(6), call.optional(7))
  }

function qLinearConcat(call: Call): NdArray {
  const parts: NdArray[] = []
  for (let i = 2; i < call.values.length; i += 3) {
    const x = call.input(i)
    parts.push(floatArray('f64', x.dims, dequantized(x, call.input(i + 1), call.optional(i + 2))))
  }
  const y = concat(parts, call.number('axis', 0))
  return requantize(floats(y), y.dims, call.input(0), call.optional(1))
}

/** Channels last means NHWC, which comes back as it went in. */
const globalAverage: Kernel = (call) => {
  const x = call.input(0)
  const pool = pools['GlobalAveragePool'] as Kernel
  if (!call.flag('channels_last')) return pool(call)
  const last = x.dims.length - 1
  const axes = Array.from({ length: last - 1 }, (_, i) => i + 1)
  const y = pool(call.with({ values: [transpose(x, [0, last, ...axes])] })) as NdArray
  return transpose(y, [0, ...axes.map((a) => a + 1), 1])
}

/** A real times integers: A is quantized on the fly, or comes with its scale. */
function matMulIntegerToFloat(call: Call): NdArray {
  const [a, b] = [call.input(0), call.input(1)]
  return integerProduct(
    call,
    [a, call.input(2), call.optional(4)],
    [b, call.input(3), call.optional(5)],
    call.optional(6),
  )
}

function dynamicQuantizeMatMul(call: Call): NdArray {
  return integerProduct(
    call,
    dynamicQuantize(call.input(0)),
    [call.input(1), call.input(2), call.optional(3)],
    call.optional(4),
  )
}

type Quantized = readonly [x: NdArray, scale: NdArray, zeroPoint: NdArray | undefined]

function integerProduct(
  call: Call,
  [a, aScale, aZero]: Quantized,
  [b, bScale, bZero]: Quantized,
  bias: NdArray | undefined,
): NdArray {
  const left = centred(a, aZero, a.dims.length - 2)
  const right = centred(b, bZero, b.dims.length - 1)
  const { dims, data } = multiply(a.dims, left, b.dims, right, call)
  return addLast(floatArray('f32', dims, scaledProduct(dims, data, numbers(aScale), numbers(bScale))), bias)
}

/** Norm(input + skip + bias): outputs the norm, its statistics and the sum. */
const skipNormalization =
  (centre: boolean): Kernel =>
  (call) => {
    const [input, skip, gamma] = [call.input(0), call.input(1), call.input(2)]
    const [beta, bias] = centre ? [call.optional(3), call.optional(4)] : [undefined, call.optional(3)]
    const sum = plus(plus(input, broadcastTo(skip, input.dims)), bias)
    const width = sum.dims.at(-1) as number
    const { y, mean, inverse } = normalizeRows(sum, width, call.number('epsilon', 1e-12), centre, gamma, beta)
    const dims = [...sum.dims.slice(0, -1), 1]
    return [y, floatArray('f32', dims, mean), floatArray('f32', dims, inverse), sum]
  }

function simplifiedLayerNormalization(call: Call): NdArray[] {
  const x = call.input(0)
  const axis = call.number('axis', -1)
  const at = axis < 0 ? axis + x.dims.length : axis
  const width = sizeOf(x.dims.slice(at))
  const { y, inverse } = normalizeRows(x, width, call.number('epsilon', 1e-5), false, call.input(1))
  return [
    y,
    floatArray(
      'f32',
      x.dims.map((d, i) => (i < at ? d : 1)),
      inverse,
    ),
  ]
}

/** Word + position + segment embeddings, normalised: the front of BERT. */
function embedLayerNormalization(call: Call): (NdArray | undefined)[] {
  const [ids, segments, words, positions, segmentTable] = [
    call.input(0),
    call.optional(1),
    call.input(2),
    call.input(3),
    call.optional(4),
  ]
  const [batch, length] = ids.dims as [number, number]
  const given = call.optional(8)
  const positionIds = floatArray(
    'f64',
    [batch, length],
    Float64Array.from({ length: batch * length }, (_, i) => i % length),
  )
  const position = gather(positions, given ?? positionIds, 0, call)
  const withPosition = plus(
    gather(words, ids, 0, call),
    broadcastTo(position, [batch, length, position.dims.at(-1) as number]),
  )
  const sum = plus(withPosition, segments && segmentTable && gather(segmentTable, segments, 0, call))
  const { y } = normalizeRows(
    sum,
    sum.dims.at(-1) as number,
    call.number('epsilon', 1e-12),
    true,
    call.input(5),
    call.input(6),
  )
  const mask = call.optional(7)
  const counts = Float64Array.from({ length: batch }, (_, b) =>
    mask
      ? integers(mask)
          .slice(b * length, (b + 1) * length)
          .reduce((a, v) => a + v, 0)
      : 0,
  )
  return [y, { kind: 'tensor', dtype: 'i32', dims: [batch], data: Int32Array.from(counts) }, sum]
}

export const contrib: Kernels = {
  FusedConv: (call) => {
    const y = plus(conv(call.with({ values: call.values.slice(0, 3) })), call.optional(3))
    return fusedActivation(call, y, call.numbers('activation_params') ?? [])
  },
  FusedGemm: (call) => {
    const [alpha, beta] = [call.number('activation_alpha', undefined), call.number('activation_beta', undefined)]
    return fusedActivation(
      call,
      gemm(call),
      [alpha, beta].filter((v) => v !== undefined),
    )
  },
  FusedMatMul: fusedMatMul,
  TransposeMatMul: fusedMatMul,
  Gelu: (call) => mapUnary(call.input(0), gelu),
  BiasGelu: (call) => mapUnary(addLast(call.input(0), call.input(1)), gelu),
  FastGelu: (call) => mapUnary(addLast(call.input(0), call.optional(1)), geluTanh),
  QuickGelu: (call) => {
    const alpha = call.number('alpha', 1.702)
    return mapUnary(call.input(0), (x) => x * sigmoid(alpha * x))
  },
  SkipLayerNormalization: skipNormalization(true),
  SkipSimplifiedLayerNormalization: skipNormalization(false),
  SimplifiedLayerNormalization: simplifiedLayerNormalization,
  EmbedLayerNormalization: embedLayerNormalization,
  QLinearAdd: qLinearBinary((a, b) => a + b),
  QLinearMul: qLinearBinary((a, b) => a * b),
  QLinearConcat: qLinearConcat,
  QLinearSigmoid: qLinearUnary(activations['Sigmoid'] as Kernel),
  QLinearLeakyRelu: qLinearUnary(activations['LeakyRelu'] as Kernel),
  // `opset` says by which opset's rule the axes are taken.
  QLinearSoftmax: qLinearUnary((call) => {
    const opset = call.number('opset', 13)
    return (activations['Softmax'] as Kernel)(call.with({ opset }))
  }),
  QLinearGlobalAveragePool: qLinearUnary(globalAverage),
  QLinearAveragePool: qLinearUnary(pools['AveragePool'] as Kernel),
  MatMulIntegerToFloat: matMulIntegerToFloat,
  DynamicQuantizeMatMul: dynamicQuantizeMatMul,
}
