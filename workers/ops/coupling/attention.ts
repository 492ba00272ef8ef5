import { toAttributes, type LooseAttributes } from '../../graph/attributes.ts'
import type { Node } from '../../graph/graph.ts'
import { fixed, spread, tile, type Axis } from './axis.ts'
import type { Coupled, CouplingCall, Cut } from './call.ts'

const HEAD = 'one head of attention'

export interface OnnxAttention {
  readonly q_num_heads?: number
  readonly kv_num_heads?: number
}

/** Attention attributes after heads were cut. */
const fewer =
  (attributes: (cut: Cut) => LooseAttributes) =>
  (cut: Cut, node: Node): readonly Node[] => [
    { ...node, attributes: { ...node.attributes, ...toAttributes(node.op, node.domain, attributes(cut)) } },
  ]

/**
 * ONNX Attention: whole heads go, a key-value head with all query heads that share it. What a head reads of its last
 * axis stays, so that the scale stays 1/√d.
 */
export function attention(c: CouplingCall<OnnxAttention>): Coupled {
  const [q, k, v] = [c.axes(0), c.axes(1), c.axes(2)]
  const rank = q?.length
  const packed = rank === 3
  const headsOf = (i: number, attribute: number | undefined) => (packed ? attribute : c.shape(i)?.[1])
  const [queries, keys] = [headsOf(0, c.attr.q_num_heads), headsOf(1, c.attr.kv_num_heads)]
  if (!q || !k || !v || typeof queries !== 'number' || typeof keys !== 'number') {
    return c.barrier('its heads are not known')
  }
  const heads = c.fresh(keys) as Int32Array
  c.markHeads(heads)
  const repeat = queries / keys
  const at = packed ? 2 : 1
  const join = (i: number, axis: number) => joinHeads(c, c.axis(i, axis), c.shape(i)?.[axis], heads)
  join(0, at)
  join(1, at)
  join(2, at)
  if (!packed) [q, k].forEach((axes) => c.pin(axes[3], 'the size of a head'))
  joinMask(c, heads, queries)
  for (const i of [4, 5]) if (c.has(i)) join(i, 1)
  const rest = fixed(`${c.label}: not a head`)
  const width = c.outShape()?.[at]
  const made = typeof width === 'number' ? spread(heads, [keys, width / keys], 0) : rest
  const y = packed ? [q[0] as Axis, q[1] as Axis, made] : [q[0] as Axis, made, q[2] as Axis, v[3] as Axis]
  const states = [rest, heads, rest, rest]
  const scores = [rest, spread(heads, [keys, repeat], 0), rest, rest]
  const outputs = [y, states, states, scores].slice(0, c.node.outputs.length)
  if (!packed) return { outputs }
  return {
    outputs,
    cut: fewer((cut) => {
      const left = cut.size(heads, keys)
      return { q_num_heads: left * repeat, kv_num_heads: left }
    }),
  }
}

/** A mask of its own for each query head. */
function joinMask<A>(c: CouplingCall<A>, heads: Int32Array, queries: number): void {
  const own = (c.rank(3) ?? 0) - 3
  if (own >= 0 && c.shape(3)?.[own] === queries) joinHeads(c, c.axis(3, own), queries, heads)
}

/** The elements of a head along an axis that holds them one head after the other. */
function joinHeads<A>(c: CouplingCall<A>, axis: Axis, size: unknown, heads: Int32Array): void {
  if (typeof size !== 'number' || size % heads.length !== 0) c.pin(heads, 'its heads are not known')
  else c.join(spread(heads, [heads.length, size / heads.length], 0), axis, HEAD)
}

/** com.microsoft Attention: the three projections are one weight `[D, 3·H·d]`. */
export function packedAttention(c: CouplingCall): Coupled {
  const x = c.axes(0)
  const weight = c.axes(1)
  const width = c.shape(1)?.[1]
  const count = c.int('num_heads')
  if (!x || !weight || typeof width !== 'number' || !count) return c.barrier('its heads are not known')
  if (c.has(4) || c.ints('qkv_hidden_sizes')) return c.barrier('a cache or uneven projections')
  const heads = c.fresh(count) as Int32Array
  const rows = tile(spread(heads, [count, width / 3 / count], 0), 3)
  c.join(rows, weight[1] as Axis, HEAD)
  c.join(weight[0] as Axis, x[2] as Axis, 'its inputs')
  c.perChannel(2, rows, 'bias', HEAD)
  c.weight(1, 'in', 'out')
  const y = [x[0] as Axis, x[1] as Axis, spread(heads, [count, width / 3 / count], 0)]
  return { outputs: [y].slice(0, c.node.outputs.length), cut: fewer((cut) => ({ num_heads: cut.size(heads, count) })) }
}

/** com.microsoft MultiHeadAttention on separate `[B, S, H·d]` queries, keys and values. */
export function multiHead(c: CouplingCall): Coupled {
  const [q, k, v] = [c.axes(0), c.axes(1), c.axes(2)]
  const count = c.int('num_heads')
  const sizes = [0, 1, 2].map((i) => c.shape(i)?.[2])
  const isPlain = [q, k, v].every((axes) => axes?.length === 3) && sizes.every((s) => typeof s === 'number')
  if (!q || !count || !isPlain || c.has(5) || c.has(6)) return c.barrier('keys and values in another layout')
  const heads = c.fresh(count) as Int32Array
  const parts = sizes.map((size) => spread(heads, [count, size / count], 0))
  parts.forEach((part, i) => c.join(part, c.axis(i, 2), HEAD))
  const bias = Int32Array.from(parts.flatMap((part) => [...part]))
  c.perChannel(3, bias, 'bias', HEAD)
  const y = [q[0] as Axis, q[1] as Axis, parts[2] as Int32Array]
  return { outputs: [y].slice(0, c.node.outputs.length), cut: fewer((cut) => ({ num_heads: cut.size(heads, count) })) }
}

/** Rotations of a head's last axis; heads pass. */
export function rotary<A>(c: CouplingCall<A>): Coupled {
  const axes = c.axes(0)
  if (!axes) return c.barrier('its rank is not known')
  if (axes.length !== 4) return c.barrier('heads and their elements are one axis')
  c.pin(axes[3], 'it rotates these elements in pairs')
  return { outputs: c.node.outputs.map(() => axes) }
}
