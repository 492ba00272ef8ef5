import type { Random } from '../graph/random.ts'
import { badData } from './errors.ts'
import type { Augmentation, Preprocessing } from './preprocessing.ts'
import { resizer } from './resize.ts'
import { elementsOf, type ImageSample } from './types.ts'

/** An image as bytes `[H, W, C]` somewhere in an array. */
export interface Pixels {
  readonly data: Uint8Array
  readonly offset: number
}

/** A change of images of one size: takes pixels, and gives others in memory of its own that the next call reuses. */
export interface Stage {
  readonly size: ImageSample
  /** Whether it draws random numbers, so that the same sample comes out differently each time. */
  readonly random: boolean
  apply(pixels: Pixels, random: Random): Pixels
}

function stage(
  size: ImageSample,
  random: boolean,
  write: (source: Uint8Array, offset: number, target: Uint8Array, random: Random) => void,
): Stage {
  const target = new Uint8Array(elementsOf(size))
  return {
    size,
    random,
    apply({ data, offset }, next) {
      write(data, offset, target, next)
      return { data: target, offset: 0 }
    },
  }
}

export function resizeStage(from: ImageSample, resize: NonNullable<Preprocessing['resize']>): Stage {
  const { height, width } = resize
  return stage({ height, width, channels: from.channels }, false, resizer(from, resize))
}

/** Cuts a part out; a random place only if `mayBeRandom`. */
export function cropStage(from: ImageSample, crop: NonNullable<Preprocessing['crop']>, mayBeRandom: boolean): Stage {
  const { height, width, at } = crop
  const spare = { y: from.height - height, x: from.width - width }
  if (spare.y < 0 || spare.x < 0) {
    throw badData('crop', `a crop of ${height}×${width} is larger than the images`, {
      file: 'preprocessing',
      expected: `at most ${from.height}×${from.width}`,
      found: `${height}×${width}`,
      fix: 'Resize the images first, or crop less.',
    })
  }
  const anywhere = mayBeRandom && at === 'random'
  return stage({ ...from, height, width }, anywhere, (source, offset, target, random) => {
    const y = anywhere ? Math.floor(random() * (spare.y + 1)) : spare.y >> 1
    const x = anywhere ? Math.floor(random() * (spare.x + 1)) : spare.x >> 1
    const line = width * from.channels
    for (let row = 0; row < height; row++) {
      const start = offset + ((y + row) * from.width + x) * from.channels
      target.set(source.subarray(start, start + line), row * line)
    }
  })
}

/** RGB to luma in fixed point, as Pillow does (ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B). */
export function grayStage(from: ImageSample): Stage {
  return stage({ ...from, channels: 1 }, false, (source, offset, target) => {
    for (let i = 0, at = offset; i < target.length; i++, at += from.channels) {
      const [r, g, b] = [source[at] as number, source[at + 1] as number, source[at + 2] as number]
      target[i] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16
    }
  })
}

export function padCropStage(size: ImageSample, { pad, mode }: NonNullable<Augmentation['padCrop']>): Stage {
  const { height, width, channels } = size
  if (mode === 'reflect' && pad >= Math.min(height, width)) {
    throw badData('pad', `images of ${height}×${width} can't be padded by ${pad} reflected pixels`, {
      file: 'augmentation',
      expected: `a pad below ${Math.min(height, width)}`,
      found: String(pad),
    })
  }
  const reflected = mode === 'reflect'
  return stage(size, true, (source, offset, target, random) => {
    const dy = Math.floor(random() * (2 * pad + 1)) - pad
    const dx = Math.floor(random() * (2 * pad + 1)) - pad
    for (let y = 0; y < height; y++) {
      const sy = reflected ? reflect(y + dy, height) : y + dy
      for (let x = 0; x < width; x++) {
        const sx = reflected ? reflect(x + dx, width) : x + dx
        const inside = sy >= 0 && sy < height && sx >= 0 && sx < width
        const from = offset + (sy * width + sx) * channels
        const to = (y * width + x) * channels
        for (let c = 0; c < channels; c++) target[to + c] = inside ? (source[from + c] as number) : 0
      }
    }
  })
}

/** Mirrors an index at the ends, without repeating the end itself. */
const reflect = (i: number, n: number): number => (i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i)

export function flipStage(size: ImageSample, chance: number): Stage {
  const { height, width, channels } = size
  return stage(size, true, (source, offset, target, random) => {
    if (random() >= chance) {
      target.set(source.subarray(offset, offset + target.length))
      return
    }
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = offset + (y * width + width - 1 - x) * channels
        const to = (y * width + x) * channels
        for (let c = 0; c < channels; c++) target[to + c] = source[from + c] as number
      }
    }
  })
}

/** Blanks a square around a random pixel with `fill`, the bytes that become 0 (or are nearest to it) for the model. */
export function cutoutStage(size: ImageSample, side: number, fill: readonly number[]): Stage {
  const { height, width, channels } = size
  return stage(size, true, (source, offset, target, random) => {
    target.set(source.subarray(offset, offset + target.length))
    const top = Math.floor(random() * height) - (side >> 1)
    const left = Math.floor(random() * width) - (side >> 1)
    for (let y = Math.max(0, top); y < Math.min(height, top + side); y++) {
      for (let x = Math.max(0, left); x < Math.min(width, left + side); x++) {
        for (let c = 0; c < channels; c++) target[(y * width + x) * channels + c] = fill[c] ?? 0
      }
    }
  })
}
