import { tensorType, type Dim } from '../../graph/types.ts'
import { add, exactDivide, isNumber, multiply } from '../dims.ts'
import { likeInput, type Call, type LooseTypeRules, type OutputTypes } from './call.ts'

/**
 * Input [B, S, D], weight [D, 3H] (or the three sizes of `qkv_hidden_sizes`), past [2, B, heads, P, size] at input
 * `past`; outputs [B, S, Hv] and present [2, B, heads, P + S, size].
 */
const attention =
  (past: number, scale?: number) =>
  (c: Call): OutputTypes => {
    const sizes = c.ints('qkv_hidden_sizes')
    const third = exactDivide(c.dim(1, -1), 3)
    const [hidden, keys] = [sizes?.[2] ?? third, sizes?.[1] ?? third]
    const heads = c.int('num_heads') ?? '?'
    // A shared buffer has its final length from the start.
    const grows = c.int('past_present_share_buffer') ? 0 : c.dim(0, 1)
    const total = c.has(past) ? add(c.dim(past, 3), grows) : c.dim(0, 1)
    const dtype = scale === undefined ? c.dtype(0) : c.dtype(scale)
    return [
      tensorType(dtype, [c.dim(0, 0), c.dim(0, 1), hidden]),
      tensorType(dtype, [2, c.dim(0, 0), heads, total, exactDivide(keys, heads)]),
    ]
  }

/** Keys are [B, L, H], packed with values as [B, L, heads, 2, size], or laid out [B, heads, L, size]. */
function multiHead(c: Call): OutputTypes {
  const heads = c.int('num_heads') ?? '?'
  const packed = c.rank(0) === 5
  const keyRank = c.rank(1)
  const size = packed ? c.dim(0, 4) : exactDivide(c.dim(0, 2), heads)
  const length = packed ? c.dim(0, 1) : keyRank === 4 ? c.dim(1, 2) : c.dim(1, 1)
  const value = c.rank(2) === 4 ? multiply(heads, c.dim(2, 3)) : c.has(2) ? c.dim(2, 2) : multiply(heads, size)
  const shared = c.has(8)
  const total = c.has(6) ? add(c.dim(6, 2), shared ? 0 : length) : length
  return [
    tensorType(c.dtype(0), c.rank(0) === undefined ? undefined : [c.dim(0, 0), c.dim(0, 1), value]),
    tensorType(c.dtype(0), [c.dim(0, 0), heads, total, size]),
    tensorType(c.dtype(0), [c.dim(0, 0), heads, total, exactDivide(value, heads)]),
  ]
}

/** Query [B, S, heads·size], or all three packed as [B, S, (heads + 2·kv heads)·size]; the cache may be shared. */
function groupQuery(c: Call): OutputTypes {
  const [heads, kvHeads] = [c.int('num_heads') ?? '?', c.int('kv_num_heads') ?? '?']
  const parts = isNumber(heads) && isNumber(kvHeads) ? (c.has(1) ? heads : heads + 2 * kvHeads) : '?'
  const size = exactDivide(c.dim(0, 2), parts)
  // A past that is given may be a buffer of the final length already: then it does not grow.
  const total: Dim = c.has(3) ? '?' : c.dim(0, 1)
  const cache = tensorType(c.dtype(3) ?? c.dtype(0), [c.dim(0, 0), kvHeads, total, size])
  return [tensorType(c.dtype(0), [c.dim(0, 0), c.dim(0, 1), multiply(heads, size)]), cache, cache]
}

/** Attention in onnxruntime's own domain (docs/ContribOperators.md). */
export const attentions: LooseTypeRules = {
  Attention: attention(4),
  /** input, weight, bias, scales, mask, zero points, then past at 8. */
  QAttention: attention(8, 3),
  MultiHeadAttention: multiHead,
  GroupQueryAttention: groupQuery,
  DecoderMaskedMultiHeadAttention: (c) =>
    c.out(c.dtype(0), [c.dim(0, 0), c.dim(0, 1), c.has(2) && c.rank(2) === 3 ? c.dim(2, 2) : c.dim(0, 2)]),
  RotaryEmbedding: likeInput,
  GemmaRotaryEmbedding: (c) => [c.valueType(1), c.valueType(2)],
  MoE: likeInput,
  QMoE: likeInput,
}
