import { badData } from '../errors.ts'

/** A decoded image: `[height, width, channels]`, one byte each. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly data: Uint8Array
}

/** Windows bitmaps are not among the formats that sharp's prebuilt libvips reads. */
export const isBmp = (bytes: Uint8Array): boolean => bytes[0] === 0x42 && bytes[1] === 0x4d

/** Reads an uncompressed Windows bitmap of 8 (palette), 24 or 32 bits per pixel as RGB. */
export function readBmp(bytes: Uint8Array, file: string): Picture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 54) throw broken(file, 'headers of 54 bytes', `${bytes.length} bytes`)
  const [start, headerSize] = [view.getUint32(10, true), view.getUint32(14, true)]
  const [width, signedHeight] = [view.getInt32(18, true), view.getInt32(22, true)]
  const [bits, compression] = [view.getUint16(28, true), view.getUint32(30, true)]
  const height = Math.abs(signedHeight)
  // Compression 3 only says where the colours are; in files of 32 bits it is all but always this same order.
  if (![8, 24, 32].includes(bits) || (compression !== 0 && !(compression === 3 && bits === 32))) {
    throw broken(file, '8, 24 or 32 bits per pixel without compression', `${bits} bits, compression ${compression}`)
  }
  const line = Math.ceil((width * bits) / 32) * 4
  if (width < 1 || height < 1 || start + line * height > bytes.length) {
    throw broken(file, `${start + line * height} bytes for ${width}×${height} pixels`, `${bytes.length} bytes`)
  }
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    const row = start + line * (signedHeight > 0 ? height - 1 - y : y)
    for (let x = 0; x < width; x++) {
      const pixel = bits === 8 ? 14 + headerSize + (bytes[row + x] as number) * 4 : row + (x * bits) / 8
      for (let c = 0; c < 3; c++) data[(y * width + x) * 3 + c] = bytes[pixel + 2 - c] ?? 0
    }
  }
  return { width, height, channels: 3, data }
}

const broken = (file: string, expected: string, found: string) =>
  badData('image', `"${file}" is not a bitmap that can be read`, { file, expected, found })
