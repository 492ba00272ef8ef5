import { mulberry32 } from '../../graph/random.ts'
import { sizeOf, type Tensor } from '../../graph/tensor.ts'
import { elementsOf, sumSlices } from './weights.ts'

/*
 * Masks over single weights, 1 for what stays, with the counts and the order of torch.nn.utils.prune. Zeros stay dense
 * in an ONNX file: it gets smaller only when it is packed, and no faster.
 */

/** How much goes: a share of what is there, or a number of elements. */
export type Amount = { readonly share: number } | { readonly count: number }

/** Ties go to the even number, as Python's `round` has it. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

export const countOf = (amount: Amount, size: number): number =>
  Math.min(size, 'count' in amount ? amount.count : roundHalfEven(amount.share * size))

/** A mask without the `count` elements of smallest score among those that are still there; ties go to the first. */
function withoutSmallest(scores: ArrayLike<number>, count: number, mask: Uint8Array): Uint8Array {
  const left = Uint32Array.from(mask.keys()).filter((i) => mask[i] === 1)
  left.sort((a, b) => (scores[a] as number) - (scores[b] as number) || a - b)
  const next = mask.slice()
  for (const i of left.subarray(0, count)) next[i] = 0
  return next
}

const fresh = (tensor: Tensor): Uint8Array => new Uint8Array(sizeOf(tensor.dims)).fill(1)
const remaining = (mask: Uint8Array): number => mask.reduce((n, m) => n + m, 0)

/** The smallest |w| go (`l1_unstructured`). With a mask, the amount is of what it leaves (a PruningContainer). */
export function l1Unstructured(tensor: Tensor, amount: Amount, mask = fresh(tensor)): Uint8Array {
  const scores = Float64Array.from(elementsOf(tensor), Math.abs)
  return withoutSmallest(scores, countOf(amount, remaining(mask)), mask)
}

/** Random elements go (`random_unstructured`). */
export function randomUnstructured(tensor: Tensor, amount: Amount, seed: number, mask = fresh(tensor)): Uint8Array {
  const random = mulberry32(seed)
  return withoutSmallest(Float64Array.from(mask, random), countOf(amount, remaining(mask)), mask)
}

/** One ranking of all tensors by |w|, or by scores that are given (`global_unstructured`). */
export function globalUnstructured(
  tensors: readonly Tensor[],
  amount: Amount,
  scores: readonly ArrayLike<number>[] = tensors.map((t) => Float64Array.from(elementsOf(t), Math.abs)),
  masks: readonly Uint8Array[] = tensors.map(fresh),
): Uint8Array[] {
  const all = new Float64Array(scores.reduce((n, s) => n + s.length, 0))
  const mask = new Uint8Array(all.length)
  let at = 0
  const starts = scores.map((score, i) => {
    const start = at
    all.set(Float64Array.from(score), start)
    mask.set(masks[i] as Uint8Array, start)
    at += score.length
    return start
  })
  const joined = withoutSmallest(all, countOf(amount, remaining(mask)), mask)
  return starts.map((start, i) => joined.slice(start, start + (scores[i] as ArrayLike<number>).length))
}

/** Whole slices of an axis by their Ln norm go, as zeros (`ln_structured`); n may be ±∞. Nothing gets smaller by it. */
export function lnStructured(tensor: Tensor, amount: Amount, n: number, axis: number): Uint8Array {
  const size = tensor.dims[axis] as number
  const norms = Math.abs(n) === Infinity ? extremes(tensor, axis, n) : sumSlices(tensor, axis, (w) => Math.abs(w) ** n)
  const slices = withoutSmallest(norms, countOf(amount, size), new Uint8Array(size).fill(1))
  const inner = sizeOf(tensor.dims.slice(axis + 1))
  return fresh(tensor).map((_, i) => slices[Math.floor(i / inner) % size] as number)
}

function extremes(tensor: Tensor, axis: number, n: number): Float64Array {
  const size = tensor.dims[axis] as number
  const inner = sizeOf(tensor.dims.slice(axis + 1))
  const out = new Float64Array(size).fill(n > 0 ? 0 : Infinity)
  const values = elementsOf(tensor)
  for (let i = 0; i < values.length; i++) {
    const slice = Math.floor(i / inner) % size
    const w = Math.abs(values[i] as number)
    out[slice] = n > 0 ? Math.max(out[slice] as number, w) : Math.min(out[slice] as number, w)
  }
  return out
}

/** |w| below q standard deviations of the layer go (Han et al. 2015, arXiv:1506.02626, section 3). */
export function belowDeviations(tensor: Tensor, q: number): Uint8Array {
  const values = elementsOf(tensor)
  const size = values.length
  let [sum, square] = [0, 0]
  for (let i = 0; i < size; i++) {
    sum += values[i] as number
    square += (values[i] as number) ** 2
  }
  const limit = q * Math.sqrt(Math.max(0, square / size - (sum / size) ** 2))
  return Uint8Array.from({ length: size }, (_, i) => (Math.abs(values[i] as number) < limit ? 0 : 1))
}

/**
 * Of every `m` neighbours along the input axis the `n` largest |w| stay, ties go to the first (Zhou et al. 2021,
 * arXiv:2102.04010; NVIDIA's 2:4). `axis` is the input axis of the weight; a rest shorter than `m` stays whole.
 */
export function nOfM(tensor: Tensor, n: number, m: number, axis: number): Uint8Array {
  const { dims } = tensor
  const values = elementsOf(tensor)
  const size = dims[axis] as number
  const inner = sizeOf(dims.slice(axis + 1))
  const mask = fresh(tensor)
  for (let base = 0; base < values.length; base += size * inner) {
    for (let k = 0; k < inner; k++) {
      for (let start = 0; start + m <= size; start += m) {
        const places = Array.from({ length: m }, (_, j) => base + (start + j) * inner + k)
        const order = places.toSorted((a, b) => Math.abs(values[b] as number) - Math.abs(values[a] as number) || a - b)
        for (const place of order.slice(n)) mask[place] = 0
      }
    }
  }
  return mask
}

/** Sparsity after `k` of `n` prunings, s_f + (s_i − s_f)(1 − k/n)³ (Zhu & Gupta 2017, arXiv:1710.01878, eq. 1). */
export const gradualSparsity = (initial: number, final: number, k: number, n: number): number =>
  final + (initial - final) * (1 - Math.min(1, Math.max(0, k / n))) ** 3
