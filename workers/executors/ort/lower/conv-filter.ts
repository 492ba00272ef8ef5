import { sizeOf } from '../../../graph/tensor.ts'
import type { Emitter } from '../../../ops/emit.ts'
import type { LowerContext } from '../lower.ts'
import { fusedMatMul, geometryOf, offsetsOf, padSpatial, type Geometry } from './geometry.ts'

/** A convolution's filter gradient with its static shapes at hand. X is [N, C, …], dY [N, M, …], W [M, C/g, k…]. */
interface FilterGrad extends Geometry {
  readonly g: Emitter
  readonly dy: string
  readonly x: string
  readonly xd: readonly number[]
  readonly yd: readonly number[]
  readonly wd: readonly number[]
}

/** dW[m,c,k] = Σ_{n,o} dY[n,m,o] · X[n,c,o·s + k·d − p]: which form is fastest depends on the shape. */
export function convFilterGrad({ g, node, attr }: LowerContext): string[] {
  const [dy = '', x = '', w = ''] = node.inputs
  const [xd, yd, wd] = [g.dims(x), g.dims(dy), g.dims(w)]
  const f: FilterGrad = { ...geometryOf(attr, xd, yd, wd.slice(2)), g, dy, x, xd, yd, wd }
  return [candidates.find(({ fits }) => fits(f))?.write(f) ?? perOffset(f)]
}

const unpadded = (f: FilterGrad) => [...f.before, ...f.after].every((p) => p === 0)
const isDepthwise = (f: FilterGrad) => f.group === f.xd[1] && f.wd[1] === 1 && f.wd[0] === f.group

const isDense2d = (f: FilterGrad) => f.group === 1 && f.kernel.length === 2 && f.strides.every((s) => s === 1)

/** Planes that are written, per image: memory, not arithmetic, is what these forms differ in. */
const copiesByOffset = ({ kernel, xd }: FilterGrad) => 2 * sizeOf(kernel) * (xd[1] as number)
const copiesByRows = ({ kernel: [kh = 1, kw = 1], xd, yd }: FilterGrad) =>
  kh * (xd[1] as number) + 2 * kw * (yd[1] as number)

const candidates: readonly { readonly fits: (f: FilterGrad) => boolean; readonly write: (f: FilterGrad) => string }[] =
  [
    { fits: isDepthwise, write: depthwise },
    { fits: (f) => f.group === 1 && sizeOf(f.kernel) === 1 && unpadded(f), write: pointwise },
    { fits: (f) => isDense2d(f) && copiesByRows(f) < copiesByOffset(f), write: rowsTimesColumns },
  ]

/** 1×1: one product per image, no copies; a stride only picks positions. */
function pointwise(f: FilterGrad): string {
  const { g, x, dy, strides, xd, yd, wd } = f
  const axes = strides.flatMap((s, i) => (s > 1 ? [i + 2] : []))
  const picked =
    axes.length === 0
      ? x
      : g.slice(
          x,
          axes,
          axes.map(() => 0),
          axes.map((a) => xd[a] as number),
          axes.map((a) => strides[a - 2] as number),
        )
  const area = sizeOf(yd.slice(2))
  const flatX = g.reshape(picked, [xd[0] as number, xd[1] as number, area])
  const flatY = g.reshape(dy, [yd[0] as number, yd[1] as number, area])
  return g.reshape(sumOverBatch(g, fusedMatMul(g, flatY, flatX, { transB: 1 })), wd)
}

/** Sums [N, A, B] over N. Flat, so that onnxruntime reduces rows of a matrix. */
function sumOverBatch(g: Emitter, a: string): string {
  const [n, ...rest] = g.dims(a) as [number, ...number[]]
  return g.reshape(g.sum(g.reshape(a, [n, sizeOf(rest)]), [0], false), rest)
}

/** One plane of X for every kernel offset, stacked on channels, times dY, per image: k² copies, then one product. */
function perOffset(f: FilterGrad): string {
  const { g, dy, xd, yd, wd, kernel, group } = f
  const [n, m] = yd as [number, number]
  const channels = (xd[1] as number) / group
  const area = sizeOf(yd.slice(2))
  const padded = padSpatial(g, f.x, f.before, f.after)
  const planes = offsetsOf(kernel).map((offset) => {
    const plane = window(f, padded, offset)
    return g.reshape(plane, [n, group, channels, area])
  })
  const columns = g.concat(planes, 2)
  const rows = g.reshape(dy, [n, group, m / group, area])
  const grads = sumOverBatch(g, fusedMatMul(g, rows, columns, { transB: 1 }))
  // [g, M/g, k²·C/g] → [M, C/g, k…]
  const apart = g.reshape(grads, [m, sizeOf(kernel), channels])
  return g.reshape(g.transpose(apart, [0, 2, 1]), wd)
}

/** The elements of padded X that one kernel offset meets, in the shape of dY's plane. */
function window(f: FilterGrad, padded: string, offset: readonly number[]): string {
  const { g, strides, dilations, yd, kernel } = f
  const starts = offset.map((o, i) => o * (dilations[i] as number))
  const ends = starts.map((s, i) => s + ((yd[i + 2] as number) - 1) * (strides[i] as number) + 1)
  return g.slice(
    padded,
    kernel.map((_, i) => i + 2),
    starts,
    ends,
    strides,
  )
}

/** Few output channels: a product for every column instead of one over all columns stacked saves a copy of dY. */
const FEW_CHANNELS = 32

/**
 * Stride 1: row-shifted copies of X (one Gather of rows, which runs on all threads) times column-shifted copies of dY
 * give all offsets.
 */
function rowsTimesColumns(f: FilterGrad): string {
  const { g, dy, kernel, dilations, xd, yd, wd } = f
  const [kh, kw] = kernel as [number, number]
  const [dh, dw] = dilations as [number, number]
  const [n, m, ho, wo] = yd as [number, number, number, number]
  const c = xd[1] as number
  const wide = wo + (kw - 1) * dw
  const padded = padSpatial(g, f.x, f.before, f.after)
  const indices = [...Array(kh).keys()].flatMap((i) => [...Array(ho).keys()].map((row) => i * dh + row))
  const rows = g.reshape(g.op('Gather', [padded, g.ints(indices)], { axis: 2 }), [n, c * kh, ho * wide])
  const columns = [...Array(kw).keys()].map((j) => padSpatial(g, dy, [0, j * dw], [0, (kw - 1 - j) * dw]))
  if (m <= FEW_CHANNELS) {
    const grads = columns.map((column) => fusedMatMul(g, g.reshape(column, [n, m, ho * wide]), rows, { transB: 1 }))
    return g.concat(
      grads.map((grad) => g.reshape(sumOverBatch(g, grad), [m, c, kh, 1])),
      3,
    )
  }
  const stacked = g.reshape(g.concat(columns, 1), [n, kw * m, ho * wide])
  const grads = sumOverBatch(g, fusedMatMul(g, rows, stacked, { transB: 1 }))
  // [C, kh, kw, M] → [M, C, kh, kw]
  return g.reshape(g.transpose(g.reshape(grads, [c, kh, kw, m]), [3, 0, 1, 2]), wd)
}

/** Depthwise: all N·C planes as the groups of one convolution whose kernels are the planes of dY. */
function depthwise(f: FilterGrad): string {
  const { g, dy, kernel, strides, dilations, before, after, xd, yd, wd } = f
  const [n, c] = xd as [number, number]
  const planes = g.reshape(f.x, [1, n * c, ...xd.slice(2)])
  const kernels = g.reshape(dy, [n * c, 1, ...yd.slice(2)])
  const grads = g.op('Conv', [planes, kernels], {
    group: n * c,
    kernel_shape: yd.slice(2),
    strides: dilations,
    dilations: strides,
    pads: [...before, ...after],
  })
  // A stride that does not reach the last rows leaves more offsets than the kernel has.
  const trimmed = g.slice(
    grads,
    kernel.map((_, i) => i + 2),
    kernel.map(() => 0),
    kernel,
  )
  return g.reshape(g.sum(g.reshape(trimmed, [n, c * sizeOf(kernel)]), [0], false), wd)
}
