import type { Call, Kernels } from '../call.ts'
import { coordinatesOf } from '../iterate.ts'
import { array, floats, int64s, integers, numbers, type NdArray } from '../value.ts'

/** The four pixels around a point with bilinear weights; none far outside (He et al. 2017, arXiv:1703.06870). */
function bilinear(y: number, x: number, height: number, width: number): readonly (readonly [number, number])[] {
  if (y < -1 || y > height || x < -1 || x > width) return []
  const edge = (v: number, size: number) => {
    const clamped = Math.max(v, 0)
    const low = Math.min(Math.trunc(clamped), size - 1)
    const rest = low >= size - 1 ? 0 : clamped - low
    return [low, Math.min(low + 1, size - 1), rest] as const
  }
  const [top, bottom, ly] = edge(y, height)
  const [left, right, lx] = edge(x, width)
  return [
    [top * width + left, (1 - ly) * (1 - lx)],
    [top * width + right, (1 - ly) * lx],
    [bottom * width + left, ly * (1 - lx)],
    [bottom * width + right, ly * lx],
  ]
}

function roiAlign(call: Call): NdArray {
  const [x, rois, batches] = [call.input(0), floats(call.input(1)), integers(call.input(2))]
  const [, channels, height, width] = x.dims as [number, number, number, number]
  const [rows, columns] = [call.number('output_height', 1), call.number('output_width', 1)]
  const scale = call.number('spatial_scale', 1)
  const sampling = call.number('sampling_ratio', 0)
  const half =
    call.text('coordinate_transformation_mode', call.opset < 16 ? 'output_half_pixel' : 'half_pixel') === 'half_pixel'
  const largest = call.text('mode', 'avg') === 'max'
  const values = floats(x)
  const out = new Float64Array(batches.length * channels * rows * columns)
  batches.forEach((batch, r) => {
    const [left, top, right, bottom] = [0, 1, 2, 3].map(
      (k) => (rois[r * 4 + k] as number) * scale - (half ? 0.5 : 0),
    ) as [number, number, number, number]
    const binHeight = (half ? bottom - top : Math.max(bottom - top, 1)) / rows
    const binWidth = (half ? right - left : Math.max(right - left, 1)) / columns
    const [samplesY, samplesX] = sampling > 0 ? [sampling, sampling] : [Math.ceil(binHeight), Math.ceil(binWidth)]
    for (let bin = 0; bin < rows * columns; bin++) {
      const [row, column] = [Math.floor(bin / columns), bin % columns]
      const points = Array.from({ length: samplesY * samplesX }, (_, s) =>
        bilinear(
          top + row * binHeight + ((Math.floor(s / samplesX) + 0.5) * binHeight) / samplesY,
          left + column * binWidth + (((s % samplesX) + 0.5) * binWidth) / samplesX,
          height,
          width,
        ),
      )
      for (let c = 0; c < channels; c++) {
        const plane = (batch * channels + c) * height * width
        const terms = points.map((p) => p.map(([at, weight]) => weight * (values[plane + at] as number)))
        const total = (list: number[]) => list.reduce((a, b) => a + b, 0)
        out[(r * channels + c) * rows * columns + bin] = largest
          ? Math.max(...terms.map((t) => (t.length ? Math.max(...t) : 0)))
          : total(terms.map(total)) / Math.max(points.length, 1)
      }
    }
  })
  return array(x.dtype, [batches.length, channels, rows, columns], out)
}

/** Girshick 2015, arXiv:1504.08083: the maximum of each bin of a region whose corners are rounded to pixels. */
function maxRoiPool(call: Call): NdArray {
  const [x, rois] = [call.input(0), call.input(1)]
  const [, channels, height, width] = x.dims as [number, number, number, number]
  const [rows, columns] = call.numbers('pooled_shape') as readonly [number, number]
  const scale = call.number('spatial_scale', 1)
  const [values, boxes] = [floats(x), floats(rois)]
  const count = rois.dims[0] as number
  const out = new Float64Array(count * channels * rows * columns)
  const span = (start: number, end: number, bin: number, bins: number, size: number) => {
    const step = Math.max(end - start + 1, 1) / bins
    const clamp = (v: number) => Math.min(size, Math.max(0, v + start))
    return [clamp(Math.floor(bin * step)), clamp(Math.ceil((bin + 1) * step))] as const
  }
  for (let r = 0; r < count; r++) {
    const batch = boxes[r * 5] as number
    const [left, top, right, bottom] = [1, 2, 3, 4].map((k) => Math.round((boxes[r * 5 + k] as number) * scale)) as [
      number,
      number,
      number,
      number,
    ]
    for (let i = 0; i < channels * rows * columns; i++) {
      const [c, row, column] = coordinatesOf(i, [channels, rows, columns]) as [number, number, number]
      const [y0, y1] = span(top, bottom, row, rows, height)
      const [x0, x1] = span(left, right, column, columns, width)
      let best = y1 > y0 && x1 > x0 ? -Infinity : 0
      for (let y = y0; y < y1; y++) {
        for (let u = x0; u < x1; u++)
          best = Math.max(best, values[((batch * channels + c) * height + y) * width + u] as number)
      }
      out[r * channels * rows * columns + i] = best
    }
  }
  return array(x.dtype, [count, channels, rows, columns], out)
}

type Corners = readonly [number, number, number, number]

/** Top, left, bottom, right of a box given by two opposite corners or by centre and size. */
function cornersOf(boxes: ArrayLike<number>, at: number, centre: boolean): Corners {
  const [a, b, c, d] = [0, 1, 2, 3].map((k) => boxes[at * 4 + k] as number) as [number, number, number, number]
  if (centre) return [b - d / 2, a - c / 2, b + d / 2, a + c / 2]
  return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)]
}

function overlap(a: Corners, b: Corners): number {
  const height = Math.min(a[2], b[2]) - Math.max(a[0], b[0])
  const width = Math.min(a[3], b[3]) - Math.max(a[1], b[1])
  if (height <= 0 || width <= 0) return 0
  const area = (c: Corners) => (c[2] - c[0]) * (c[3] - c[1])
  return (height * width) / (area(a) + area(b) - height * width)
}

/** Greedy, per class: the best box stays, what overlaps a kept box by more than the threshold goes. */
function nonMaxSuppression(call: Call): NdArray {
  const [boxes, scores] = [call.input(0), call.input(1)]
  const number = (i: number, otherwise: number) => {
    const input = call.optional(i)
    return input && input.data.length > 0 ? (numbers(input)[0] as number) : otherwise
  }
  const [most, iou, least] = [number(2, 0), number(3, 0), number(4, -Infinity)]
  const [batch, classes, count] = scores.dims as [number, number, number]
  const [box, score] = [floats(boxes), floats(scores)]
  const centre = call.flag('center_point_box')
  const selected: number[] = []
  for (let bc = 0; bc < batch * classes; bc++) {
    const b = Math.floor(bc / classes)
    const at = (i: number) => score[bc * count + i] as number
    const candidates = Array.from({ length: count }, (_, i) => i).filter((i) => at(i) > least)
    candidates.sort((i, j) => at(j) - at(i) || i - j)
    const kept: number[] = []
    for (const i of candidates) {
      if (kept.length >= most) break
      const corners = cornersOf(box, b * count + i, centre)
      if (kept.every((k) => overlap(corners, cornersOf(box, b * count + k, centre)) <= iou)) kept.push(i)
    }
    selected.push(...kept.flatMap((i) => [b, bc % classes, i]))
  }
  return int64s(selected, [selected.length / 3, 3])
}

export const regions: Kernels = { RoiAlign: roiAlign, MaxRoiPool: maxRoiPool, NonMaxSuppression: nonMaxSuppression }
