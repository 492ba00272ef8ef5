import { mapBinary, mapUnary } from '../map.ts'
import type { Call, Kernel, Kernels } from '../call.ts'
import { gelu, geluTanh, sigmoid, softplus } from '../special.ts'
import { around, normalizeAxis } from '../iterate.ts'
import { array, floats, type NdArray } from '../value.ts'

type Scalar = (x: number, alpha: number, beta: number) => number
/** A function with the names and defaults of its attributes. */
type Row = readonly [Scalar, (readonly [string, number])?, (readonly [string, number])?]

/** SELU's constants, Klambauer et al. 2017, arXiv:1706.02515. */
const SELU_ALPHA = 1.6732632423543772
const SELU_GAMMA = 1.0507009873554805

/**
 * Activations of one number and at most two attributes, with the attributes' defaults. The recurrent operators and
 * the fused ones take them from here by name.
 */
export const scalarActivations: Readonly<Record<string, Row>> = {
  Relu: [(x) => (x < 0 ? 0 : x)],
  LeakyRelu: [(x, alpha) => (x < 0 ? alpha * x : x), ['alpha', 0.01]],
  ThresholdedRelu: [(x, alpha) => (x > alpha ? x : 0), ['alpha', 1]],
  Elu: [(x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x), ['alpha', 1]],
  Selu: [
    (x, alpha, gamma) => gamma * (x < 0 ? alpha * Math.expm1(x) : x),
    ['alpha', SELU_ALPHA],
    ['gamma', SELU_GAMMA],
  ],
  Celu: [(x, alpha) => Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha)), ['alpha', 1]],
  Sigmoid: [sigmoid],
  HardSigmoid: [(x, alpha, beta) => Math.max(0, Math.min(1, alpha * x + beta)), ['alpha', 0.2], ['beta', 0.5]],
  HardSwish: [(x) => x * Math.max(0, Math.min(1, x / 6 + 0.5))],
  Softplus: [softplus],
  Softsign: [(x) => x / (1 + Math.abs(x))],
  Tanh: [Math.tanh],
  ScaledTanh: [(x, alpha, beta) => alpha * Math.tanh(beta * x), ['alpha', 1], ['beta', 1]],
  Affine: [(x, alpha, beta) => alpha * x + beta, ['alpha', 1], ['beta', 0]],
  Mish: [(x) => x * Math.tanh(softplus(x))],
  Swish: [(x, alpha) => x * sigmoid(alpha * x), ['alpha', 1]],
  Shrink: [(x, bias, lambd) => (x < -lambd ? x + bias : x > lambd ? x - bias : 0), ['bias', 0], ['lambd', 0.5]],
}

const kernelOfRow =
  ([f, first, second]: Row): Kernel =>
  (call) => {
    const alpha = first ? call.number(first[0], first[1]) : 0
    const beta = second ? call.number(second[0], second[1]) : 0
    return mapUnary(
      call.input(0),
      (x) => f(x, alpha, beta),
      (x) => BigInt(f(Number(x), alpha, beta)),
    )
  }

const rowOf = (name: string): Row | undefined =>
  Object.entries(scalarActivations).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]

/** How many attributes an activation has; 0 for an unknown one. */
export const parameterCount = (name: string): number => (rowOf(name)?.length ?? 1) - 1

/** An activation by name with given attributes, as recurrent and fused operators name them; undefined if unknown. */
export function activationOf(name: string, alpha?: number, beta?: number): ((x: number) => number) | undefined {
  const row = rowOf(name)
  if (!row) return undefined
  const [f, first, second] = row
  const a: number = alpha ?? first?.[1] ?? 0
  const b: number = beta ?? second?.[1] ?? 0
  return (x) => f(x, a, b)
}

/** Opset 7 and 8 broadcast the slope to the input; the slope may also be one per channel. */
function pRelu(call: Call): NdArray {
  const x = call.input(0)
  const given = call.input(1)
  const channels = x.dims[1]
  // Before opset 7 a slope of rank 1 was one per channel.
  const slope =
    call.opset < 7 && given.dims.length === 1 && given.dims[0] === channels
      ? array(given.dtype, [given.data.length, ...x.dims.slice(2).map(() => 1)], given.data)
      : given
  return mapBinary(
    x,
    slope,
    (v, s) => (v < 0 ? v * s : v),
    (v, s) => (v < 0n ? v * s : v),
  )
}

/** The axes from which an operator works: one axis since opset 13, all from `axis` on (flattened) before. */
export function softmaxAxis(call: Call, x: NdArray): { outer: number; size: number; inner: number } {
  const axis = normalizeAxis(call.number('axis', call.opset >= 13 ? -1 : 1), x.dims.length)
  const { outer, size, inner } = around(x.dims, axis)
  return call.opset >= 13 ? { outer, size, inner } : { outer, size: size * inner, inner: 1 }
}

/** Runs a function over every line along an axis, in place, on a copy of the elements. */
function alongLines(
  call: Call,
  onLine: (data: Float64Array, start: number, step: number, size: number) => void,
): NdArray {
  const x = call.input(0)
  const { outer, size, inner } = softmaxAxis(call, x)
  const data = floats(x).slice()
  for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) onLine(data, o * size * inner + i, inner, size)
  return array(x.dtype, x.dims, data)
}

/** log Σ exp of a line, stable (METHODS: z - max - log Σ exp(z - max)). */
export function logSumExp(data: ArrayLike<number>, start: number, step: number, size: number): number {
  let largest = -Infinity
  for (let k = 0; k < size; k++) largest = Math.max(largest, data[start + k * step] as number)
  if (!Number.isFinite(largest)) return largest
  let sum = 0
  for (let k = 0; k < size; k++) sum += Math.exp((data[start + k * step] as number) - largest)
  return largest + Math.log(sum)
}

function logSoftmaxLine(data: Float64Array, start: number, step: number, size: number): void {
  const total = logSumExp(data, start, step, size)
  for (let k = 0; k < size; k++) data[start + k * step] = (data[start + k * step] as number) - total
}

function softmaxLine(data: Float64Array, start: number, step: number, size: number): void {
  let largest = -Infinity
  for (let k = 0; k < size; k++) largest = Math.max(largest, data[start + k * step] as number)
  let sum = 0
  for (let k = 0; k < size; k++) {
    const e = Math.exp((data[start + k * step] as number) - largest)
    data[start + k * step] = e
    sum += e
  }
  for (let k = 0; k < size; k++) data[start + k * step] = (data[start + k * step] as number) / sum
}

/** 1 at the first maximum, 0 elsewhere. */
function hardmaxLine(data: Float64Array, start: number, step: number, size: number): void {
  let best = 0
  for (let k = 1; k < size; k++) {
    if ((data[start + k * step] as number) > (data[start + best * step] as number)) best = k
  }
  for (let k = 0; k < size; k++) data[start + k * step] = k === best ? 1 : 0
}

export const softmaxLast = (x: NdArray): NdArray => {
  const size = x.dims.at(-1) ?? 1
  const data = floats(x).slice()
  for (let start = 0; start < data.length; start += size) softmaxLine(data, start, 1, size)
  return array(x.dtype, x.dims, data)
}

export const activations: Kernels = {
  ...Object.fromEntries(
    Object.entries(scalarActivations)
      .filter(([name]) => name !== 'Affine' && name !== 'ScaledTanh')
      .map(([name, row]) => [name, kernelOfRow(row)]),
  ),
  Gelu: (call) => mapUnary(call.input(0), call.text('approximate', 'none') === 'tanh' ? geluTanh : gelu),
  PRelu: pRelu,
  // SwiGLU(gate, x) = Swish(gate) · x, Shazeer 2020, arXiv:2002.05202.
  SwiGLU: (call) => {
    const alpha = call.number('alpha', 1)
    return mapBinary(call.input(0), call.input(1), (gate, x) => gate * sigmoid(alpha * gate) * x)
  },
  Softmax: (call) => alongLines(call, softmaxLine),
  LogSoftmax: (call) => alongLines(call, logSoftmaxLine),
  Hardmax: (call) => alongLines(call, hardmaxLine),
}
