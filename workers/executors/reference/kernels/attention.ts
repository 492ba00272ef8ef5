import { dtypeOf, type DType } from '../../../graph/dtype.ts'
import type { Call, Kernels } from '../call.ts'
import { broadcastOffsets, concat, reshape, sliceAxis, transpose } from '../iterate.ts'
import { array, floatArray, floats, integers, numbers, stored, type NdArray } from '../value.ts'
import { softmaxLast } from './activations.ts'
import { addLast, matMul } from './matmul.ts'

/** An additive bias on the logits of batch b, head h, query i, key j; −∞ where the query may not look. */
type Bias = (b: number, h: number, i: number, j: number) => number

interface AttentionOptions {
  readonly scale: number
  readonly bias: Bias
  readonly softcap?: number
  readonly softmaxDtype?: DType | undefined
  readonly exact: boolean
}

/** Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1) and its steps. */
interface Attended {
  /** [batch, heads, queries, value size] */
  readonly y: NdArray
  readonly logits: NdArray
  readonly biased: NdArray
  readonly probabilities: NdArray
}

/** q [B, H, L, D], k [B, G, S, D], v [B, G, S, E]; each of the G key heads serves H/G query heads. */
function attend(q: NdArray, k: NdArray, v: NdArray, options: AttentionOptions): Attended {
  const [batch, heads, queries] = q.dims as [number, number, number]
  const [groups, keys, width] = v.dims.slice(1) as [number, number, number]
  const dims = [batch, heads, queries, keys]
  const { logits, biased, blocked } = scores(q, k, options)
  const { softmaxDtype, exact } = options
  const softmaxInput = softmaxDtype
    ? stored(array(softmaxDtype, dims, biased.slice()), exact)
    : array('f64', dims, biased)
  // A query that may look nowhere gets zeros.
  const probabilities = floats(softmaxLast(softmaxInput)).map((p, n) => (blocked[Math.floor(n / keys)] ? 0 : p))
  const values = floats(v)
  const y = new Float64Array(batch * heads * queries * width)
  for (let n = 0; n < probabilities.length; n++) {
    const p = probabilities[n] as number
    const [row, j] = [Math.floor(n / keys), n % keys]
    const at = (groupOf(Math.floor(row / queries), heads, groups) * keys + j) * width
    if (p === 0) continue
    for (let e = 0; e < width; e++) y[row * width + e] = (y[row * width + e] as number) + p * (values[at + e] as number)
  }
  const named = (data: Float64Array) => floatArray(q.dtype, dims, data)
  return {
    y: floatArray(q.dtype, [batch, heads, queries, width], y),
    logits: named(logits),
    biased: named(biased),
    probabilities: named(probabilities),
  }
}

/** The key head, over all batches, that serves a query head. */
const groupOf = (head: number, heads: number, groups: number): number =>
  Math.floor(head / heads) * groups + Math.floor((head % heads) / (heads / groups))

/** Scaled and capped products of queries and keys, those with the bias, and which queries may look nowhere. */
function scores(q: NdArray, k: NdArray, { scale, bias, softcap = 0 }: AttentionOptions) {
  const [batch, heads, queries, size] = q.dims as [number, number, number, number]
  const [groups, keys] = k.dims.slice(1) as [number, number]
  const [qs, ks] = [floats(q), floats(k)]
  const logits = new Float64Array(batch * heads * queries * keys)
  const biased = new Float64Array(logits.length)
  const blocked = new Uint8Array(batch * heads * queries).fill(1)
  for (let n = 0; n < logits.length; n++) {
    const [row, j] = [Math.floor(n / keys), n % keys]
    const head = Math.floor(row / queries)
    const at = (groupOf(head, heads, groups) * keys + j) * size
    let dot = 0
    for (let d = 0; d < size; d++) dot += (qs[row * size + d] as number) * (ks[at + d] as number)
    const logit = softcap > 0 ? softcap * Math.tanh((dot * scale) / softcap) : dot * scale
    const added = bias(Math.floor(head / heads), head % heads, row % queries, j)
    if (added !== -Infinity) blocked[row] = 0
    logits[n] = logit
    biased[n] = logit + added
  }
  return { logits, biased, blocked }
}

/** [B, L, H·D] as [B, H, L, D]. */
const splitHeads = (x: NdArray, heads: number): NdArray => {
  const [batch, length, hidden] = x.dims as [number, number, number]
  return transpose(reshape(x, [batch, length, heads, hidden / heads]), [0, 2, 1, 3])
}

/** [B, H, L, D] as [B, L, H·D]. */
const joinHeads = (x: NdArray): NdArray => {
  const [batch, heads, length, size] = x.dims as [number, number, number, number]
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, length, heads * size])
}

/** A mask as a bias: booleans bar where they are false; keys beyond a short mask are barred. Broadcasts from the right. */
function maskBias(mask: NdArray | undefined, dims: readonly number[]): Bias {
  if (!mask) return () => 0
  const [, heads, queries, keys] = dims as [number, number, number, number]
  const known = mask.dims.at(-1) as number
  const width = known === 1 && mask.dims.length > 0 && keys !== 1 ? keys : known
  const target = [...dims.slice(0, 3), width]
  const offsets = broadcastOffsets(mask.dims, target)
  const values = numbers(mask)
  return (b, h, i, j) => {
    if (j >= width) return -Infinity
    const value = values[offsets[((b * heads + h) * queries + i) * width + j] as number] as number
    return mask.dtype === 'bool' ? (value ? 0 : -Infinity) : value
  }
}

/** ONNX Attention-23 and later: grouped heads, a cache, causal and windowed masks aligned at the last key. */
function attention(call: Call): (NdArray | undefined)[] {
  const flat = call.input(0).dims.length === 3
  const heads = (x: NdArray, name: string) => (flat ? splitHeads(x, call.number(name, 1)) : x)
  const q = heads(call.input(0), 'q_num_heads')
  const [pastKey, pastValue, lengths] = [call.optional(4), call.optional(5), call.optional(6)]
  const withPast = (past: NdArray | undefined, x: NdArray) => (past ? concat([past, x], 2) : x)
  const k = withPast(pastKey, heads(call.input(1), 'kv_num_heads'))
  const v = withPast(pastValue, heads(call.input(2), 'kv_num_heads'))
  const queries = q.dims[2] as number
  const valid = lengths && integers(lengths)
  // How many keys come before the first query.
  const ahead = (b: number) => (pastKey ? (pastKey.dims[2] as number) : valid ? (valid[b] as number) - queries : 0)
  const mask = maskBias(call.optional(3), [q.dims[0] as number, q.dims[1] as number, queries, k.dims[2] as number])
  const causal = call.flag('is_causal')
  const [left, right] = [call.number('left_window_size', -1), call.number('right_window_size', -1)]
  const bias: Bias = (b, h, i, j) => {
    const distance = i + ahead(b) - j
    const barred =
      (causal && distance < 0) ||
      (left >= 0 && distance > left) ||
      (right >= 0 && -distance > right) ||
      (valid !== undefined && j >= (valid[b] as number))
    return barred ? -Infinity : mask(b, h, i, j)
  }
  const result = attend(q, k, v, {
    scale: call.number('scale', 1 / Math.sqrt(q.dims[3] as number)),
    bias,
    softcap: call.number('softcap', 0),
    softmaxDtype: dtypeOf(call.number('softmax_precision', 0)),
    exact: call.exact,
  })
  const shown = [result.logits, result.logits, result.biased, result.probabilities][
    call.number('qk_matmul_output_mode', 0)
  ]
  return [flat ? joinHeads(result.y) : result.y, k, v, shown]
}

/** Su et al. 2021, arXiv:2104.09864: rotates pairs of features by an angle of their position. */
function rotaryEmbedding(call: Call): NdArray {
  const input = call.input(0)
  const flat = input.dims.length === 3
  const x = flat ? splitHeads(input, call.number('num_heads', 1)) : input
  const [batch, heads, length, size] = x.dims as [number, number, number, number]
  const rotated = call.number('rotary_embedding_dim', 0) || size
  const half = rotated / 2
  const [cos, sin] = [floats(call.input(1)), floats(call.input(2))]
  const positions = call.optional(3)
  const ids = positions && integers(positions)
  const interleaved = call.flag('interleaved')
  const data = floats(x)
  const out = data.slice()
  for (let row = 0; row < batch * heads * length; row++) {
    const token = Math.floor(row / (heads * length)) * length + (row % length)
    const angles = (ids ? (ids[token] as number) : token) * half
    for (let p = 0; p < half; p++) {
      const first = row * size + (interleaved ? 2 * p : p)
      const second = interleaved ? first + 1 : first + half
      const [a, b] = [data[first] as number, data[second] as number]
      const [c, s] = [cos[angles + p] as number, sin[angles + p] as number]
      out[first] = c * a - s * b
      out[second] = s * a + c * b
    }
  }
  const y = array(input.dtype, x.dims, out)
  return flat ? joinHeads(y) : y
}

/**
 * The padding mask of onnxruntime's attentions: [B] lengths, [B, S] or [B, L, S] with 1 for keys to look at. Barred keys
 * get `mask_filter_value` rather than −∞.
 */
function paddingBias(call: Call, mask: NdArray | undefined): Bias {
  if (!mask) return () => 0
  const filter = call.number('mask_filter_value', -10000)
  const values = integers(mask)
  const [rank, keys] = [mask.dims.length, mask.dims.at(-1) as number]
  return (b, _h, i, j) => {
    const open =
      rank === 1
        ? j < (values[b] as number)
        : rank === 2
          ? values[b * keys + j] !== 0
          : values[(b * (mask.dims[1] as number) + i) * keys + j] !== 0
    return open ? 0 : filter
  }
}

const sumOf =
  (...parts: readonly Bias[]): Bias =>
  (b, h, i, j) =>
    parts.reduce((sum, part) => sum + part(b, h, i, j), 0)

/** com.microsoft Attention: X·W + b gives Q, K and V side by side; `past` is [2, B, H, P, D]. */
function packedAttention(call: Call): NdArray[] {
  const [x, weight, bias] = [call.input(0), call.input(1), call.optional(2)]
  const heads = call.number('num_heads', 1)
  const total = weight.dims[1] as number
  const sizes = call.numbers('qkv_hidden_sizes') ?? [total / 3, total / 3, total / 3]
  const projected = addLast(matMul(x, weight, call), bias)
  const ends = [sizes[0] as number, (sizes[0] as number) + (sizes[1] as number), total]
  const [q, freshKey, freshValue] = ends.map((end, i) =>
    splitHeads(sliceAxis(projected, 2, i === 0 ? 0 : (ends[i - 1] as number), end), heads),
  ) as [NdArray, NdArray, NdArray]
  const past = call.optional(4)
  const pastPart = (i: number) => past && reshape(sliceAxis(past, 0, i, i + 1), past.dims.slice(1))
  const join = (old: NdArray | undefined, now: NdArray) => (old ? concat([old, now], 2) : now)
  const [k, v] = [join(pastPart(0), freshKey), join(pastPart(1), freshValue)]
  const ahead = (k.dims[2] as number) - (q.dims[2] as number)
  const causal: Bias = (_b, _h, i, j) => (call.flag('unidirectional') && j > i + ahead ? -Infinity : 0)
  const dims = [q.dims[0], heads, q.dims[2], k.dims[2]] as number[]
  const { y } = attend(q, k, v, {
    scale: call.number('scale', 0) || 1 / Math.sqrt(q.dims[3] as number),
    bias: sumOf(causal, paddingBias(call, call.optional(3)), maskBias(call.optional(5), dims)),
    exact: call.exact,
  })
  const present = [k, v].map((part) => reshape(part, [1, ...part.dims]))
  return [joinHeads(y), concat(present, 0)]
}

/** com.microsoft MultiHeadAttention: separate Q, K, V of rank 3 (or K, V already split), one bias for all. */
function multiHeadAttention(call: Call): NdArray[] {
  const [query, key, value, bias] = [call.input(0), call.input(1), call.input(2), call.optional(3)]
  const heads = call.number('num_heads', 1)
  const hidden = query.dims[2] as number
  const part = (start: number, end: number) => bias && sliceAxis(bias, 0, start, end)
  const split = (x: NdArray, start: number, end: number) =>
    x.dims.length === 4 ? x : splitHeads(addLast(x, part(start, end)), heads)
  const q = split(query, 0, hidden)
  const [pastKey, pastValue] = [call.optional(6), call.optional(7)]
  const join = (old: NdArray | undefined, now: NdArray) => (old ? concat([old, now], 2) : now)
  const k = join(pastKey, split(key, hidden, 2 * hidden))
  const v = join(pastValue, split(value, 2 * hidden, bias?.dims[0] ?? 3 * hidden))
  const ahead = (k.dims[2] as number) - (q.dims[2] as number)
  const causal: Bias = (_b, _h, i, j) => (call.flag('unidirectional') && j > i + ahead ? -Infinity : 0)
  const dims = [q.dims[0], heads, q.dims[2], k.dims[2]] as number[]
  const { y } = attend(q, k, v, {
    scale: call.number('scale', 0) || 1 / Math.sqrt(q.dims[3] as number),
    bias: sumOf(causal, paddingBias(call, call.optional(4)), maskBias(call.optional(5), dims)),
    exact: call.exact,
  })
  return [joinHeads(y), k, v]
}

export const attentions: Kernels = { Attention: attention, RotaryEmbedding: rotaryEmbedding }
export const contribAttentions: Kernels = { Attention: packedAttention, MultiHeadAttention: multiHeadAttention }
