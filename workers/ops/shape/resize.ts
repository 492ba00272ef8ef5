import type { Dim, Shape } from '../../graph/types.ts'
import { floorDivide, isNumber, multiply } from '../dims.ts'
import { requireAxis, type Call, type OutputTypes, type TypeRules } from './call.ts'

interface ResizeAttributes {
  readonly axes?: readonly number[]
  readonly keep_aspect_ratio_policy?: string
  readonly coordinate_transformation_mode?: string
}

/** ⌊size·scale⌋; a symbolic size takes whole scales and their inverses. */
export function scaledSize(size: Dim, scale: Dim): Dim {
  if (!isNumber(scale)) return '?'
  // Scales are float32: 0.6 times 10 must not lose an element to rounding.
  if (isNumber(size)) return Math.floor(Math.fround(size * scale))
  if (Number.isInteger(scale)) return multiply(size, scale)
  return Number.isInteger(1 / scale) ? floorDivide(size, 1 / scale) : '?'
}

function resizeShape(c: Call<ResizeAttributes>): Shape | undefined {
  const shape = c.shape(0)
  if (!shape) return undefined
  const axes = (c.attr.axes ?? shape.map((_, i) => i)).map((a) => requireAxis(c, a, shape.length))
  const [scaleAt, sizeAt] = c.opset < 11 ? [1, -1] : [2, 3]
  const sizes = c.has(sizeAt) ? c.sizes(sizeAt) : undefined
  const scales = c.sizes(scaleAt)
  const policy = c.attr.keep_aspect_ratio_policy
  const wanted = sizes && policy && policy !== 'stretch' ? keptRatio(shape, axes, sizes, policy) : sizes
  const cropped = c.attr.coordinate_transformation_mode === 'tf_crop_and_resize'
  return shape.map((d, i) => {
    const at = axes.indexOf(i)
    if (at < 0) return d
    if (wanted?.length) return wanted[at] ?? '?'
    const scale = scales?.[at]
    // A crop changes what is scaled, unless nothing is: then the region's size is unknown here.
    return scale === undefined
      ? '?'
      : cropped && scale !== 1
        ? croppedSize(c, d, i, shape.length, scale)
        : scaledSize(d, scale)
  })
}

/** tf_crop_and_resize scales the part of the axis that the region of interest covers. */
function croppedSize(c: Call<ResizeAttributes>, size: Dim, axis: number, rank: number, scale: Dim): Dim {
  const roi = c.numbers(1)
  const [start, end] = [roi?.[axis], roi?.[axis + rank]]
  if (start === undefined || end === undefined || !isNumber(size) || !isNumber(scale)) return '?'
  return Math.floor(size * (end - start) * scale)
}

/** One scale for all axes: the least (`not_larger`) or the greatest (`not_smaller`) of those asked for. */
function keptRatio(shape: Shape, axes: readonly number[], sizes: readonly Dim[], policy: string): readonly Dim[] {
  const ratios = axes.map((a, i) => {
    const [size, wanted] = [shape[a], sizes[i]]
    return isNumber(size) && isNumber(wanted) ? wanted / size : NaN
  })
  const scale = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios)
  return axes.map((a) => {
    const size = shape[a]
    return isNumber(size) && !Number.isNaN(scale) ? Math.floor(size * scale + 0.5) : '?'
  })
}

function upsample(c: Call<{ readonly scales?: readonly number[] }>): OutputTypes {
  const scales = c.attr.scales ?? c.sizes(1)
  return c.out(
    c.dtype(0),
    c.shape(0)?.map((d, i) => scaledSize(d, scales?.[i] ?? '?')),
  )
}

export const resize = {
  Resize: (c) => c.out(c.dtype(0), resizeShape(c)),
  Upsample: upsample,
} satisfies TypeRules
