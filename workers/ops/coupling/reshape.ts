import type { Node } from '../../graph/graph.ts'
import { i64, sizeOf } from '../../graph/tensor.ts'
import type { Dim, Shape } from '../../graph/types.ts'
import { fixed, isLive, isPeriodic, periodic, spread, type Axis } from './axis.ts'
import type { Coupled, CouplingCall, Cut } from './call.ts'
import { patchedSizes } from './sizes.ts'

/*
 * Reshapes, row-major. Dimensions that are the same from the front and from the back keep their axes. What lies
 * between is one run of elements, taken apart into the coarsest factors that both shapes are products of: [H·d] → [H, d]
 * has the factors H and d, [C, H, W] → [C·H·W] has C, H and W, a shuffle [g·c] → [g, c] has g and c.
 */

const isSame = (a: Dim | undefined, b: Dim | undefined): boolean => a !== undefined && a === b && a !== '?'

/** How many dimensions agree from the front, and from the back of the rest. */
function agreement(from: Shape, to: Shape): { front: number; back: number } {
  const most = Math.min(from.length, to.length)
  let front = 0
  while (front < most && isSame(from[front], to[front])) front++
  let back = 0
  while (back < most - front && isSame(from.at(-1 - back), to.at(-1 - back))) back++
  return { front, back }
}

/** Sizes of the common factors from the outermost, or undefined when sizes do not divide each other. */
export function commonFactors(from: readonly number[], to: readonly number[]): number[] | undefined {
  const suffixes = (dims: readonly number[]) => {
    let product = 1
    return dims.toReversed().map((d) => (product *= d))
  }
  const ends = [...new Set([1, ...suffixes(from), ...suffixes(to)])].sort((a, b) => a - b)
  const factors: number[] = []
  for (let i = 1; i < ends.length; i++) {
    const size = (ends[i] as number) / (ends[i - 1] as number)
    if (!Number.isInteger(size)) return undefined
    factors.unshift(size)
  }
  return factors
}

/** For each dimension the factors that it is the product of, as a range of positions. */
function ranges(dims: readonly number[], factors: readonly number[]): (readonly [number, number])[] {
  let at = 0
  return dims.map((size) => {
    const start = at
    for (let product = 1; product < size; product *= factors[at++] as number);
    return [start, at]
  })
}

/** The axes of a reshaped tensor: `from` and `to` are the shapes, `axes` those of `from`. */
export function reshaped<A>(c: CouplingCall<A>, axes: readonly Axis[], from: Shape, to: Shape): readonly Axis[] {
  const { front, back } = agreement(from, to)
  const middle = axes.slice(front, axes.length - back)
  const inner = between(c, middle, from.slice(front, from.length - back), to.slice(front, to.length - back))
  return [...axes.slice(0, front), ...inner, ...axes.slice(axes.length - back)]
}

function between<A>(c: CouplingCall<A>, axes: readonly Axis[], from: Shape, to: Shape): readonly Axis[] {
  const stop = (reason: string): readonly Axis[] => {
    for (const axis of axes) c.pin(axis, reason)
    return to.map(() => fixed(`${c.label}: ${reason}`))
  }
  const open = withOpenBatch(c, axes, from, to)
  if (open) return open
  if (!isStatic(from) || !isStatic(to)) return stop('it mixes axes of open size')
  const factors = commonFactors(from, to)
  if (!factors) return stop('it splits channels at sizes that do not divide each other')
  const parts: Axis[] = []
  ranges(from, factors).forEach(([start, end], k) => {
    parts.push(...takenApart(c, axes[k] as Axis, factors.slice(start, end)))
  })
  return ranges(to, factors).map(([start, end]) => together(c, parts.slice(start, end), factors.slice(start, end)))
}

/**
 * Open sizes in front, times a number on either side: [B, H·d] → [B·H, d] and back, [S, B, H, d] → [S·B, H·d]. What
 * repeats with the open size is a periodic axis; what lies before the last open size stays whole.
 */
function withOpenBatch<A>(
  c: CouplingCall<A>,
  axes: readonly Axis[],
  from: Shape,
  to: Shape,
): readonly Axis[] | undefined {
  const [lead, ahead] = [leading(from), leading(to)]
  const [inner, outer] = [from.slice(lead), to.slice(ahead)]
  if (lead === 0 || ahead === 0 || !isStatic(inner) || !isStatic(outer)) return undefined
  const last = axes[lead - 1]
  const first = isPeriodic(last) ? last : undefined
  const period = first?.length ?? 1
  const left = (period * sizeOf(inner)) / sizeOf(outer)
  if (!Number.isInteger(left) || (left > 1 && ahead > 1)) return undefined
  for (const axis of axes.slice(0, first ? lead - 1 : lead)) c.pin(axis, 'an open size')
  const made = between(
    c,
    [...(first ? [first] : []), ...axes.slice(lead)],
    [...(first ? [period] : []), ...inner],
    [...(left > 1 ? [left] : []), ...outer],
  )
  const open = fixed(`${c.label}: an open size`)
  if (left === 1) return [...to.slice(0, ahead).map(() => open), ...made]
  const [repeated = open, ...rest] = made
  return [isLive(repeated) ? periodic(repeated) : repeated, ...rest]
}

/** How many dimensions there are up to the last open one. */
const leading = (shape: Shape): number => shape.findLastIndex((d) => typeof d !== 'number') + 1

const isStatic = (dims: Shape): dims is readonly number[] => dims.every((d) => typeof d === 'number' && d > 0)

/** One axis as its factors. */
function takenApart<A>(c: CouplingCall<A>, axis: Axis, sizes: readonly number[]): readonly Axis[] {
  if (sizes.length === 0) {
    c.pin(axis, 'a single channel')
    return []
  }
  if (!isLive(axis)) return sizes.map(() => axis)
  if (sizes.length === 1) return [axis]
  const factors = sizes.map((size) => c.fresh(size))
  c.product(axis, factors, sizes)
  return factors
}

/** Factors as one axis. */
function together<A>(c: CouplingCall<A>, factors: readonly Axis[], sizes: readonly number[]): Axis {
  const [first] = factors
  if (!first) return fixed('a single element')
  if (factors.length === 1) return first
  const live = factors.filter(isLive)
  if (live.length === 0) return first
  if (live.length === 1) return spread(live[0] as Int32Array, sizes, factors.findIndex(isLive))
  const whole = c.fresh(sizeOf(sizes)) as Int32Array
  c.product(whole, factors, sizes)
  return whole
}

/** The target of a Reshape after a cut: sizes that are open are copied (0) or left over (−1). */
function target(from: Shape, to: Shape, sizes: readonly (number | undefined)[]): readonly number[] | undefined {
  let left = 0
  const dims = to.map((dim, k) => {
    const size = sizes[k]
    if (size !== undefined) return size
    if (isSame(dim, from[k])) return 0
    left++
    return -1
  })
  return left <= 1 ? dims : undefined
}

/** Reshape, Flatten, Squeeze and Unsqueeze: the same elements in another shape. */
export function reshape<A>(c: CouplingCall<A>): Coupled {
  const [axes, from, to] = [c.axes(0), c.shape(0), c.outShape()]
  if (!axes || !from || !to) return c.barrier('its shapes are not known')
  const out = reshaped(c, axes, from, to)
  if (c.node.op !== 'Reshape') return { outputs: [out] }
  const sizes = to.map((d) => (typeof d === 'number' ? d : undefined))
  return { outputs: [out], cut: target(from, to, sizes) ? newTarget(from, to, out) : patchedSizes(1, to, out) }
}

const newTarget =
  (from: Shape, to: Shape, out: readonly Axis[]) =>
  (cut: Cut, node: Node): readonly Node[] => {
    const sizes = to.map((dim, k) => (typeof dim === 'number' ? cut.size(out[k] as Axis, dim) : undefined))
    const dims = target(from, to, sizes) ?? []
    const attributes = Object.fromEntries(Object.entries(node.attributes).filter(([name]) => name !== 'allowzero'))
    return [{ ...node, attributes, inputs: [node.inputs[0] ?? '', cut.constant(`${node.name}.shape`, i64(dims))] }]
  }

/** Channels of `[…, r², …]` that become pixels go together. */
export function depthToSpace(c: CouplingCall<{ readonly blocksize?: number; readonly mode?: string }>): Coupled {
  const axes = c.axes(0)
  const channels = axes?.[1]
  const { blocksize = 1, mode = 'DCR' } = c.attr
  const out = c.outShape()
  if (!channels || !out) return c.barrier('its shape is not known')
  const blocks = blocksize * blocksize
  if (!isLive(channels)) return { outputs: [out.map((_, k) => axes[k] ?? channels)] }
  const size = channels.length / blocks
  const made = c.fresh(size) as Int32Array
  // DCR has the blocks outermost, CRD innermost.
  c.join(spread(made, mode === 'CRD' ? [size, blocks] : [blocks, size], mode === 'CRD' ? 0 : 1), channels, BLOCKS)
  return { outputs: [pixels(c, axes, made)] }
}

const BLOCKS = 'channels that become pixels of one channel'

export function spaceToDepth(c: CouplingCall<{ readonly blocksize?: number }>): Coupled {
  const axes = c.axes(0)
  const channels = axes?.[1]
  if (!channels) return c.barrier('its shape is not known')
  const { blocksize = 1 } = c.attr
  const made = isLive(channels) ? spread(channels, [blocksize * blocksize, channels.length], 1) : channels
  return { outputs: [pixels(c, axes, made)] }
}

function pixels<A>(c: CouplingCall<A>, axes: readonly Axis[], channels: Axis): readonly Axis[] {
  return axes.map((axis, k) => {
    if (k >= 2) c.pin(axis, 'a spatial axis')
    return k === 0 ? axis : k === 1 ? channels : fixed('a spatial axis')
  })
}
