import { toAttributes } from '../../graph/attributes.ts'
import type { Node } from '../../graph/graph.ts'
import { i64, numbersOf } from '../../graph/tensor.ts'
import { axisOf } from '../shape/call.ts'
import { concatenate } from '../../graph/concatenate.ts'
import { fixed, isLive, tile, type Axis } from './axis.ts'
import type { Coupled, CouplingCall, CouplingRules, Cut } from './call.ts'
import { depthToSpace, reshape, spaceToDepth } from './reshape.ts'
import { patchedSizes } from './sizes.ts'

function transpose(c: CouplingCall<{ readonly perm?: readonly number[] }>): Coupled {
  const axes = c.axes(0)
  if (!axes) return c.barrier('its rank is not known')
  const perm = c.attr.perm ?? axes.map((_, k) => axes.length - 1 - k)
  return { outputs: [perm.map((k) => axes[k] as Axis)] }
}

/** Channels one after the other; the other axes are shared. */
function concat(c: CouplingCall<{ readonly axis?: number }>): Coupled {
  const inputs = c.inputsFrom(0)
  const all = inputs.map((i) => c.axes(i))
  const rank = all[0]?.length ?? 0
  const at = axisOf(c.attr.axis ?? 1, rank)
  if (at === undefined || all.some((axes) => axes?.length !== rank)) return c.barrier('its ranks are not known')
  const out = Array.from({ length: rank }, (_, k): Axis => {
    const parts = all.map((axes) => (axes as readonly Axis[])[k] as Axis)
    if (k !== at) return c.joinAll(parts, 'they are concatenated along another axis')
    const sizes = inputs.map((i) => c.shape(i)?.[k])
    if (parts.every((part) => !isLive(part))) return parts[0] as Axis
    if (!sizes.every((size) => typeof size === 'number')) {
      for (const part of parts) c.pin(part, 'it is joined with an axis of open size')
      return fixed(`${c.label}: its size is open`)
    }
    return concatenate(
      Int32Array,
      parts.map((part, i) => c.atomsOf(part, sizes[i] as number)),
    )
  })
  return { outputs: [out] }
}

/** Ranges of the channels; their sizes are written anew. */
function split(c: CouplingCall<{ readonly axis?: number; readonly split?: readonly number[] }>): Coupled {
  const axes = c.axes(0)
  const at = axes && axisOf(c.attr.axis ?? 0, axes.length)
  if (!axes || at === undefined) return c.barrier('its rank is not known')
  const axis = axes[at] as Axis
  const sizes = c.node.outputs.map((_, k) => c.outShape(k)?.[at])
  if (!isLive(axis) || !sizes.every((size) => typeof size === 'number')) {
    c.pin(axis, 'the sizes of its parts are not known')
    const whole = isLive(axis) ? fixed(`${c.label}: the sizes of its parts are not known`) : axis
    return { outputs: c.node.outputs.map(() => axes.map((a, k) => (k === at ? whole : a))) }
  }
  let start = 0
  const parts = sizes.map((size) => axis.subarray(start, (start += size)))
  const newSizes = (cut: Cut, node: Node): readonly Node[] => {
    const split = parts.map((part) => cut.size(part, part.length))
    const { num_outputs: _, split: __, ...rest } = node.attributes
    if (c.opset < 13) return [{ ...node, attributes: { ...rest, ...toAttributes('Split', '', { split }) } }]
    return [
      { ...node, attributes: rest, inputs: [node.inputs[0] ?? '', cut.constant(`${node.name}.split`, i64(split))] },
    ]
  }
  return { outputs: parts.map((part) => axes.map((a, k) => (k === at ? part : a))), cut: newSizes }
}

export interface SliceAttributes {
  readonly axes?: readonly number[]
  readonly starts?: readonly number[]
  readonly ends?: readonly number[]
}

/** What a Slice takes, by axis: old indices in order. Undefined when it depends on the data. */
function slicedIndices(c: CouplingCall<SliceAttributes>, rank: number): Map<number, readonly number[]> | undefined {
  const asInputs = c.opset >= 10
  const list = (i: number) => {
    const tensor = c.constant(i)
    return tensor && numbersOf(tensor)
  }
  const starts = asInputs ? list(1) : c.attr.starts
  const ends = asInputs ? list(2) : c.attr.ends
  const axes = (asInputs ? list(3) : c.attr.axes) ?? (c.has(3) && asInputs ? undefined : starts?.map((_, i) => i))
  const steps = asInputs && c.has(4) ? list(4) : starts?.map(() => 1)
  if (!starts || !ends || !axes || !steps) return undefined
  const taken = new Map<number, readonly number[]>()
  for (const [i, axis] of axes.entries()) {
    const at = axisOf(axis, rank)
    const size = at === undefined ? undefined : c.shape(0)?.[at]
    if (at === undefined || typeof size !== 'number') continue
    taken.set(at, range(starts[i] as number, ends[i] as number, steps[i] as number, size))
  }
  return taken
}

/** numpy's slice of `[0, size)`. */
function range(start: number, end: number, step: number, size: number): readonly number[] {
  const clamp = (v: number, low: number, high: number) => Math.min(Math.max(v < 0 ? v + size : v, low), high)
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1]
  const first = clamp(start, low, high)
  const last = clamp(end, low, high)
  const count = Math.max(0, Math.ceil((last - first) / step))
  return Array.from({ length: count }, (_, k) => first + k * step)
}

function slice(c: CouplingCall<SliceAttributes>): Coupled {
  const [axes, to] = [c.axes(0), c.outShape()]
  if (!axes || !to) return c.barrier('its rank is not known')
  const taken = slicedIndices(c, axes.length)
  const cuts: { at: number; from: Int32Array; indices: readonly number[] }[] = []
  const out = axes.map((axis, k): Axis => {
    if (!isLive(axis) || (isLive(axis) && c.shape(0)?.[k] === to[k] && !taken)) return axis
    const indices = taken ? taken.get(k) : undefined
    if (!taken || (indices && indices.length === 0)) {
      c.pin(axis, 'what it takes is not known')
      return fixed(`${c.label}: what it takes is not known`)
    }
    if (!indices || isWhole(indices, axis.length)) return axis
    cuts.push({ at: k, from: axis, indices })
    return Int32Array.from(indices, (i) => axis[i] as number)
  })
  if (cuts.length === 0) return { outputs: [out] }
  // What it takes of each channel axis is listed by index; a Slice could not say it once neighbours are gone.
  const gathers = (cut: Cut, node: Node): readonly Node[] => asGathers(c, cuts, cut, node)
  return { outputs: [out], cut: gathers }
}

const isWhole = (indices: readonly number[], size: number): boolean =>
  indices.length === size && indices.every((index, i) => index === i)

/** The same Slice without the axes that were cut, then one Gather for each of those. */
function asGathers(
  c: CouplingCall<SliceAttributes>,
  cuts: readonly { readonly at: number; readonly from: Int32Array; readonly indices: readonly number[] }[],
  cut: Cut,
  node: Node,
): readonly Node[] {
  const changed = cuts.filter(({ from }) => cut.kept(from))
  if (changed.length === 0) return [node]
  const nodes: Node[] = []
  const rest = keptSlices(c, new Set(changed.map(({ at }) => at)))
  let value = node.inputs[0] ?? ''
  const last = node.outputs[0] ?? ''
  const steps = changed.length + (rest.axes.length > 0 ? 1 : 0)
  const next = (): string => (nodes.length === steps - 1 ? last : `${last}.part${nodes.length}`)
  if (rest.axes.length > 0) {
    const output = next()
    nodes.push(sliceNode(c, cut, node, rest, value, output))
    value = output
  }
  for (const { at, from, indices } of changed) {
    const output = next()
    const name = cut.constant(`${node.name}.indices`, i64(ranksOf(indices, cut.kept(from) as readonly number[])))
    const attributes = toAttributes('Gather', '', { axis: at })
    nodes.push({
      name: `${node.name}.${at}`,
      op: 'Gather',
      domain: '',
      inputs: [value, name],
      outputs: [output],
      attributes,
    })
    value = output
  }
  return nodes
}

interface Slices {
  readonly axes: readonly number[]
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  readonly steps: readonly number[]
}

function keptSlices(c: CouplingCall<SliceAttributes>, dropped: ReadonlySet<number>): Slices {
  const list = (i: number): readonly number[] | undefined => {
    const tensor = c.constant(i)
    return tensor && numbersOf(tensor)
  }
  const rank = c.rank(0) ?? 0
  const starts = c.attr.starts ?? list(1) ?? []
  const ends = c.attr.ends ?? list(2) ?? []
  const axes = c.attr.axes ?? list(3) ?? starts.map((_, i) => i)
  const steps = list(4) ?? starts.map(() => 1)
  const stays = axes.flatMap((axis, i) => (dropped.has(axisOf(axis, rank) ?? -1) ? [] : [i]))
  const pick = (values: readonly number[]) => stays.map((i) => values[i] as number)
  return { axes: pick(axes), starts: pick(starts), ends: pick(ends), steps: pick(steps) }
}

function sliceNode(
  c: CouplingCall<SliceAttributes>,
  cut: Cut,
  node: Node,
  { axes, starts, ends, steps }: Slices,
  input: string,
  output: string,
): Node {
  const base = { ...node, name: `${node.name}.rest`, outputs: [output] }
  if (c.opset < 10) return { ...base, inputs: [input], attributes: toAttributes('Slice', '', { axes, starts, ends }) }
  const names = [starts, ends, axes, steps].map((values, i) => cut.constant(`${node.name}.${i}`, i64(values)))
  return { ...base, inputs: [input, ...names], attributes: {} }
}

/** Old indices that stay, as positions among those that stay of their source. */
function ranksOf(indices: readonly number[], kept: readonly number[]): number[] {
  const rank = new Map(kept.map((old, i) => [old, i]))
  return indices.flatMap((old) => {
    const at = rank.get(old)
    return at === undefined ? [] : [at]
  })
}

/** Constant indices pick channels; others look rows up, as an embedding does. */
function gather(c: CouplingCall<{ readonly axis?: number }>): Coupled {
  const axes = c.axes(0)
  const at = axes && axisOf(c.attr.axis ?? 0, axes.length)
  const indexAxes = c.axes(1)
  if (!axes || at === undefined || !indexAxes) return c.barrier('its ranks are not known')
  const axis = axes[at] as Axis
  const tensor = c.constant(1)
  c.weight(0, ...axes.map((_, k) => (k === at ? undefined : ('out' as const))))
  const around = (middle: readonly Axis[]) => [...axes.slice(0, at), ...middle, ...axes.slice(at + 1)]
  if (!tensor || !isLive(axis) || tensor.dims.length > 1) {
    c.pin(axis, 'it looks rows up')
    return { outputs: [around(indexAxes)] }
  }
  const indices = numbersOf(tensor).map((index) => (index < 0 ? index + axis.length : index))
  const taken = Int32Array.from(indices, (index) => axis[index] as number)
  if (tensor.dims.length === 0) c.pin(taken, 'it picks this channel')
  const newIndices = (cut: Cut, node: Node): readonly Node[] => {
    const kept = cut.kept(axis)
    if (!kept) return [node]
    const dims = tensor.dims.length === 0 ? [] : undefined
    const name = cut.constant(`${node.name}.indices`, i64(ranksOf(indices, kept), dims))
    return [{ ...node, inputs: [node.inputs[0] ?? '', name] }]
  }
  return { outputs: [around(tensor.dims.length === 0 ? [] : [taken])], cut: newIndices }
}

/** Zero channels before and after: fresh ones that live and go with what they meet. */
function pad(c: CouplingCall<{ readonly pads?: readonly number[]; readonly mode?: string }>): Coupled {
  const [axes, from, to] = [c.axes(0), c.shape(0), c.outShape()]
  if (!axes || !from || !to) return c.barrier('its shapes are not known')
  const tensor = c.constant(1)
  const list = c.opset >= 11 ? tensor && numbersOf(tensor) : c.attr.pads
  const isConstant = (c.attr.mode ?? 'constant') === 'constant'
  const onAxes = c.opset >= 18 && c.has(3) ? c.constant(3) : undefined
  const subset = onAxes && numbersOf(onAxes).map((a) => axisOf(a, axes.length) ?? 0)
  const listed = subset ?? axes.map((_, k) => k)
  const padded: { k: number; before: Int32Array; after: Int32Array }[] = []
  const out = axes.map((axis, k): Axis => {
    const i = listed.indexOf(k)
    const [before, after] = i < 0 ? [0, 0] : [list?.[i], list?.[i + listed.length]]
    if (before === 0 && after === 0) return axis
    if (!isLive(axis)) return axis
    if (before === undefined || after === undefined || before < 0 || after < 0 || !isConstant) {
      if (list === undefined && isStaticEqual(from[k], to[k])) return axis
      c.pin(axis, 'it pads this axis')
      return fixed(`${c.label}: it pads this axis`)
    }
    const ends = { k: i, before: c.fresh(before) as Int32Array, after: c.fresh(after) as Int32Array }
    padded.push(ends)
    return concatenate(Int32Array, [ends.before, axis, ends.after])
  })
  if (padded.length === 0) return { outputs: [out] }
  const newPads = (cut: Cut, node: Node): readonly Node[] => {
    const pads = [...(list ?? [])]
    for (const { k, before, after } of padded) {
      pads[k] = cut.size(before, before.length)
      pads[k + listed.length] = cut.size(after, after.length)
    }
    if (c.opset < 11) return [{ ...node, attributes: { ...node.attributes, ...toAttributes('Pad', '', { pads }) } }]
    const name = cut.constant(`${node.name}.pads`, i64(pads))
    return [{ ...node, inputs: node.inputs.map((input, i) => (i === 1 ? name : input)) }]
  }
  return { outputs: [out], cut: newPads }
}

const isStaticEqual = (a: unknown, b: unknown): boolean => typeof a === 'number' && a === b

/** Repeated elements are new channels that can go with what they meet; the target is written anew. */
function expand(c: CouplingCall): Coupled {
  const [axes, from, to] = [c.axes(0), c.shape(0), c.outShape()]
  if (!axes || !from || !to) return c.barrier('its shapes are not known')
  const offset = to.length - axes.length
  const isWritable = to.every((dim, k) => typeof dim === 'number' || dim === from[k - offset])
  const canPatch = isWritable || c.shape(1)?.[0] === to.length
  const out = to.map((dim, k): Axis => {
    const axis = axes[k - offset]
    const stays = axis && (from[k - offset] === dim || dim === '?')
    if (!canPatch) c.pin(axis, 'its sizes are computed in the graph')
    if (stays) return axis
    return canPatch ? c.fresh(dim) : fixed(`${c.label}: its sizes are computed in the graph`)
  })
  if (!isWritable) return { outputs: [out], ...(canPatch ? { cut: patchedSizes(1, to, out) } : {}) }
  const newShape = (cut: Cut, node: Node): readonly Node[] => {
    // A target of 1 keeps what the input has.
    const dims = to.map((dim, k) => (typeof dim === 'number' ? cut.size(out[k] as Axis, dim) : 1))
    return [{ ...node, inputs: [node.inputs[0] ?? '', cut.constant(`${node.name}.shape`, i64(dims))] }]
  }
  return { outputs: [out], cut: newShape }
}

/** A tensor of one number: its channels go with what they meet. */
function constantOfShape(c: CouplingCall): Coupled {
  const to = c.outShape()
  if (!to) return { outputs: [undefined] }
  const out = to.map((dim) => c.fresh(dim))
  return { outputs: [out], cut: patchedSizes(0, to, out) }
}

function repeated(c: CouplingCall): Coupled {
  const axes = c.axes(0)
  const tensor = c.constant(1)
  if (!axes || !tensor) return c.barrier('how often it repeats is not known')
  const times = numbersOf(tensor)
  return { outputs: [axes.map((axis, k) => (isLive(axis) ? tile(axis, times[k] ?? 1) : axis))] }
}

/** Resize and Upsample: channels stay; sizes that name them are written anew. */
function resize(c: CouplingCall): Coupled {
  const [axes, from, to] = [c.axes(0), c.shape(0), c.outShape()]
  if (!axes || !from || !to) return c.barrier('its shapes are not known')
  const sizesAt = c.node.op === 'Resize' && c.has(3) ? 3 : undefined
  const tensor = sizesAt === undefined ? undefined : c.constant(sizesAt)
  // Sizes for some of the axes only name spatial ones.
  const isListed = sizesAt !== undefined && c.shape(sizesAt)?.[0] === axes.length
  const isOpen = sizesAt !== undefined && !tensor && !isListed
  const out = axes.map((axis, k): Axis => {
    if (k < 2 && from[k] === to[k] && from[k] !== '?' && !(isOpen && isLive(axis))) return axis
    c.pin(axis, isOpen ? 'its sizes are computed in the graph' : 'a spatial axis')
    return isLive(axis) ? fixed(`${c.label}: a spatial axis`) : axis
  })
  return { outputs: [out], ...(isListed ? { cut: patchedSizes(sizesAt, to, out) } : {}) }
}

export const move = {
  Reshape: reshape,
  Flatten: reshape,
  Squeeze: reshape,
  Unsqueeze: reshape,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  Pad: pad,
  Expand: expand,
  ConstantOfShape: constantOfShape,
  Tile: repeated,
  Resize: resize,
  Upsample: resize,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
} satisfies CouplingRules
