import type { Node } from '../../graph/graph.ts'
import { tensorOf } from '../../graph/tensor.ts'
import type { DecomposeContext, Decomposition } from '../decompose.ts'
import type { Emitter } from '../emit.ts'

/** Far enough below any logit that the softmax gives exactly 0, and still a number. */
const BARRED = -1e30

const numberOf = (node: Node, name: string, absent: number): number => {
  const attribute = node.attributes[name]
  return attribute?.kind === 'int' || attribute?.kind === 'float' ? Number(attribute.value) : absent
}

/** Without a cache of keys and values, without windows, and with nothing but the result put out. */
export const isPlainAttention = (node: Node): boolean =>
  node.inputs.slice(4).every((x) => x === '') &&
  node.outputs.slice(1).every((y) => y === '') &&
  ['left_window_size', 'right_window_size'].every((name) => numberOf(node, name, -1) < 0)

/**
 * ONNX Attention-23: softmax(capped(q·kᵀ·scale) + mask)·v (Vaswani et al. 2017, arXiv:1706.03762, eq. 1), keys and
 * values shared by groups of heads (Ainslie et al. 2023, arXiv:2305.13245). q, k, v `[B, S, heads·d]` or
 * `[B, heads, S, d]`.
 */
export const attention: Decomposition = ({ g, node }: DecomposeContext) => {
  const [x = '', , , mask = ''] = node.inputs
  const flat = g.rank(x) === 3
  const heads = (i: number, name: string): string => {
    const value = node.inputs[i] ?? ''
    return flat ? g.transpose(g.reshape(value, [0, 0, numberOf(node, name, 1), -1]), [0, 2, 1, 3]) : value
  }
  const q = heads(0, 'q_num_heads')
  const count = g.dims(q)[1] as number
  const [k, v] = [1, 2].map((i) => repeated(g, heads(i, 'kv_num_heads'), count)) as [string, string]
  const scale = numberOf(node, 'scale', 1 / Math.sqrt(g.dims(q)[3] as number))
  const products = g.mul(g.matmul(q, g.swapLast(k)), scale)
  const cap = numberOf(node, 'softcap', 0)
  const logits = cap > 0 ? g.mul(g.tanh(g.div(products, cap)), cap) : products
  const seen = numberOf(node, 'is_causal', 0) === 1 ? causal(g, logits) : logits
  const y = g.matmul(attended(g, seen, mask), v)
  return [flat ? g.reshape(g.transpose(y, [0, 2, 1, 3]), [0, 0, count * (g.dims(v)[3] as number)]) : y]
}

/** Each key or value head once for every query head that it serves. */
function repeated(g: Emitter, x: string, heads: number): string {
  const [batch, groups, length, size] = g.dims(x) as readonly [number, number, number, number]
  if (groups === heads) return x
  const wide = g.expand(g.unsqueeze(x, [2]), [batch, groups, heads / groups, length, size])
  return g.reshape(wide, [batch, heads, length, size])
}

/** Query i sees keys up to i. A boolean constant: a float one would be taken for a weight. */
function causal(g: Emitter, logits: string): string {
  const [queries, keys] = g.dims(logits).slice(-2) as [number, number]
  const seen = Uint8Array.from({ length: queries * keys }, (_, n) => (n % keys > Math.floor(n / keys) ? 0 : 1))
  return g.where(g.constant('causal', tensorOf('bool', [queries, keys], seen)), logits, BARRED)
}

/** A boolean mask bars keys, and a query that may look nowhere gets zeros; another mask is added. */
function attended(g: Emitter, logits: string, mask: string): string {
  if (mask === '') return g.softmax(logits)
  if (g.dtype(mask) !== 'bool') return g.softmax(g.add(logits, mask))
  return g.mul(g.softmax(g.where(mask, logits, BARRED)), g.mask(mask, logits))
}
