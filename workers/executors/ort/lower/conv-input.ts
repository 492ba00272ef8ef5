import type { Emitter } from '../../../ops/emit.ts'
import type { LowerContext } from '../lower.ts'
import { geometryOf, product, type Geometry } from './geometry.ts'

/**
 * The gradient of a convolution with respect to its input. At stride 1 it is a convolution of dY with the kernel
 * flipped and its channel axes swapped, which onnxruntime runs 1.2–1.7 times faster than its ConvTranspose.
 */
export function convInputGrad({ g, node, attr }: LowerContext): string[] {
  const [dy = '', w = '', x = ''] = node.inputs
  const [xd, yd, wd] = [g.dims(x), g.dims(dy), g.dims(w)]
  const geometry = geometryOf(attr, xd, yd, wd.slice(2))
  const { before, after, dilations, kernel } = geometry
  const reach = kernel.map((k, i) => (k - 1) * (dilations[i] as number))
  const fits = reach.every((r, i) => r >= (before[i] as number) && r >= (after[i] as number))
  if (geometry.strides.every((s) => s === 1) && fits) {
    // Rows that the forward pass left unread at the end get zeros.
    const pads = [...reach.map((r, i) => r - (before[i] as number)), ...reach.map((r, i) => r - (after[i] as number))]
    const flipped = swapChannels(g, flipKernel(g, w, kernel), geometry.group)
    return [g.op('Conv', [dy, flipped], { pads, dilations, group: geometry.group, kernel_shape: kernel })]
  }
  if (product(kernel) === 1 && geometry.group === 1 && [...before, ...after].every((p) => p === 0)) {
    return [pointwiseStrided(g, dy, w, xd, geometry)]
  }
  return [transposed(g, dy, w, xd, yd, geometry)]
}

function flipKernel(g: Emitter, w: string, kernel: readonly number[]): string {
  const axes = kernel.flatMap((k, i) => (k > 1 ? [i + 2] : []))
  if (axes.length === 0) return w
  return g.slice(
    w,
    axes,
    axes.map(() => -1),
    axes.map((a) => -(kernel[a - 2] as number) - 1),
    axes.map(() => -1),
  )
}

/** [M, C/g, k…] → [C, M/g, k…], group by group. */
function swapChannels(g: Emitter, w: string, group: number): string {
  const [m, c, ...kernel] = g.dims(w) as [number, number, ...number[]]
  const tail = kernel.map((_, i) => i)
  if (m === group && c === 1) return w
  if (group === 1) return g.transpose(w, [1, 0, ...tail.map((i) => i + 2)])
  const apart = g.reshape(w, [group, m / group, c, ...kernel])
  return g.reshape(g.transpose(apart, [0, 2, 1, ...tail.map((i) => i + 3)]), [group * c, m / group, ...kernel])
}

/** 1×1 with a stride: a dense product on the small plane, then zeros between its elements. */
function pointwiseStrided(g: Emitter, dy: string, w: string, xd: readonly number[], geometry: Geometry): string {
  const small = g.op('Conv', [dy, swapChannels(g, w, 1)], { kernel_shape: geometry.kernel })
  const [n, c, ...spatial] = g.dims(small) as [number, number, ...number[]]
  // [n, c, h, 1, w, 1] padded to [n, c, h, s, w, s] is the plane with zeros in between.
  const apart = g.reshape(small, [n, c, ...spatial.flatMap((d) => [d, 1])])
  const after = [0, 0, ...geometry.strides.flatMap((s) => [0, s - 1])]
  const spread = g.reshape(g.pad(apart, [...after.map(() => 0), ...after]), [
    n,
    c,
    ...spatial.map((d, i) => d * (geometry.strides[i] as number)),
  ])
  // The last stride may reach past the input, or stop short of it.
  const fit = spatial.map((d, i) => (xd[i + 2] as number) - d * (geometry.strides[i] as number))
  return g.pad(spread, [...Array<number>(fit.length + 4).fill(0), ...fit])
}

function transposed(
  g: Emitter,
  dy: string,
  w: string,
  xd: readonly number[],
  yd: readonly number[],
  geometry: Geometry,
): string {
  const { kernel, strides, dilations, before, after, group } = geometry
  const output_padding = kernel.map((k, i) => {
    const covered = ((yd[i + 2] as number) - 1) * (strides[i] as number) + (k - 1) * (dilations[i] as number) + 1
    return (xd[i + 2] as number) - (covered - (before[i] as number) - (after[i] as number))
  })
  const pads = [...before, ...after]
  return g.op('ConvTranspose', [dy, w], { kernel_shape: kernel, strides, dilations, pads, group, output_padding })
}
