import { arrayOf, type Tensor } from '../graph/tensor.ts'

/** Signal and noise of a quantized value against the real one, added up batch by batch. */
export class SignalToNoise {
  #signal = 0
  #noise = 0

  /** Both f32, of the same shape. */
  add(real: Tensor, quantized: Tensor): void {
    const [y, z] = [arrayOf(real) as Float32Array, arrayOf(quantized) as Float32Array]
    for (let i = 0; i < y.length; i++) {
      const v = y[i] as number
      const d = v - (z[i] as number)
      this.#signal += v * v
      this.#noise += d * d
    }
  }

  /** 10·log₁₀(Σy²/Σ(y − ŷ)²) in decibels; infinite when there is no noise. */
  get decibels(): number {
    return this.#noise === 0 ? Infinity : 10 * Math.log10(this.#signal / this.#noise)
  }
}

/** The signal-to-quantization-noise ratio of one tensor, in decibels. */
export function sqnr(real: Tensor, quantized: Tensor): number {
  const ratio = new SignalToNoise()
  ratio.add(real, quantized)
  return ratio.decibels
}
