import { toAttributes } from '../../graph/attributes.ts'
import type { Node } from '../../graph/graph.ts'
import { fixed, isLive, repeatEach, tile, type Axis } from './axis.ts'
import type { Coupled, CouplingCall, CouplingRules, Cut } from './call.ts'

const OUT = 'its output channels'
const IN = 'its input channels'

export interface ConvAttributes {
  readonly group?: number
}

/** The spatial axes of a convolution's input are not channels. */
function spatial(c: CouplingCall<ConvAttributes>, channels: Axis, batch: Axis): readonly Axis[] | undefined {
  c.axes(0)?.forEach((axis, k) => k >= 2 && c.pin(axis, 'a spatial axis'))
  c.axes(1)?.forEach((axis, k) => k >= 2 && c.pin(axis, 'the kernel'))
  return c.outShape()?.map((_, k) => (k === 0 ? batch : k === 1 ? channels : fixed('a spatial axis')))
}

const known = (c: CouplingCall<ConvAttributes>) => {
  const [x, w] = [c.axes(0), c.axes(1)]
  const [out, inner] = c.shape(1) ?? []
  return x && w && typeof out === 'number' && typeof inner === 'number' ? { x, w, out, inner } : undefined
}

/** Several groups that are cut alike: index i of every group goes together. */
function foldGroups(c: CouplingCall<ConvAttributes>, axis: Axis | undefined, groups: number, why: string): void {
  if (!isLive(axis) || groups === 1) return
  const size = axis.length / groups
  for (let g = 1; g < groups; g++) c.join(axis.subarray(0, size), axis.subarray(g * size, (g + 1) * size), why)
}

/** `group` after whole groups were cut. */
const fewerGroups =
  (channels: Axis, perGroup: number, group: number) =>
  (cut: Cut, node: Node): readonly Node[] => {
    const left = cut.size(channels, group * perGroup) / perGroup
    return [{ ...node, attributes: { ...node.attributes, ...toAttributes(node.op, node.domain, { group: left }) } }]
  }

const FOLD = 'its groups keep equally many channels'
const WHOLE = 'its groups are cut as wholes'

/**
 * Weight `[O, I/g, …]`. One group: axes 0 and 1. One channel per group, in or out: the groups are what is cut. Else
 * every group loses the same channels.
 */
function conv(c: CouplingCall<ConvAttributes>): Coupled {
  const shapes = known(c)
  if (!shapes) return c.barrier('the shape of its weight is not known')
  const { x, w, out, inner } = shapes
  const group = c.attr.group ?? 1
  const [rows, columns] = [w[0] as Axis, w[1] as Axis]
  const input = x[1] ?? fixed('no channels')
  const batch = x[0] ?? fixed('no batch')
  const perGroup = out / group
  c.perChannel(2, rows, 'bias', 'one bias for each output channel')
  const outputs = [spatial(c, rows, batch)]
  if (group === 1) {
    c.join(columns, input, IN)
    c.weight(1, 'out', 'in')
    return { outputs }
  }
  if (inner === 1 || perGroup === 1) {
    c.pin(columns, WHOLE)
    if (isLive(input)) foldRuns(c, input, inner)
    const channels = sample(input, inner)
    const made = isLive(rows) ? sample(rows, perGroup) : rows
    if (isLive(rows)) foldRuns(c, rows, perGroup)
    c.join(made, channels, inner === 1 ? 'each output channel reads one input channel' : WHOLE)
    c.weight(1, 'out')
    return { outputs, cut: fewerGroups(rows, perGroup, group) }
  }
  foldGroups(c, rows, group, FOLD)
  foldGroups(c, input, group, FOLD)
  c.join(columns, isLive(input) ? input.subarray(0, inner) : input, IN)
  c.weight(1, 'out', 'in')
  return { outputs }
}

/** Every `run` neighbours go together. */
function foldRuns(c: CouplingCall<ConvAttributes>, axis: Int32Array, run: number): void {
  if (run > 1) c.join(repeatEach(sample(axis, run) as Int32Array, run), axis, WHOLE)
}

const sample = (axis: Axis, every: number): Axis =>
  isLive(axis) && every > 1 ? axis.filter((_, i) => i % every === 0) : axis

/** Weight `[I, O/g, …]`: all groups share the output axis. */
function convTranspose(c: CouplingCall<ConvAttributes>): Coupled {
  const shapes = known(c)
  if (!shapes) return c.barrier('the shape of its weight is not known')
  const { x, w, inner } = shapes
  const group = c.attr.group ?? 1
  const [rows, columns] = [w[0] as Axis, w[1] as Axis]
  const input = x[1] ?? fixed('no channels')
  c.join(rows, input, IN)
  const depthwise = group > 1 && inner === 1
  if (depthwise) c.pin(columns, WHOLE)
  else foldGroups(c, rows, group, FOLD)
  const made = depthwise ? rows : isLive(columns) ? tile(columns, group) : columns
  c.perChannel(2, made, 'bias', 'one bias for each output channel')
  c.weight(1, 'in', depthwise ? undefined : 'out')
  const outputs = [spatial(c, made, x[0] ?? fixed('no batch'))]
  const isWhole = depthwise && (c.shape(1)?.[0] as number) === group
  if (depthwise && !isWhole) c.pin(rows, 'several input channels per group')
  return isWhole ? { outputs, cut: fewerGroups(rows, 1, group) } : { outputs }
}

/** Y = α·A′·B′ + β·C. */
function gemm(c: CouplingCall<{ readonly transA?: number; readonly transB?: number }>): Coupled {
  const [a, b] = [c.axes(0), c.axes(1)]
  if (a?.length !== 2 || b?.length !== 2) return c.barrier('its operands are not matrices')
  const [rowsAt, innerA] = c.attr.transA ? [1, 0] : [0, 1]
  const [innerB, columnsAt] = c.attr.transB ? [1, 0] : [0, 1]
  const [rows, columns] = [a[rowsAt] as Axis, b[columnsAt] as Axis]
  c.join(a[innerA] as Axis, b[innerB] as Axis, IN)
  const roles = columnsAt === 0 ? (['out', 'in'] as const) : (['in', 'out'] as const)
  c.weight(1, ...roles)
  if (c.constant(0)) c.weight(0, ...(rowsAt === 0 ? (['out', 'in'] as const) : (['in', 'out'] as const)))
  const bias = c.axes(2) ?? []
  const at = bias.length - 1
  const [wide, tall] = [bias[at], bias[at - 1]]
  if (wide && c.shape(2)?.[at] !== 1) c.join(columns, wide, OUT)
  if (tall && c.shape(2)?.[at - 1] !== 1) c.join(rows, tall, OUT)
  if (c.has(2)) c.weight(2, ...bias.map((_, k) => (k === at ? ('bias' as const) : undefined)))
  return { outputs: [[rows, columns]] }
}

/** numpy's matmul: batch axes broadcast, `[…, M, K] · […, K, N]`. */
function matMul(c: CouplingCall): Coupled {
  const [a, b] = [c.axes(0), c.axes(1)]
  const shape = c.outShape()
  if (!a || !b || !shape || a.length === 0 || b.length === 0) return c.barrier('its shapes are not known')
  const innerA = a.at(-1) as Axis
  const innerB = (b.length === 1 ? b[0] : b.at(-2)) as Axis
  c.join(innerB, innerA, IN)
  const rows = a.length > 1 ? [a.at(-2) as Axis] : []
  const columns = b.length > 1 ? [b.at(-1) as Axis] : []
  const rank = shape.length - rows.length - columns.length
  const batch = shape.slice(0, rank).map((dim, k): Axis => {
    const parts = [0, 1].flatMap((i) => {
      const axes = c.axes(i) ?? []
      const at = k - rank + axes.length - 2
      const axis = at >= 0 && at < axes.length - 2 ? axes[at] : undefined
      return axis && c.shape(i)?.[at] === dim ? [axis] : []
    })
    const joined = parts.length > 0 ? c.joinAll(parts, 'they multiply matrix by matrix') : fixed('an open size')
    if (parts.length === 2 && !c.constant(0) && !c.constant(1)) c.markHeads(joined)
    return joined
  })
  const outer = (axes: readonly Axis[]) => axes.slice(0, -2).map(() => 'operand' as const)
  if (b.length > 1) c.weight(1, ...outer(b), 'in', 'out')
  if (a.length > 1 && c.constant(0)) c.weight(0, ...outer(a), 'out', 'in')
  return { outputs: [[...batch, ...rows, ...columns]] }
}

/** Letters that two operands share are one axis. */
function einsum(c: CouplingCall<{ readonly equation?: string }>): Coupled {
  const [left = '', right] = (c.attr.equation ?? '').replaceAll(' ', '').split('->')
  const terms = left.split(',')
  if (right === undefined || left.includes('.')) return c.barrier('an equation without named axes')
  const letters = new Map<string, Axis>()
  for (const [i, term] of terms.entries()) {
    const axes = c.axes(i)
    if (axes?.length !== term.length) return c.barrier('its shapes are not known')
    ;[...term].forEach((letter, k) => {
      const axis = axes[k] as Axis
      const known = letters.get(letter)
      letters.set(letter, known ? c.join(known, axis, `they share the index ${letter}`) : axis)
    })
    // Heads and batches are in every operand and in the result.
    c.weight(i, ...[...term].map((letter) => (right.includes(letter) ? ('out' as const) : ('in' as const))))
  }
  if (terms.length === 2 && !c.constant(0) && !c.constant(1)) {
    for (const [letter, axis] of letters) {
      if ([...terms, right].every((term) => term.includes(letter))) c.markHeads(axis)
    }
  }
  return { outputs: [[...right].map((letter) => letters.get(letter) ?? fixed('an index of no operand'))] }
}

export const linear = {
  Conv: conv,
  ConvTranspose: convTranspose,
  Gemm: gemm,
  MatMul: matMul,
  Einsum: einsum,
} satisfies CouplingRules
