import type { Node } from '../../graph/graph.ts'
import type { Emitter } from '../../ops/emit.ts'
import { staticShape } from '../../graph/types.ts'
import type { Fused, Unfuse } from './unfuse.ts'

interface Heads {
  readonly count: number
  /** Factor of the logits; 1/√(head size) when the node has none. */
  readonly scale: number
  /** Value of masked logits. */
  readonly masked: number
  readonly causal: boolean
}

function headsOf({ number }: Fused): Heads {
  return {
    count: number('num_heads', 1),
    scale: number('scale', 0),
    masked: number('mask_filter_value', -10000),
    causal: number('unidirectional', 0) === 1,
  }
}

/** `[B, S, heads·d]` as `[B, heads, S, d]`. */
function splitHeads(g: Emitter, x: string, heads: number): string {
  return g.transpose(g.reshape(x, [0, 0, heads, -1]), [0, 2, 1, 3])
}

/** softmax(q·kᵀ·scale + bias)·v over heads (Vaswani et al. 2017, arXiv:1706.03762, eq. 1); all `[B, S, heads·d]`. */
function attend(g: Emitter, qkv: readonly [string, string, string], bias: readonly string[], heads: Heads): string {
  const [q, k, v] = qkv.map((x) => splitHeads(g, x, heads.count)) as [string, string, string]
  const size = Number(g.shape(qkv[0]).at(-1)) / heads.count
  const scale = heads.scale === 0 ? 1 / Math.sqrt(size) : heads.scale
  const logits = g.mul(g.matmul(q, g.transpose(k, [0, 1, 3, 2])), scale)
  const masked = bias.reduce((sum, term) => g.add(sum, term), heads.causal ? causal(g, logits, heads.masked) : logits)
  const mixed = g.transpose(g.matmul(g.softmax(masked), v), [0, 2, 1, 3])
  return g.reshape(mixed, [0, 0, Number(g.shape(qkv[2]).at(-1))])
}

/** Logits with those of later keys replaced by `value`; queries are the last ones of the keys. */
function causal(g: Emitter, logits: string, value: number): string {
  const ones = g.expandLike(g.scalar(1, 'f32'), logits)
  const [k, q] = [-1, -2].map((axis) =>
    g.op('Slice', [g.op('Shape', [logits]), ...[axis, axis === -1 ? 2 ** 31 : -1].map((at) => g.ints([at]))]),
  )
  const offset = g.squeeze(g.sub(k as string, q as string), [0])
  const lower = g.op('Trilu', [ones, offset], { upper: 0 })
  return g.where(g.greater(lower, 0), logits, g.scalar(value, g.dtype(logits)))
}

/**
 * 0 for keys that a mask keeps, the filter value for the others, as `[B, 1, 1, S]`. A mask is `[B, S]`, or `[B]` with
 * the number of keys. `like` is `[B, S, …]`.
 */
function maskBias(g: Emitter, mask: string, like: string, value: number): string {
  const kept = g.cast(g.rank(mask) === 1 ? withinLength(g, mask, like) : mask, g.dtype(like))
  return g.mul(g.sub(1, g.unsqueeze(kept, [1, 2])), value)
}

function withinLength(g: Emitter, lengths: string, like: string): string {
  const keys = g.squeeze(g.op('Slice', [g.op('Shape', [like]), g.ints([1]), g.ints([2])]), [0])
  const positions = g.op('Range', [g.scalar(0, 'i64'), keys, g.scalar(1, 'i64')])
  return g.less(g.unsqueeze(positions, [0]), g.unsqueeze(g.cast(lengths, 'i64'), [1]))
}

/** Input `i` of a node, `''` when absent. */
const at = (node: Node, i: number): string => node.inputs[i] ?? ''

/** One output, and a mask that is none, one number per key, or the number of keys of each sample. */
function isPlain({ g, node }: Fused, mask: string, keys: string): boolean {
  if (node.outputs.slice(1).some((o) => o !== '')) return false
  if (mask === '' || g.rank(mask) === 2) return true
  const [count] = g.shape(mask)
  return g.rank(mask) === 1 && count !== '?' && count === g.shape(keys)[0]
}

/** One projection of the input makes queries, keys and values. Without past, packed lengths or rotary embedding. */
export const attention: Unfuse = (f) => {
  const { g, node, attr } = f
  const [x, weight, bias, mask, extra] = [at(node, 0), at(node, 1), at(node, 2), at(node, 3), at(node, 5)]
  const width = staticShape(g.type(weight))?.[1]
  if (at(node, 4) !== '' || at(node, 6) !== '' || f.number('do_rotary', 0) === 1) return undefined
  if (width === undefined || !isPlain(f, mask, x)) return undefined
  const heads = headsOf(f)
  const product = g.matmul(x, weight)
  const projected = bias === '' ? product : g.add(product, bias)
  const sizes = (attr['qkv_hidden_sizes'] as readonly number[] | undefined) ?? [width / 3, width / 3, width / 3]
  const [q = '', k = '', v = ''] = g.split(projected, 2, sizes)
  const terms = mask === '' ? [] : [maskBias(g, mask, x, heads.masked)]
  if (extra !== '') terms.push(extra)
  return [attend(g, [q, k, v], terms, heads)]
}

/** Queries, keys and values come projected, each `[B, S, heads·d]`; one bias over all three. */
export const multiHeadAttention: Unfuse = (f) => {
  const { g, node } = f
  const [query, key, value] = [at(node, 0), at(node, 1), at(node, 2)]
  const [bias, mask, extra] = [at(node, 3), at(node, 4), at(node, 5)]
  const separate = key !== '' && value !== '' && [query, key, value].every((x) => g.rank(x) === 3)
  if (!separate || node.inputs.slice(6).some((past) => past !== '') || !isPlain(f, mask, key)) return undefined
  const heads = headsOf(f)
  const widths = [query, key, value].map((x) => Number(g.shape(x).at(-1)))
  if (widths.some(Number.isNaN)) return undefined
  const biases = bias === '' ? [] : g.split(bias, 0, widths)
  const added = [query, key, value].map((x, i) => (biases[i] === undefined ? x : g.add(x, biases[i])))
  const terms = mask === '' ? [] : [maskBias(g, mask, key, heads.masked)]
  if (extra !== '') terms.push(extra)
  return [attend(g, added as [string, string, string], terms, heads)]
}
