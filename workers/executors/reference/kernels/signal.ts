import type { Call, Kernels } from '../call.ts'
import { around, normalizeAxis } from '../iterate.ts'
import { array, floats, integers, numbers, type NdArray } from '../value.ts'

interface Complexes {
  readonly re: Float64Array
  readonly im: Float64Array
}

/** X[k] = Σ x[n]·e^(∓2πi·kn/N), by its definition; `inverse` flips the sign and divides by N. */
function transform({ re, im }: Complexes, inverse: boolean): Complexes {
  const n = re.length
  const out = { re: new Float64Array(n), im: new Float64Array(n) }
  const sign = inverse ? 1 : -1
  const cos = Float64Array.from({ length: n }, (_, i) => Math.cos((2 * Math.PI * i) / n))
  const sin = Float64Array.from({ length: n }, (_, i) => sign * Math.sin((2 * Math.PI * i) / n))
  for (let k = 0; k < n; k++) {
    let [sumRe, sumIm] = [0, 0]
    for (let j = 0; j < n; j++) {
      const turn = (k * j) % n
      const [c, s] = [cos[turn] as number, sin[turn] as number]
      sumRe += (re[j] as number) * c - (im[j] as number) * s
      sumIm += (re[j] as number) * s + (im[j] as number) * c
    }
    out.re[k] = inverse ? sumRe / n : sumRe
    out.im[k] = inverse ? sumIm / n : sumIm
  }
  return out
}

/** Real (last axis 1) or complex (last axis 2) lines along an axis, transformed; `onesided` keeps half of a spectrum. */
function dft(call: Call): NdArray {
  const x = call.input(0)
  const axisInput = call.opset >= 20 ? call.optional(2) : undefined
  const axis = normalizeAxis(
    axisInput ? (integers(axisInput)[0] as number) : call.number('axis', call.opset >= 20 ? -2 : 1),
    x.dims.length,
  )
  const [inverse, onesided] = [call.flag('inverse'), call.flag('onesided')]
  const size = x.dims[axis] as number
  const given = call.optional(1)
  const length = given ? (numbers(given)[0] as number) : inverse && onesided ? 2 * (size - 1) : size
  const parts = x.dims.at(-1) as number
  const outParts = inverse && onesided ? 1 : 2
  const outSize = onesided && !inverse ? Math.floor(length / 2) + 1 : length
  const dims = x.dims.map((d, i) => (i === axis ? outSize : i === x.dims.length - 1 ? outParts : d))
  const { outer, inner } = around(x.dims.slice(0, -1), axis)
  const data = floats(x)
  const out = new Float64Array(outer * outSize * inner * outParts)
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const line = { re: new Float64Array(length), im: new Float64Array(length) }
      for (let k = 0; k < Math.min(size, length); k++) {
        const at = ((o * size + k) * inner + i) * parts
        line.re[k] = data[at] as number
        line.im[k] = parts === 2 ? (data[at + 1] as number) : 0
      }
      if (inverse && onesided) mirror(line, Math.floor(length / 2) + 1)
      const result = transform(line, inverse)
      for (let k = 0; k < outSize; k++) {
        const at = ((o * outSize + k) * inner + i) * outParts
        out[at] = result.re[k] as number
        if (outParts === 2) out[at + 1] = result.im[k] as number
      }
    }
  }
  return array(x.dtype, dims, out)
}

/** Completes a spectrum of a real signal from its first half: X[N−k] is the conjugate of X[k]. */
function mirror({ re, im }: Complexes, half: number): void {
  const n = re.length
  im[0] = 0
  if (n % 2 === 0) im[n / 2] = 0
  for (let k = half; k < n; k++) {
    re[k] = re[n - k] as number
    im[k] = -(im[n - k] as number)
  }
}

/** The DFT of windowed frames: signal [N, length, 1 or 2] → [N, frames, bins, 2]. */
function stft(call: Call): NdArray {
  const [signal, step] = [call.input(0), integers(call.input(1))[0] as number]
  const [window, frameLength] = [call.optional(2), call.optional(3)]
  const [batch, length] = signal.dims as [number, number]
  const parts = signal.dims[2] ?? 1
  const size = frameLength ? (integers(frameLength)[0] as number) : (window?.data.length ?? length)
  const weights = window && floats(window)
  const frames = Math.floor((length - size) / step) + 1
  const bins = call.flag('onesided', true) ? Math.floor(size / 2) + 1 : size
  const data = floats(signal)
  const out = new Float64Array(batch * frames * bins * 2)
  for (let f = 0; f < batch * frames; f++) {
    const start = Math.floor(f / frames) * length + (f % frames) * step
    const part = (p: number) =>
      Float64Array.from({ length: size }, (_, i) =>
        p < parts ? (data[(start + i) * parts + p] as number) * (weights?.[i] ?? 1) : 0,
      )
    const { re, im } = transform({ re: part(0), im: part(1) }, false)
    for (let k = 0; k < bins; k++) {
      out[(f * bins + k) * 2] = re[k] as number
      out[(f * bins + k) * 2 + 1] = im[k] as number
    }
  }
  return array(signal.dtype, [batch, frames, bins, 2], out)
}

export const signals: Kernels = { DFT: dft, STFT: stft }
