import { AlambicError } from '../../protocol/errors.ts'
import type { PlainAttributes } from '../../graph/attributes.ts'

type ResizeAttributes = PlainAttributes<'Resize'>

/**
 * One axis of a Resize as a `[out, size]` matrix: row i holds the weights of the input elements that make output i.
 * `scale` is out/size as the node states it; `roi` is the axis' start and end for `tf_crop_and_resize`.
 * Source: the formulas of the ONNX operator specification, Resize-19.
 */
export function resizeMatrix(
  size: number,
  out: number,
  scale: number,
  attr: ResizeAttributes,
  roi: readonly [number, number],
): { rows: number; columns: number; data: Float32Array } {
  const mode = (attr.mode ?? 'nearest') as keyof typeof weightsOf
  if (attr.antialias && mode !== 'nearest' && scale < 1) {
    throw new AlambicError('gradient.antialias', 'no gradient for Resize with antialias=1 when it makes smaller', {
      expected: 'antialias=0',
      found: 'antialias=1',
    })
  }
  const locate = coordinates[(attr.coordinate_transformation_mode ?? 'half_pixel') as keyof typeof coordinates]
  const cropped = attr.coordinate_transformation_mode === 'tf_crop_and_resize'
  const data = new Float32Array(out * size)
  for (let i = 0; i < out; i++) {
    const position = locate({ i, size, out, scale, roi })
    if (cropped && (position < 0 || position > size - 1)) continue
    for (const [j, weight] of weightsOf[mode](position, size, attr)) {
      const at = i * size + Math.min(Math.max(j, 0), size - 1)
      data[at] = (data[at] as number) + weight
    }
  }
  return { rows: out, columns: size, data }
}

interface Place {
  readonly i: number
  readonly size: number
  readonly out: number
  readonly scale: number
  readonly roi: readonly [number, number]
}

/** Where output i lies among the inputs, by `coordinate_transformation_mode`. */
const coordinates = {
  half_pixel: ({ i, scale }: Place) => (i + 0.5) / scale - 0.5,
  half_pixel_symmetric: ({ i, size, out, scale }: Place) =>
    (size / 2) * (1 - out / (scale * size)) + (i + 0.5) / scale - 0.5,
  pytorch_half_pixel: ({ i, out, scale }: Place) => (out > 1 ? (i + 0.5) / scale - 0.5 : 0),
  align_corners: ({ i, size, out }: Place) => (out > 1 ? (i * (size - 1)) / (out - 1) : 0),
  asymmetric: ({ i, scale }: Place) => i / scale,
  tf_crop_and_resize: ({ i, size, out, roi: [start, end] }: Place) =>
    out > 1 ? start * (size - 1) + (i * (end - start) * (size - 1)) / (out - 1) : 0.5 * (start + end) * (size - 1),
} as const

const rounding = {
  round_prefer_floor: (p: number) => Math.ceil(p - 0.5),
  round_prefer_ceil: (p: number) => Math.floor(p + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
} as const

const weightsOf = {
  nearest: (p: number, _size: number, attr: ResizeAttributes): [number, number][] => [
    [rounding[(attr.nearest_mode ?? 'round_prefer_floor') as keyof typeof rounding](p), 1],
  ],
  linear: (p: number, size: number, attr: ResizeAttributes): [number, number][] => {
    const low = Math.floor(p)
    const taps: [number, number][] = [
      [low, 1 - (p - low)],
      [low + 1, p - low],
    ]
    return attr.exclude_outside ? normalised(taps, size) : taps
  },
  /** Keys 1981, cubic convolution with parameter `cubic_coeff_a`. */
  cubic: (p: number, size: number, attr: ResizeAttributes): [number, number][] => {
    const a = attr.cubic_coeff_a ?? -0.75
    const low = Math.floor(p)
    const taps = [-1, 0, 1, 2].map((k): [number, number] => [low + k, keys(Math.abs(p - low - k), a)])
    return attr.exclude_outside ? normalised(taps, size) : taps
  },
}

const keys = (d: number, a: number): number =>
  d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0

/** Drops taps outside the input and scales the rest to a sum of 1 (`exclude_outside`). */
function normalised(taps: [number, number][], size: number): [number, number][] {
  const inside = taps.filter(([j]) => j >= 0 && j < size)
  const sum = inside.reduce((s, [, w]) => s + w, 0)
  return inside.map(([j, w]) => [j, w / sum])
}
