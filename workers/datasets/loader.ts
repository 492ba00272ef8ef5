import { hashSeed, mulberry32 } from '../graph/random.ts'
import { tensorOf, type Tensor } from '../graph/tensor.ts'
import type { Augmentation, Preprocessing, Split } from './types.ts'

export interface LoaderOptions {
  readonly batch: number
  readonly seed: number
  readonly preprocessing: Preprocessing
  readonly augmentation: Augmentation
  readonly shuffle: boolean
  /** Leave out the samples that don't fill a last batch. */
  readonly dropLast: boolean
}

export interface Batch {
  /** f32 `[n, channels, height, width]`. */
  readonly x: Tensor
  /** i64 `[n]`; absent for unlabelled samples. */
  readonly labels?: Tensor
  /** Position of every sample in its split. */
  readonly indices: Int32Array
}

/**
 * Batches of a split, addressed by step: the order of an epoch, and what happens to a sample in it, depend only on
 * seed, epoch and sample. So a resumed run sees what an uninterrupted one sees, and nothing has to be stored.
 */
export class Loader {
  readonly stepsPerEpoch: number
  readonly #split: Split
  readonly #options: LoaderOptions
  readonly #tables: readonly Float32Array[]
  #order: { readonly epoch: number; readonly indices: Int32Array } | undefined

  constructor(split: Split, options: LoaderOptions) {
    this.#split = split
    this.#options = options
    const batches = split.count / options.batch
    this.stepsPerEpoch = options.dropLast ? Math.floor(batches) : Math.ceil(batches)
    this.#tables = tablesOf(options.preprocessing, split.sample.channels)
  }

  async batchAt(step: number): Promise<Batch> {
    const epoch = Math.floor(step / this.stepsPerEpoch)
    const start = (step % this.stepsPerEpoch) * this.#options.batch
    const indices = this.#orderOf(epoch).subarray(start, start + this.#options.batch)
    return { x: this.#images(indices, epoch), indices, ...this.#labels(indices) }
  }

  #orderOf(epoch: number): Int32Array {
    const { shuffle, seed } = this.#options
    if (this.#order?.epoch !== epoch) {
      const indices = Int32Array.from({ length: this.#split.count }, (_, i) => i)
      if (shuffle) shuffleInPlace(indices, mulberry32(hashSeed(seed, epoch, 'order')))
      this.#order = { epoch: shuffle ? epoch : -1, indices }
    }
    return this.#order.indices
  }

  #labels(indices: Int32Array): { labels?: Tensor } {
    const { labels } = this.#split
    if (!labels) return {}
    const own = BigInt64Array.from(indices, (i) => BigInt(labels[i] as number))
    return { labels: tensorOf('i64', [own.length], own) }
  }

  /** Looks every byte up in its channel's table: scaling and normalization cost one load. */
  #images(indices: Int32Array, epoch: number): Tensor {
    const { height, width, channels } = this.#split.sample
    const area = height * width
    const out = new Float32Array(indices.length * channels * area)
    const { data } = this.#split
    indices.forEach((index, n) => {
      const place = this.#placement(index, epoch)
      for (let c = 0; c < channels; c++) {
        const table = this.#tables[c] as Float32Array
        const base = (n * channels + c) * area
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            const sy = y + place.dy
            const sx = (place.mirrored ? width - 1 - x : x) + place.dx
            const inside = sy >= 0 && sy < height && sx >= 0 && sx < width
            const byte = inside ? (data[(index * area + sy * width + sx) * channels + c] as number) : 0
            out[base + y * width + x] = table[byte] as number
          }
        }
      }
    })
    return tensorOf('f32', [indices.length, channels, height, width], out)
  }

  #placement(index: number, epoch: number): { dy: number; dx: number; mirrored: boolean } {
    const { flip, crop } = this.#options.augmentation
    if (!flip && crop === undefined) return { dy: 0, dx: 0, mirrored: false }
    const random = mulberry32(hashSeed(this.#options.seed, epoch, index, 'augmentation'))
    const shift = () => (crop === undefined ? 0 : Math.floor(random() * (2 * crop + 1)) - crop)
    return { dy: shift(), dx: shift(), mirrored: flip === true && random() < 0.5 }
  }
}

function tablesOf({ scale, mean, std }: Preprocessing, channels: number): Float32Array[] {
  return Array.from({ length: channels }, (_, c) => {
    const [m, s] = [mean[c] ?? mean[0] ?? 0, std[c] ?? std[0] ?? 1]
    return Float32Array.from({ length: 256 }, (_, byte) => (byte * scale - m) / s)
  })
}

function shuffleInPlace(values: Int32Array, random: () => number): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const kept = values[i] as number
    values[i] = values[j] as number
    values[j] = kept
  }
}
