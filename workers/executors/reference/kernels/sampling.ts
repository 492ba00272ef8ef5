import { addBias } from '../convolution.ts'
import type { Call, Kernels } from '../call.ts'
import { roundHalfEven } from '../formats.ts'
import { coordinatesOf, sizeOf, stridesOf } from '../iterate.ts'
import { array, floats, int64s, integers, numbers, type NdArray } from '../value.ts'
import { cubicKernel } from './resize.ts'

/** One element at fractional coordinates: every combination of the neighbours along each axis, weighted. */
function interpolate(
  plane: (coordinates: readonly number[]) => number,
  neighbours: readonly (readonly (readonly [number, number])[])[],
  picked: readonly number[] = [],
): number {
  const [first, ...rest] = neighbours
  if (!first) return plane(picked)
  let sum = 0
  for (const [coordinate, weight] of first) {
    if (weight !== 0) sum += weight * interpolate(plane, rest, [...picked, coordinate])
  }
  return sum
}

const neighbourRules: Readonly<Record<string, (x: number) => readonly (readonly [number, number])[]>> = {
  nearest: (x) => [[roundHalfEven(x), 1]],
  linear: (x) => {
    const low = Math.floor(x)
    return [
      [low, 1 - (x - low)],
      [low + 1, x - low],
    ]
  },
  cubic: (x) => {
    const low = Math.floor(x)
    return [-1, 0, 1, 2].map((k) => [low + k, cubicKernel(x - low - k, -0.75)] as const)
  },
}

/** Mirrors a coordinate at both borders until it lies between them. */
function reflect(x: number, [low, high]: readonly [number, number]): number {
  const range = high - low
  if (range === 0) return low
  const distance = x < low ? low - x : x > high ? x - high : 0
  if (distance === 0) return x
  const turns = Math.trunc(distance / range)
  const rest = distance - turns * range
  return x < low === (turns % 2 === 0) ? low + rest : high - rest
}

/** Samples x at the points of a grid in [-1, 1], whose last axis is x, y(, z). Jaderberg et al. 2015, arXiv:1506.02025. */
function gridSample(call: Call): NdArray {
  const [x, grid] = [call.input(0), call.input(1)]
  const spatial = x.dims.slice(2)
  const aligned = call.flag('align_corners')
  const padding = call.text('padding_mode', 'zeros')
  const mode = call.text('mode', 'linear').replace('bilinear', 'linear').replace('bicubic', 'cubic')
  const rule = neighbourRules[mode] ?? call.fail(`has no mode "${mode}"`)
  const border = (size: number) => (aligned ? ([0, size - 1] as const) : ([-0.5, size - 0.5] as const))
  const within = (c: number, size: number) => {
    if (padding === 'border') return Math.min(size - 1, Math.max(0, c))
    return padding === 'reflection' ? reflect(c, border(size)) : c
  }
  const source = (n: number, size: number) => {
    const c = aligned ? ((n + 1) / 2) * (size - 1) : ((n + 1) * size - 1) / 2
    return within(mode === 'nearest' ? roundHalfEven(c) : c, size)
  }
  const values = floats(x)
  const points = floats(grid)
  const outSpatial = grid.dims.slice(1, -1)
  const [batch, channels] = [x.dims[0] as number, x.dims[1] as number]
  const [count, plane, rank] = [sizeOf(outSpatial), sizeOf(spatial), spatial.length]
  const strides = stridesOf(spatial)
  const out = new Float64Array(batch * channels * count)
  for (let n = 0; n < batch; n++) {
    for (let p = 0; p < count; p++) {
      const neighbours = spatial.map((size, d) =>
        rule(source(points[(n * count + p) * rank + rank - 1 - d] as number, size)),
      )
      for (let c = 0; c < channels; c++) {
        const start = (n * channels + c) * plane
        out[(n * channels + c) * count + p] = interpolate((coordinates) => {
          let offset = start
          for (let d = 0; d < rank; d++) {
            const size = spatial[d] as number
            const i = Math.trunc(within(coordinates[d] as number, size))
            if (i < 0 || i >= size) return 0
            offset += i * (strides[d] as number)
          }
          return values[offset] as number
        }, neighbours)
      }
    }
  }
  return array(x.dtype, [batch, channels, ...outSpatial], out)
}

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

/** A convolution whose taps are moved by learned offsets and weighted by a mask; Zhu et al. 2019, arXiv:1811.11168. */
function deformConv(call: Call): NdArray {
  const [x, w, offset] = [call.input(0), call.input(1), call.input(2)]
  const [bias, mask] = [call.optional(3), call.optional(4)]
  const [batch, inputs, height, width] = x.dims as [number, number, number, number]
  const [outputs, perGroup, kernelHeight, kernelWidth] = w.dims as [number, number, number, number]
  const group = call.number('group', 1)
  const offsetGroups = call.number('offset_group', 1)
  const [strides, dilations] = [call.numbers('strides') ?? [1, 1], call.numbers('dilations') ?? [1, 1]]
  const pads = call.numbers('pads') ?? [0, 0, 0, 0]
  const [rows, columns] = offset.dims.slice(2) as [number, number]
  const [taps, cells] = [kernelHeight * kernelWidth, rows * columns]
  const [values, weights, moves, masks] = [floats(x), floats(w), floats(offset), mask && floats(mask)]
  const out = new Float64Array(batch * outputs * cells)
  const sampled = (n: number, c: number, k: number, cell: number): number => {
    const g = (n * offsetGroups + Math.floor(c / (inputs / offsetGroups))) * taps + k
    const y =
      Math.floor(cell / columns) * (strides[0] as number) -
      (pads[0] as number) +
      Math.floor(k / kernelWidth) * (dilations[0] as number)
    const u =
      (cell % columns) * (strides[1] as number) - (pads[1] as number) + (k % kernelWidth) * (dilations[1] as number)
    const [py, px] = [y + (moves[2 * g * cells + cell] as number), u + (moves[(2 * g + 1) * cells + cell] as number)]
    const value = interpolate(
      ([i, j]) => {
        const [yi, xj] = [i as number, j as number]
        return yi < 0 || yi >= height || xj < 0 || xj >= width
          ? 0
          : (values[((n * inputs + c) * height + yi) * width + xj] as number)
      },
      [py, px].map((v) => (neighbourRules['linear'] as (x: number) => readonly (readonly [number, number])[])(v)),
    )
    return value * (masks ? (masks[g * cells + cell] as number) : 1)
  }
  for (let n = 0; n < batch; n++) {
    for (let m = 0; m < outputs; m++) {
      const first = Math.floor(m / (outputs / group)) * perGroup
      for (let cell = 0; cell < cells; cell++) {
        let sum = 0
        for (let i = 0; i < perGroup; i++) {
          for (let k = 0; k < taps; k++)
            sum += (weights[(m * perGroup + i) * taps + k] as number) * sampled(n, first + i, k, cell)
        }
        out[(n * outputs + m) * cells + cell] = sum
      }
    }
  }
  return array(x.dtype, [batch, outputs, rows, columns], bias ? addBias(out, floats(bias), cells) : out)
}

export const samplers: Kernels = {
  GridSample: gridSample,
  RoiAlign: roiAlign,
  MaxRoiPool: maxRoiPool,
  NonMaxSuppression: nonMaxSuppression,
  DeformConv: deformConv,
}
