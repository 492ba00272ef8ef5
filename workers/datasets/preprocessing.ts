import { createHash } from 'node:crypto'
import { z } from 'zod'

const Side = z.number().int().min(1)

const Resize = z.strictObject({
  height: Side,
  width: Side,
  filter: z.enum(['bilinear', 'nearest']).default('bilinear'),
  fit: z.enum(['fill', 'cover', 'contain']).default('fill').describe('fill distorts, cover cuts, contain adds black'),
})

const Crop = z.strictObject({
  height: Side,
  width: Side,
  at: z.enum(['centre', 'random']).default('centre').describe('random is for training; evaluation takes the centre'),
})

/**
 * What happens to a sample before the model sees it, as data, in this order: resize, crop, colour, then
 * x′ = (x·scale − mean) / std per channel of the model, then layout. It is part of a recipe and has a hash.
 */
export const Preprocessing = z
  .strictObject({
    resize: Resize.optional(),
    crop: Crop.optional(),
    colour: z.enum(['gray', 'rgb', 'bgr']).optional().describe('As stored unless given; stored images are gray or RGB'),
    scale: z
      .number()
      .positive()
      .default(1 / 255)
      .describe('Bytes become 0 … 1 with 1/255'),
    mean: z.array(z.number()).min(1).default([0]).describe('One, or one for each channel'),
    std: z.array(z.number().positive()).min(1).default([1]).describe('One, or one for each channel'),
    layout: z.enum(['NCHW', 'NHWC', 'NHW', 'flat']).default('NCHW').describe('flat is NCHW as one vector'),
    dtype: z.enum(['f32', 'f16', 'u8', 'i32', 'i64']).default('f32'),
  })
  .refine(({ dtype, ...p }) => dtype === 'f32' || dtype === 'f16' || isIdentity(p), {
    message: 'whole numbers are passed on as they are: give scale 1, mean [0] and std [1]',
    path: ['dtype'],
  })
export type Preprocessing = z.output<typeof Preprocessing>

/** Whether values are passed on as they are. */
export const isIdentity = ({ scale, mean, std }: { scale: number; mean: number[]; std: number[] }): boolean =>
  scale === 1 && mean.every((m) => m === 0) && std.every((s) => s === 1)

/** Random changes of training images, in this order; what is absent is not done. Geometry is changed on bytes. */
export const Augmentation = z.strictObject({
  padCrop: z
    .strictObject({
      pad: z.number().int().min(1),
      mode: z.enum(['zero', 'reflect']).default('zero'),
    })
    .optional()
    .describe('Pad each side and crop back at random (He et al. 2015, arXiv:1512.03385, §4.2: pad 4)'),
  flip: z.number().min(0).max(1).optional().describe('Chance of a horizontal mirror image; 0.5 is usual'),
  cutout: z
    .strictObject({ size: Side })
    .optional()
    .describe('Blank a square that may hang over the edge (DeVries and Taylor 2017, arXiv:1708.04552)'),
})
export type Augmentation = z.output<typeof Augmentation>

/** What the presets are called and do; the source of each number is named. */
export const presets = {
  /** Bytes to 0 … 1, as Caffe's LeNet had them. */
  mnist: Preprocessing.parse({}),
  /** Mean and deviation of MNIST's training set, as in PyTorch's MNIST example. */
  'mnist-standard': Preprocessing.parse({ mean: [0.1307], std: [0.3081] }),
  /** Bytes to 0 … 1. */
  'fashion-mnist': Preprocessing.parse({}),
  /** ImageNet's numbers, as PyTorch's knowledge distillation tutorial uses them for CIFAR-10. */
  'cifar-10': Preprocessing.parse({ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }),
  /** torchvision's evaluation of ImageNet classifiers: the shorter side to 256, the centre of 224, ImageNet's numbers. */
  imagenet: Preprocessing.parse({
    resize: { height: 256, width: 256, fit: 'cover' },
    crop: { height: 224, width: 224 },
    colour: 'rgb',
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  }),
} as const satisfies Readonly<Record<string, Preprocessing>>

/** SHA-256 (hex) of preprocessing or augmentation: the same for the same settings in any order. */
export const settingsHash = (settings: Preprocessing | Augmentation): string =>
  createHash('sha256').update(canonical(settings)).digest('hex')

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).filter(([, v]) => v !== undefined)
  return `{${entries
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`)
    .join(',')}}`
}
