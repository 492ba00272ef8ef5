import { dtypeOf, type DType } from '../../../graph/dtype.ts'
import type { Call, Kernel, Kernels } from '../call.ts'
import { sizeOf } from '../iterate.ts'
import { allocate, array, fromNumbers, fromTensor, integers, isBig, numbers, type NdArray } from '../value.ts'

const dtypeAttribute = (call: Call, name: string, otherwise: DType): DType => dtypeOf(call.number(name, 0)) ?? otherwise

function constantOfShape(call: Call): NdArray {
  const dims = integers(call.input(0))
  const value = call.tensor('value')
  const source = value ? fromTensor(value) : array('f32', [], Float64Array.of(0))
  const data = allocate(source.dtype, sizeOf(dims))
  ;(data as unknown[]).fill(source.data[0])
  return array(source.dtype, dims, data)
}

/** start, start + delta … before limit. */
function range(call: Call): NdArray {
  const [start, limit, delta] = [call.input(0), call.input(1), call.input(2)]
  const [a, b, step] = [start, limit, delta].map((x) => numbers(x)[0] as number) as [number, number, number]
  const length = Math.max(0, Math.ceil((b - a) / step))
  const data = allocate(start.dtype, length)
  if (isBig(data)) {
    const [first, by] = [start.data[0] as bigint, delta.data[0] as bigint]
    for (let i = 0; i < length; i++) data[i] = first + BigInt(i) * by
    return array(start.dtype, [length], data)
  }
  return fromNumbers(
    start.dtype,
    [length],
    Float64Array.from({ length }, (_, i) => a + i * step),
  )
}

function eyeLike(call: Call): NdArray {
  const x = call.input(0)
  const [rows, columns] = x.dims as [number, number]
  const k = call.number('k', 0)
  const data = Float64Array.from({ length: rows * columns }, (_, i) =>
    (i % columns) - Math.floor(i / columns) === k ? 1 : 0,
  )
  return fromNumbers(dtypeAttribute(call, 'dtype', x.dtype), x.dims, data)
}

/** A window w(n) = Σ a_j cos(2πjn/N), N the size if `periodic`, else one less. */
const cosineWindow =
  (...coefficients: readonly number[]): Kernel =>
  (call) => {
    const size = integers(call.input(0))[0] as number
    const period = call.flag('periodic', true) ? size : size - 1
    const data = Float64Array.from({ length: size }, (_, n) =>
      coefficients.reduce((sum, a, j) => sum + a * Math.cos((2 * Math.PI * j * n) / period), 0),
    )
    return array(dtypeAttribute(call, 'output_datatype', 'f32'), [size], data)
  }

/** Triangular filters, equally spaced on the mel scale 2595·log₁₀(1 + f/700), over the bins of a DFT. */
function melWeightMatrix(call: Call): NdArray {
  const [bins, dftLength, sampleRate, low, high] = [0, 1, 2, 3, 4].map((i) => numbers(call.input(i))[0] as number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const toMel = (f: number) => 2595 * Math.log10(1 + f / 700)
  const toHertz = (mel: number) => 700 * (10 ** (mel / 2595) - 1)
  const step = (toMel(high) - toMel(low)) / (bins + 2)
  const edges = Array.from({ length: bins + 2 }, (_, i) =>
    Math.floor(((dftLength + 1) * toHertz(i * step + toMel(low))) / sampleRate),
  )
  const rows = Math.floor(dftLength / 2) + 1
  const out = new Float64Array(rows * bins)
  for (let m = 0; m < bins; m++) {
    const [left, centre, right] = edges.slice(m, m + 3) as [number, number, number]
    if (centre === left) out[centre * bins + m] = 1
    else for (let r = left; r <= centre; r++) out[r * bins + m] = (r - left) / (centre - left)
    if (right > centre) for (let r = centre; r < right; r++) out[r * bins + m] = (right - r) / (right - centre)
  }
  return array(dtypeAttribute(call, 'output_datatype', 'f32'), [rows, bins], out)
}

export const generators: Kernels = {
  ConstantOfShape: constantOfShape,
  Range: range,
  EyeLike: eyeLike,
  HannWindow: cosineWindow(0.5, -0.5),
  HammingWindow: cosineWindow(25 / 46, -21 / 46),
  BlackmanWindow: cosineWindow(0.42, -0.5, 0.08),
  MelWeightMatrix: melWeightMatrix,
}
