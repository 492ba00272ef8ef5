import { f32, sizeOf } from '../../../graph/tensor.ts'
import { EMIT_OPSET } from '../../../ops/emit.ts'
import { staticShape } from '../../../graph/types.ts'
import { cpuTarget, type LowerContext, type Replacement, type Target } from '../lower.ts'
import { shiftByRunningMean } from './batchnorm.ts'
import { geometryOf, offsetsOf } from './geometry.ts'
import { spreadWindows } from './pool.ts'

/** The least finite number in single precision: what a max-pool's padding counts as. */
const LEAST = -3.4028234663852886e38

/**
 * A max-pool has no indices here. The k positions of every window as k planes: those that equal the maximum, the first
 * of them by rank, and dY there.
 */
function maxPoolGrad({ g, node, attr }: LowerContext): string[] {
  const [dy = '', x = '', y = ''] = node.inputs
  const [xd, yd] = [g.dims(x), g.dims(dy)]
  const kernel = attr['kernel_shape'] as readonly number[]
  const geometry = geometryOf(attr, xd, yd, kernel)
  const [count, planes, spatial] = [sizeOf(kernel), sizeOf(xd.slice(0, 2)), yd.slice(2)]
  const candidates = g.concat(
    windowsOf({ g, x, geometry, xd, yd }).map((window) => g.reshape(window, [planes, 1, ...spatial])),
    1,
  )
  const single = (value: string) => g.reshape(value, [planes, 1, ...spatial])
  const rank = f32(
    Array.from({ length: count }, (_, i) => count - i),
    [1, count, ...kernel.map(() => 1)],
  )
  const ranks = g.mul(g.mask(g.equal(candidates, single(y)), dy), g.constant('window_ranks', rank))
  const first = g.mask(g.equal(ranks, g.reduceMax(ranks, [1])), dy)
  const places = g.constant('window_places', f32(identity(count), [count, 1, ...kernel]))
  return [g.reshape(spreadWindows(g, g.mul(first, single(dy)), places, geometry, xd, yd), xd)]
}

const identity = (n: number): number[] => Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0))

/** One tensor in the shape of Y for every position in the kernel: the element of X that each window has there. */
function windowsOf({
  g,
  x,
  geometry,
  xd,
  yd,
}: Pick<LowerContext, 'g'> & {
  readonly x: string
  readonly geometry: ReturnType<typeof geometryOf>
  readonly xd: readonly number[]
  readonly yd: readonly number[]
}): string[] {
  const { kernel, strides, dilations, before } = geometry
  const lengths = kernel.map((_, i) => ((yd[i + 2] as number) - 1) * (strides[i] as number) + 1)
  // With ceil_mode the last window reaches beyond what `pads` says.
  const after = kernel.map((k, i) => {
    const reach = (lengths[i] as number) + (k - 1) * (dilations[i] as number)
    return Math.max(0, reach - (before[i] as number) - (xd[i + 2] as number))
  })
  const pads = [0, 0, ...before, 0, 0, ...after]
  const padded = pads.every((p) => p === 0)
    ? x
    : g.op('Pad', [x, g.ints(pads), g.scalar(LEAST, g.dtype(x))], { mode: 'constant' })
  const axes = kernel.map((_, i) => i + 2)
  return offsetsOf(kernel).map((offset) => {
    const starts = offset.map((o, i) => o * (dilations[i] as number))
    const ends = starts.map((s, i) => s + (lengths[i] as number))
    return g.slice(padded, axes, starts, ends, strides)
  })
}

/** onnxruntime's own matrix product with transposes folded in. */
const fusedMatMul: Replacement = ({ g, node, attr }) => {
  const [a = '', b = ''] = node.inputs
  const product = g.matmul(attr['transA'] ? g.swapLast(a) : a, attr['transB'] ? g.swapLast(b) : b)
  const alpha = (attr['alpha'] as number | undefined) ?? 1
  return [alpha === 1 ? product : g.mul(product, alpha)]
}

const logSoftmax: Replacement = ({ g, node, attr, graph }) => {
  if (graph.opset < EMIT_OPSET) return undefined
  const [x = ''] = node.inputs
  const axes = [(attr['axis'] as number | undefined) ?? -1]
  const shifted = g.sub(x, g.reduceMax(x, axes))
  return [g.sub(shifted, g.log(g.sum(g.exp(shifted), axes)))]
}

/** Buffers that one shader may be bound to at least on every device, less the input: a Split binds all its outputs. */
const MOST_PARTS = 7

/** A vector of all parameters has more parts than a shader can write: each becomes a Slice. */
const split: Replacement = ({ g, node, attr }) => {
  const [x = ''] = node.inputs
  const axis = Number(attr['axis'] ?? 0)
  const sizes = node.outputs.map((output) => staticShape(g.type(output))?.at(axis))
  if (sizes.length <= MOST_PARTS || !sizes.every((size) => size !== undefined)) return undefined
  let start = 0
  return sizes.map((size) => g.slice(x, [axis], [start], [(start += size)]))
}

/** Sizes of a grouped convolution: channels that a group reads, and that it writes. */
interface Grouped {
  readonly reads: number
  readonly writes: number
}

/**
 * onnxruntime 1.30 computes grouped convolutions with vectors of 4 or 2 output channels, also where such a vector
 * belongs to two groups, and then takes one group's inputs for both.
 */
const writesAcrossGroups = (group: number, { writes }: Grouped): boolean =>
  writes > 1 && writes % (((group * writes) % 4 === 0 && 4) || ((group * writes) % 2 === 0 && 2) || 1) !== 0

/** Its transposed ones read vectors of input channels, and take the wrong ones where a group writes a single channel. */
const readsAcrossGroups = (_group: number, { reads, writes }: Grouped): boolean => writes === 1 && reads > 1

/** A grouped convolution group by group, where `isWrong` says that the runtime's own is not right. */
const byGroup =
  (op: 'Conv' | 'ConvTranspose', isWrong: (group: number, sizes: Grouped) => boolean): Replacement =>
  ({ g, node, attr }) => {
    const [x = '', w = '', bias] = node.inputs
    const group = Number(attr['group'] ?? 1)
    const [first, second] = staticShape(g.type(w)) ?? []
    if (group === 1 || first === undefined || second === undefined) return undefined
    const own = first / group
    const sizes = op === 'Conv' ? { reads: second, writes: own } : { reads: own, writes: second }
    if (!isWrong(group, sizes)) return undefined
    const part = (value: string, axis: number, i: number, size: number) =>
      g.slice(value, [axis], [i * size], [(i + 1) * size])
    const parts = Array.from({ length: group }, (_, i) =>
      g.op(op, [part(x, 1, i, sizes.reads), part(w, 0, i, own), ...(bias ? [part(bias, 0, i, sizes.writes)] : [])], {
        ...attr,
        group: 1,
      }),
    )
    return [g.concat(parts, 1)]
  }

/**
 * Any provider that computes beside the processor: no max-pool indices, no vectors in blocks. Providers other than
 * WebGPU have onnxruntime's own operators too.
 */
export const deviceTarget: Target = {
  lowerings: { ...cpuTarget.lowerings, MaxPoolGrad: maxPoolGrad },
  preparations: [shiftByRunningMean],
}

/**
 * onnxruntime's WebGPU provider. What it lacks its CPU neighbour computes, with a wait and a copy each way, so that the
 * operators of training are written with those that it has.
 */
export const webgpuTarget: Target = {
  ...deviceTarget,
  replacements: {
    'com.microsoft.FusedMatMul': fusedMatMul,
    Conv: byGroup('Conv', writesAcrossGroups),
    ConvTranspose: byGroup('ConvTranspose', readsAcrossGroups),
    LogSoftmax: logSoftmax,
    Split: split,
  },
}
