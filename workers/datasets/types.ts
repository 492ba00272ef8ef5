import { createHash } from 'node:crypto'
import { z } from 'zod'

/** Samples in memory: uint8 images `[count, height, width, channels]` and their labels. */
export interface Split {
  readonly count: number
  readonly data: Uint8Array
  readonly sample: { readonly height: number; readonly width: number; readonly channels: number }
  readonly labels?: Int32Array
  /** SHA-256 of data and labels. */
  readonly hash: string
}

export interface Dataset {
  readonly id: string
  readonly title: string
  readonly classes: readonly string[]
  readonly sample: Split['sample']
  readonly splits: { readonly train?: Split; readonly test?: Split; readonly validation?: Split }
}

export const hashOf = (data: Uint8Array, labels?: Int32Array): string => {
  const hash = createHash('sha256').update(data)
  if (labels) hash.update(new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength))
  return hash.digest('hex')
}

/** What happens to an image before the model sees it, as data: x′ = (x·scale − mean)/std per channel, NCHW or flat. */
export const Preprocessing = z.strictObject({
  scale: z
    .number()
    .positive()
    .default(1 / 255),
  mean: z.array(z.number()).default([0]),
  std: z.array(z.number().positive()).default([1]),
})
export type Preprocessing = z.output<typeof Preprocessing>

/** Random changes of training images; what is absent is not done. */
export const Augmentation = z.strictObject({
  /** Mirror every other image. */
  flip: z.literal(true).optional(),
  /** Pad by so many zeros and crop back at random. */
  crop: z.number().int().min(1).optional(),
})
export type Augmentation = z.output<typeof Augmentation>
