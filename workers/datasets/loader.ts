import { tensorOf, type Tensor } from '../graph/tensor.ts'
import { badData } from './errors.ts'
import { permutation, sampleRandom } from './order.ts'
import { compilePipeline, type BatchArray, type Pipeline } from './pipeline.ts'
import { Preprocessing, type Augmentation } from './preprocessing.ts'
import { isImage, type Split } from './types.ts'

export interface LoaderOptions {
  readonly batch: number
  /** Decides the order and the augmentation. */
  readonly seed?: number | undefined
  /** Bytes to 0 … 1 for images, values as they are for tensors, unless given. */
  readonly preprocessing?: Preprocessing | undefined
  readonly augmentation?: Augmentation | undefined
  /** A new order in every epoch, and crops in random places where the preprocessing asks for that; true unless given. */
  readonly shuffle?: boolean | undefined
  /** Leave out the samples of an epoch that don't fill a last batch. */
  readonly dropLast?: boolean | undefined
  /** Element type of the labels; ONNX losses and gathers take int64. */
  readonly labels?: 'i64' | 'i32' | undefined
}

export interface Batch {
  /** `[n, ...dims]` in the preprocessing's layout and element type. */
  readonly x: Tensor
  /** Classes, i64 (or i32) `[n]`; absent for unlabelled samples. */
  readonly labels?: Tensor
  /** f32 `[n, ...]` for samples whose targets are not classes. */
  readonly targets?: Tensor
  /** Position of every sample in its split. */
  readonly indices: Int32Array
}

/**
 * Batches of a split, addressed by step: the order of an epoch, and what happens to a sample in it, depend only on
 * seed, epoch and sample. So a resumed run sees what an uninterrupted one sees, and nothing has to be stored.
 */
export class Loader {
  readonly stepsPerEpoch: number
  /** Dims of one sample as the model gets it. */
  readonly dims: readonly number[]
  /** Whether a sample looks the same in every epoch, so that what a teacher says of it can be kept. */
  readonly inputsRepeat: boolean
  readonly #split: Split
  readonly #batch: number
  readonly #seed: number
  readonly #shuffle: boolean
  readonly #labels: 'i64' | 'i32'
  readonly #pipeline: Pipeline
  #order: { readonly epoch: number; readonly indices: Int32Array } | undefined
  #ready: { readonly step: number; readonly batch: Batch } | undefined

  constructor(split: Split, options: LoaderOptions) {
    const { batch, seed = 42, shuffle = true, dropLast = false, labels = 'i64', augmentation } = options
    if (!Number.isInteger(batch) || batch < 1) {
      throw badData('batch', `a batch can't have ${batch} samples`, {
        file: 'batch',
        expected: 'a whole number above 0',
        found: String(batch),
      })
    }
    const preprocessing = options.preprocessing ?? defaultFor(split)
    this.#split = split
    this.#batch = batch
    this.#seed = seed
    this.#shuffle = shuffle
    this.#labels = labels
    this.#pipeline = compilePipeline(split.sample, preprocessing, augmentation, shuffle)
    this.dims = this.#pipeline.dims
    this.inputsRepeat = this.#pipeline.repeats
    this.stepsPerEpoch = dropLast ? Math.floor(split.count / batch) : Math.ceil(split.count / batch)
  }

  /** The epoch that a step is in, from 0. */
  epochOf(step: number): number {
    return Math.floor(step / this.stepsPerEpoch)
  }

  /** The samples of a step. The array belongs to the loader. */
  indicesAt(step: number): Int32Array {
    if (!Number.isInteger(step) || step < 0 || this.stepsPerEpoch === 0) {
      throw badData('step', `there is no batch ${step}`, {
        file: 'step',
        expected: this.stepsPerEpoch === 0 ? `a batch of at most ${this.#split.count} samples` : 'a step from 0',
        found: this.stepsPerEpoch === 0 ? `a batch of ${this.#batch}` : String(step),
      })
    }
    const start = (step % this.stepsPerEpoch) * this.#batch
    return this.#orderOf(this.epochOf(step)).subarray(start, start + this.#batch)
  }

  /**
   * The batch of any step. With `into`, a batch of the same size that the caller is done with, its memory is used
   * again. A last batch that isn't full is smaller, unless such batches are dropped.
   */
  async batchAt(step: number, into?: Batch): Promise<Batch> {
    const ready = this.#ready
    if (ready?.step === step) {
      this.#ready = undefined
      return ready.batch
    }
    return this.#make(step, into)
  }

  /** Makes a batch ahead of time, for the next `batchAt` of that step: call it while the device is busy. */
  prefetch(step: number, into?: Batch): void {
    if (this.#ready?.step !== step) this.#ready = { step, batch: this.#make(step, into) }
  }

  /** The batches of one epoch in order. */
  async *epoch(epoch = 0): AsyncGenerator<Batch> {
    for (let i = 0; i < this.stepsPerEpoch; i++) yield await this.batchAt(epoch * this.stepsPerEpoch + i)
  }

  #orderOf(epoch: number): Int32Array {
    const wanted = this.#shuffle ? epoch : 0
    if (this.#order?.epoch !== wanted) {
      const { count } = this.#split
      const indices = this.#shuffle
        ? permutation(count, this.#seed, epoch)
        : Int32Array.from({ length: count }, (_, i) => i)
      this.#order = { epoch: wanted, indices }
    }
    return this.#order.indices
  }

  #make(step: number, into?: Batch): Batch {
    const indices = this.indicesAt(step)
    const epoch = this.epochOf(step)
    const { data } = this.#split
    const { dims, dtype } = this.#pipeline
    const reuse = into?.indices.length === indices.length && into.x.dtype === dtype
    const out = reuse ? viewOf(into.x) : this.#pipeline.allocate(indices.length)
    for (const [position, index] of indices.entries()) {
      this.#pipeline.write(data, index, out, position, this.#randomOf(epoch, index))
    }
    // A new tensor even over used memory: what others know of the old one, such as its hash, is no longer true.
    return { x: tensorOf(dtype, [indices.length, ...dims], out), indices, ...this.#answers(indices) }
  }

  #randomOf(epoch: number, index: number): () => number {
    return this.inputsRepeat ? noRandomness : sampleRandom(this.#seed, epoch, index)
  }

  #answers(indices: Int32Array): { labels?: Tensor; targets?: Tensor } {
    const { labels, targets } = this.#split
    const answers: { labels?: Tensor; targets?: Tensor } = {}
    if (labels) {
      const own = indices.map((i) => labels[i] as number)
      answers.labels = tensorOf(
        this.#labels,
        [own.length],
        this.#labels === 'i32' ? own : BigInt64Array.from(own, BigInt),
      )
    }
    if (targets) {
      const size = targets.data.length / this.#split.count
      const own = new Float32Array(indices.length * size)
      for (const [n, i] of indices.entries()) own.set(targets.data.subarray(i * size, (i + 1) * size), n * size)
      answers.targets = tensorOf('f32', [indices.length, ...targets.dims], own)
    }
    return answers
  }
}

/** A loader for measuring: every sample once, in the order stored, nothing random, the last batch as large as is left. */
export const evaluationLoader = (
  split: Split,
  options: Pick<LoaderOptions, 'batch' | 'preprocessing' | 'labels'>,
): Loader => new Loader(split, { ...options, shuffle: false, dropLast: false })

const noRandomness = (): number => 0

const defaultFor = ({ sample }: Split): Preprocessing =>
  isImage(sample) ? Preprocessing.parse({}) : Preprocessing.parse({ scale: 1, dtype: sample.dtype })

const views = { f32: Float32Array, f16: Uint16Array, u8: Uint8Array, i32: Int32Array, i64: BigInt64Array } as const

/** A batch's memory for writing: it was made here, so it is aligned and nobody else's. */
function viewOf({ bytes, dtype }: Tensor): BatchArray {
  const View = views[dtype as keyof typeof views]
  return new View(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / View.BYTES_PER_ELEMENT)
}
