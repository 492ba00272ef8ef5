import { tensorType, type Shape } from '../../graph/types.ts'
import { exactDivide, isNumber, multiply, openShape } from '../dims.ts'
import { withDim, type Call, type TypeRules } from './call.ts'
import { slidShape, windowsOf, type WindowAttributes } from './window.ts'

/** The output shape of a pooling window over input 0. */
export function poolShape<A extends WindowAttributes>(c: Call<A>): Shape | undefined {
  const input = c.shape(0)
  const kernel = c.attr.kernel_shape
  if (!input || !kernel) return undefined
  if (input.length !== kernel.length + 2) {
    throw c.contradiction(
      `its kernel has ${kernel.length} axes, its input ${input.length - 2} spatial ones`,
      `${kernel.length + 2} axes`,
      `${input.length}`,
    )
  }
  return [...input.slice(0, 2), ...slidShape(c, input.slice(2), windowsOf(c, kernel))]
}

const pooled = <A extends WindowAttributes>(c: Call<A>) => c.out(c.dtype(0), poolShape(c))

/** Every spatial axis becomes 1. */
export const globalPoolShape = <A>(c: Call<A>): Shape | undefined => c.shape(0)?.map((d, i) => (i < 2 ? d : 1))
const global = <A>(c: Call<A>) => c.out(c.dtype(0), globalPoolShape(c))

function unpoolShape(c: Call<WindowAttributes>): Shape | undefined {
  if (c.has(2)) return c.sizes(2) ?? c.shape(0)?.map(() => '?' as const)
  const kernel = c.attr.kernel_shape
  const windows = kernel && windowsOf(c, kernel)
  return c.shape(0)?.map((size, i) => {
    if (i < 2) return size
    const w = windows?.[i - 2]
    if (!w || !isNumber(size) || !isNumber(w.kernel)) return '?'
    return (size - 1) * w.stride + w.kernel - w.begin - w.end
  })
}

/** Regions of interest come as [count, 4 or 5]; the result has one crop per region. */
const crops = <A>(c: Call<A>, height: number, width: number) =>
  c.out(c.dtype(0), [c.dim(1, 0), c.dim(0, 1), height, width])

export const pool = {
  AveragePool: pooled,
  LpPool: pooled,
  MaxPool: (c) => [tensorType(c.dtype(0), poolShape(c)), tensorType('i64', poolShape(c))],
  GlobalAveragePool: global,
  GlobalLpPool: global,
  GlobalMaxPool: global,
  MaxUnpool: (c) => c.out(c.dtype(0), unpoolShape(c)),
  MaxRoiPool: (c) => crops(c, c.attr.pooled_shape?.[0] ?? 1, c.attr.pooled_shape?.[1] ?? 1),
  RoiAlign: (c) => crops(c, c.attr.output_height ?? 1, c.attr.output_width ?? 1),
  /** Grid [N, …spatial out, axes] picks samples of X [N, C, …spatial in]. */
  GridSample: (c) => {
    const grid = c.shape(1)
    return c.out(c.dtype(0), grid && c.shape(0) && [c.dim(0, 0), c.dim(0, 1), ...grid.slice(1, -1)])
  },
  AffineGrid: (c) => {
    const size = c.sizes(1)
    if (!size) return c.out(c.dtype(0), openShape(c.dim(1, 0)))
    return c.out(c.dtype(0), [size[0] ?? '?', ...size.slice(2), size.length - 2])
  },
  LRN: (c) => [c.valueType(0)],
  DepthToSpace: (c) => c.out(c.dtype(0), movedBlocks(c, 1)),
  SpaceToDepth: (c) => c.out(c.dtype(0), movedBlocks(c, -1)),
} satisfies TypeRules

/** [N, C, H, W] with b² channels traded for b × b pixels (1) or the other way (−1). */
function movedBlocks(c: Call<{ readonly blocksize?: number }>, direction: 1 | -1): Shape | undefined {
  const shape = c.shape(0)
  const block = c.attr.blocksize
  if (shape?.length !== 4 || block === undefined || block < 1) return undefined
  const scaled = (axis: number, factor: number, grows: boolean) => {
    const size = shape[axis] ?? '?'
    if (grows) return multiply(size, factor)
    if (isNumber(size) && size % factor !== 0) {
      throw c.contradiction(`blocksize=${block} does not divide axis ${axis}`, `a multiple of ${factor}`, `${size}`)
    }
    return exactDivide(size, factor)
  }
  const channels = withDim(shape, 1, scaled(1, block * block, direction < 0))
  return withDim(withDim(channels, 2, scaled(2, block, direction > 0)), 3, scaled(3, block, direction > 0))
}
