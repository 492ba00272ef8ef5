import { readFile } from 'node:fs/promises'
import sharp from 'sharp'
import { AlambicError } from '../../protocol/errors.ts'
import { badData } from '../errors.ts'
import type { ImageSample } from '../types.ts'
import { isBmp, readBmp, type Picture } from './bmp.ts'

/** How images of different sizes become one size while they are decoded. */
export type Fit = 'cover' | 'contain' | 'fill'

export interface DecodeOptions {
  /** Resize to this; without it an image keeps its size. */
  readonly size?: readonly [height: number, width: number] | undefined
  /** `cover` cuts what sticks out, `contain` adds black, `fill` distorts. */
  readonly fit?: Fit | undefined
  /** Convert to gray (1) or RGB (3); without it gray images stay gray. Transparency is left out. */
  readonly channels?: 1 | 3 | undefined
}

/** No sensible sample is larger, and a small file can claim any size. */
const MOST_PIXELS = 1e8

/**
 * Decodes one image (JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP), turned as its EXIF orientation says. sharp decodes in
 * libuv's threads. Throws `data.image` for what can't be decoded, warnings of the decoder included.
 */
export async function decodeImage(path: string, options: DecodeOptions): Promise<Picture> {
  const { size, fit = 'cover', channels } = options
  try {
    const bytes = await readFile(path)
    const input = isBmp(bytes) ? readBmp(bytes, path) : undefined
    const raw = input && { width: input.width, height: input.height, channels: 3 as const }
    let image = sharp(input?.data ?? bytes, {
      limitInputPixels: MOST_PIXELS,
      failOn: 'warning',
      ...(raw ? { raw } : {}),
    })
    const wanted = channels ?? (((await image.metadata()).channels ?? 3) < 3 ? 1 : 3)
    image = image.autoOrient()
    if (size) image = image.resize({ height: size[0], width: size[1], fit, background: '#000', kernel: 'linear' })
    image = image.removeAlpha().toColourspace(wanted === 1 ? 'b-w' : 'srgb')
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, channels: info.channels, data }
  } catch (cause) {
    if (cause instanceof AlambicError) throw cause
    throw badData('image', `the image "${path}" can't be decoded`, {
      file: path,
      expected: 'a whole image',
      found: cause instanceof Error ? cause.message : String(cause),
      fix: 'Remove or replace the file, or skip files that are broken.',
      cause,
    })
  }
}

export const sizeOfPicture = ({ height, width, channels }: Picture): ImageSample => ({ height, width, channels })

/** `data.channels` or `data.ragged` if an image is not like the first one. */
export function checkAlike(picture: Picture, sample: ImageSample, path: string): void {
  const { width, height, channels } = picture
  if (channels !== sample.channels) {
    throw badData('channels', `the image "${path}" has ${channels} channels, not ${sample.channels}`, {
      file: path,
      expected: `${sample.channels} channels, like the first image`,
      found: `${channels} channels`,
      fix: 'Give the number of channels, 1 or 3, that all images are brought to.',
    })
  }
  if (width !== sample.width || height !== sample.height) {
    throw badData('ragged', `the image "${path}" is ${width}×${height}, not ${sample.width}×${sample.height}`, {
      file: path,
      expected: `${sample.width}×${sample.height}, like the first image`,
      found: `${width}×${height}`,
      fix: 'Give a size that all images are brought to.',
    })
  }
}
