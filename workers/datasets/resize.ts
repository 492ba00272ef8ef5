import type { ImageSample } from './types.ts'
import type { Preprocessing } from './preprocessing.ts'

/** What one output coordinate is made of: source coordinates from `start`, with weights that sum to 1. */
interface Tap {
  readonly start: number
  readonly weights: Float64Array
}

type Resize = NonNullable<Preprocessing['resize']>

/** Taps of one axis; undefined where `contain` leaves a border. */
function tapsOf(source: number, target: number, scaled: number, filter: Resize['filter']): (Tap | undefined)[] {
  const offset = Math.round((scaled - target) / 2)
  const ratio = source / scaled
  return Array.from({ length: target }, (_, i) => {
    const at = i + offset
    if (at < 0 || at >= scaled) return undefined
    return filter === 'nearest' ? nearest(at, ratio, source) : triangle(at, ratio, source)
  })
}

const nearest = (at: number, ratio: number, source: number): Tap => ({
  start: Math.min(source - 1, Math.floor((at + 0.5) * ratio)),
  weights: Float64Array.of(1),
})

/**
 * Bilinear with half-pixel centres; when it makes smaller, the triangle becomes as wide as the ratio, so that every
 * source pixel counts (as in Pillow and in PyTorch's `interpolate(antialias=True)`).
 */
function triangle(at: number, ratio: number, source: number): Tap {
  const width = Math.max(1, ratio)
  const centre = (at + 0.5) * ratio
  const start = Math.max(0, Math.floor(centre - width + 0.5))
  const end = Math.max(start + 1, Math.min(source, Math.floor(centre + width + 0.5)))
  const raw = Float64Array.from({ length: end - start }, (_, k) =>
    Math.max(0, 1 - Math.abs(start + k + 0.5 - centre) / width),
  )
  const sum = raw.reduce((a, b) => a + b, 0)
  return { start, weights: raw.map((w) => w / sum) }
}

/** The size that the whole image is scaled to before it is cut or bordered. */
function scaledSize(from: ImageSample, { height, width, fit }: Resize): [height: number, width: number] {
  if (fit === 'fill') return [height, width]
  const ratios = [height / from.height, width / from.width]
  const ratio = fit === 'cover' ? Math.max(...ratios) : Math.min(...ratios)
  return [Math.max(1, Math.round(from.height * ratio)), Math.max(1, Math.round(from.width * ratio))]
}

/** A function that resizes images of one size, from `[H, W, C]` bytes to rounded bytes; border pixels are 0. */
export function resizer(from: ImageSample, resize: Resize) {
  const { height, width, channels } = { ...resize, channels: from.channels }
  const [scaledHeight, scaledWidth] = scaledSize(from, resize)
  const rows = tapsOf(from.height, height, scaledHeight, resize.filter)
  const columns = tapsOf(from.width, width, scaledWidth, resize.filter)
  const between = new Float32Array(from.height * width * channels)
  return (source: Uint8Array, offset: number, target: Uint8Array): void => {
    for (let y = 0; y < from.height; y++) {
      across(source, offset + y * from.width * channels, columns, between, y * width * channels, channels)
    }
    const line = width * channels
    for (const [y, tap] of rows.entries()) down(between, line, tap, target, y * line)
  }
}

function across(
  source: Uint8Array,
  from: number,
  taps: readonly (Tap | undefined)[],
  target: Float32Array,
  to: number,
  channels: number,
): void {
  for (const [x, tap] of taps.entries()) {
    for (let c = 0; c < channels; c++) {
      let sum = 0
      if (tap) {
        for (const [k, weight] of tap.weights.entries()) {
          sum += weight * (source[from + (tap.start + k) * channels + c] as number)
        }
      }
      target[to + x * channels + c] = sum
    }
  }
}

function down(source: Float32Array, line: number, tap: Tap | undefined, target: Uint8Array, to: number): void {
  for (let i = 0; i < line; i++) {
    let sum = 0
    if (tap)
      for (const [k, weight] of tap.weights.entries()) sum += weight * (source[(tap.start + k) * line + i] as number)
    target[to + i] = Math.round(sum)
  }
}
