import type { Executor } from '../executor.ts'
import type { Call, Kernels } from './call.ts'
import { ReferenceProgram } from './executor.ts'
import { convolutionOf } from './kernels/conv.ts'
import { sizeOf } from './iterate.ts'
import { fromNumbers, numbers, type NdArray } from './value.ts'

/*
 * Integer products as processors with AVX2 but no VNNI compute them: two neighbouring products of a uint8 and an int8
 * are added in a 16-bit integer that saturates (Intel SDM, VPMADDUBSW), which 255·127·2 does not fit. Zero points are
 * taken off afterwards, and padding has the code of zero. Depthwise and grouped convolutions have kernels of their own
 * that do not saturate.
 */

/** What vpmaddubsw does to two products. */
const saturate16 = (sum: number): number => (sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum)

/** Σ a·w as it is, and with every pair of products clamped to 16 bits. */
export function pairedSums(a: ArrayLike<number>, w: ArrayLike<number>): { exact: number; saturated: number } {
  let [exact, saturated] = [0, 0]
  for (let k = 0; k < a.length; k += 2) {
    const pair = (a[k] as number) * (w[k] as number) + (a[k + 1] ?? 0) * (w[k + 1] ?? 0)
    exact += pair
    saturated += saturate16(pair)
  }
  return { exact, saturated }
}

/** The second of these alone, of `length` terms that begin somewhere: the inner loop. */
function saturated(a: Int32Array, w: Int32Array, from: number, length: number): number {
  let sum = 0
  const even = length - (length % 2)
  for (let k = 0; k < even; k += 2) {
    sum += saturate16((a[k] as number) * (w[from + k] as number) + (a[k + 1] as number) * (w[from + k + 1] as number))
  }
  return even === length ? sum : sum + saturate16((a[even] as number) * (w[from + even] as number))
}

const codesOf = (x: NdArray): Int32Array => Int32Array.from(numbers(x))
const zeroOf = (call: Call): number => {
  const zero = call.optional(2)
  return zero ? (numbers(zero)[0] ?? 0) : 0
}

/** Σ of each row. */
const rowSums = (w: Int32Array, rows: number, columns: number): Float64Array =>
  Float64Array.from({ length: rows }, (_, r) => w.subarray(r * columns, (r + 1) * columns).reduce((s, v) => s + v, 0))

function convInteger(call: Call, exact: (call: Call) => NdArray): NdArray {
  const [x, w] = [call.input(0), call.input(1)]
  const c = convolutionOf(call, x, w)
  if (c.group > 1 || c.geometry.kernel.length !== 2) return exact(call)
  const { input, output, kernel, strides, dilations, padBegin } = c.geometry
  const zero = zeroOf(call)
  const codes = codesOf(x)
  const at = (list: readonly number[], i: number) => list[i] as number
  const [taps, inPlane, outPlane] = [sizeOf(kernel), sizeOf(input), sizeOf(output)]
  const columns = c.inputs * taps
  // Channels innermost, as kernels multiply.
  const real = codesOf(w)
  const rows = Int32Array.from(real, (_, i) => {
    const [o, k] = [Math.floor(i / columns), i % columns]
    return real[o * columns + (k % c.inputs) * taps + Math.floor(k / c.inputs)] as number
  })
  const offsets = rowSums(rows, c.outputs, columns).map((sum) => sum * zero)
  const patch = new Int32Array(columns)
  const data = new Float64Array(c.batch * c.outputs * outPlane)
  for (let n = 0; n < c.batch; n++) {
    for (let place = 0; place < outPlane; place++) {
      const [oy, ox] = [Math.floor(place / at(output, 1)), place % at(output, 1)]
      for (let tap = 0; tap < taps; tap++) {
        const [ky, kx] = [Math.floor(tap / at(kernel, 1)), tap % at(kernel, 1)]
        const y = oy * at(strides, 0) + ky * at(dilations, 0) - at(padBegin, 0)
        const z = ox * at(strides, 1) + kx * at(dilations, 1) - at(padBegin, 1)
        const isInside = y >= 0 && y < at(input, 0) && z >= 0 && z < at(input, 1)
        const base = n * c.inputs * inPlane + y * at(input, 1) + z
        for (let i = 0; i < c.inputs; i++) {
          patch[tap * c.inputs + i] = isInside ? (codes[base + i * inPlane] as number) : zero
        }
      }
      for (let o = 0; o < c.outputs; o++) {
        const sum = saturated(patch, rows, o * columns, columns)
        data[(n * c.outputs + o) * outPlane + place] = sum - (offsets[o] as number)
      }
    }
  }
  return fromNumbers('i32', [c.batch, c.outputs, ...output], data)
}

/** The second operand is a matrix, the first one any stack of rows. */
function matMulInteger(call: Call, exact: (call: Call) => NdArray): NdArray {
  const [a, b] = [call.input(0), call.input(1)]
  if (b.dims.length !== 2) return exact(call)
  const [terms = 1, columns = 1] = b.dims
  const [codes, weights, zero] = [codesOf(a), codesOf(b), zeroOf(call)]
  const turned = Int32Array.from(weights, (_, i) => weights[(i % terms) * columns + Math.floor(i / terms)] as number)
  const offsets = rowSums(turned, columns, terms).map((sum) => sum * zero)
  const rows = codes.length / terms
  const data = new Float64Array(rows * columns)
  for (let r = 0; r < rows; r++) {
    const row = codes.subarray(r * terms, (r + 1) * terms)
    for (let o = 0; o < columns; o++) {
      data[r * columns + o] = saturated(row, turned, o * terms, terms) - (offsets[o] as number)
    }
  }
  return fromNumbers('i32', [...a.dims.slice(0, -1), columns], data)
}

/** Other definitions of the integer products, for uint8 by int8; other types are computed as ever. */
const saturating = (standard: Kernels): Kernels => {
  const isMixed = (call: Call) => call.input(0).dtype === 'u8' && call.input(1).dtype === 'i8'
  const own = { ConvInteger: convInteger, MatMulInteger: matMulInteger }
  return Object.fromEntries(
    Object.entries(own).map(([op, kernel]) => {
      const exact = (call: Call) => standard[op]?.(call) as NdArray
      return [op, (call: Call) => (isMixed(call) ? kernel(call, exact) : exact(call))]
    }),
  )
}

/** The reference executor as a processor with AVX2 but no VNNI would compute ConvInteger and MatMulInteger. */
export const saturatingExecutor: Executor = {
  id: 'reference',
  runtime: `plain TypeScript with saturating pairs, Node ${process.versions.node}`,
  compile: async (graph, options) => new ReferenceProgram(graph, options, { kernels: saturating }),
}
