import type { SampleImage } from '../../workers/protocol/studio.ts'

/** Draws a sample on a canvas, each pixel as it is: gray, RGB or RGBA. */
export function paintPixels(canvas: HTMLCanvasElement, { width, height, channels, pixels }: SampleImage): void {
  const context = canvas.getContext('2d')
  if (!context) return
  const data = context.createImageData(width, height)
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data.data[4 * i + c] = pixels[i * channels + (channels < 3 ? 0 : c)] ?? 0
    data.data[4 * i + 3] = channels === 4 ? (pixels[i * channels + 3] ?? 255) : 255
  }
  context.putImageData(data, 0, 0)
}

/** A sample as a `data:` address, for drawings and files. */
export function pixelsAddress(image: SampleImage): string {
  const canvas = document.createElement('canvas')
  canvas.width = image.width
  canvas.height = image.height
  paintPixels(canvas, image)
  return canvas.toDataURL('image/png')
}
