import { damaged } from './failure.ts'

/** No code word is longer than this, so that a decoder's table stays small and a length fits in four bits. */
export const MAX_LENGTH = 15

/**
 * Optimal lengths of prefix code words under the limit of `MAX_LENGTH` bits, by package-merge (Larmore & Hirschberg
 * 1990); where the limit does not bind these are Huffman's (1952). Symbols that never occur get 0, a symbol that is
 * alone 1.
 */
export function codeLengths(frequencies: ArrayLike<number>): Uint8Array {
  const lengths = new Uint8Array(frequencies.length)
  const used = Array.from(frequencies, (frequency, symbol) => ({ frequency, symbol })).filter((s) => s.frequency > 0)
  if (used.length <= 2) {
    for (const { symbol } of used) lengths[symbol] = 1
    return lengths
  }
  if (used.length > 2 ** MAX_LENGTH) throw new RangeError(`${used.length} symbols are too many for a code`)
  used.sort((a, b) => a.frequency - b.frequency || a.symbol - b.symbol)
  const weights = Float64Array.from(used, (s) => s.frequency)
  packageMerge(weights).forEach((length, i) => {
    lengths[(used[i] as { symbol: number }).symbol] = length
  })
  return lengths
}

/**
 * Level by level, coins of one width are paired into packages of twice the width. Only how many of each level's items
 * are coins (rather than packages) has to be remembered, because both kinds are taken in order of weight.
 */
function packageMerge(weights: Float64Array): Uint8Array {
  const n = weights.length
  const isCoin: Uint8Array[] = []
  let packages = new Float64Array(0)
  for (let level = 0; level < MAX_LENGTH; level++) {
    const merged = new Float64Array(n + packages.length)
    const coin = new Uint8Array(merged.length)
    for (let i = 0, c = 0, p = 0; i < merged.length; i++) {
      const takeCoin = p >= packages.length || (c < n && (weights[c] as number) <= (packages[p] as number))
      merged[i] = (takeCoin ? weights[c++] : packages[p++]) as number
      coin[i] = takeCoin ? 1 : 0
    }
    isCoin.push(coin)
    packages = Float64Array.from({ length: merged.length >> 1 }, (_, i) => {
      return (merged[2 * i] as number) + (merged[2 * i + 1] as number)
    })
  }
  const lengths = new Uint8Array(n)
  let take = 2 * n - 2
  for (const coin of isCoin.reverse()) {
    let coins = 0
    for (let i = 0; i < take; i++) coins += coin[i] as number
    for (let i = 0; i < coins; i++) lengths[i] = (lengths[i] as number) + 1
    take = 2 * (take - coins)
  }
  return lengths
}

/** Bits that all symbols take together under a code. */
export function codedBits(frequencies: ArrayLike<number>, lengths: Uint8Array): number {
  let bits = 0
  for (let s = 0; s < lengths.length; s++) bits += (frequencies[s] as number) * (lengths[s] as number)
  return bits
}

/** First code word of each length (RFC 1951, 3.2.2): words of a length are consecutive, in order of the symbols. */
function firstCodes(lengths: Uint8Array): { readonly first: Uint32Array; readonly kraft: number } {
  const counts = new Uint32Array(MAX_LENGTH + 1)
  for (const length of lengths) if (length > 0) counts[length] = (counts[length] as number) + 1
  const first = new Uint32Array(MAX_LENGTH + 2)
  let code = 0
  let kraft = 0
  for (let length = 1; length <= MAX_LENGTH; length++) {
    code = (code + (counts[length - 1] as number)) << 1
    first[length] = code
    kraft += (counts[length] as number) * 2 ** (MAX_LENGTH - length)
  }
  return { first, kraft }
}

/** Canonical code words by symbol. */
export function canonicalCodes(lengths: Uint8Array): Uint32Array {
  const { first } = firstCodes(lengths)
  return Uint32Array.from(lengths, (length) => {
    if (length === 0) return 0
    const code = first[length] as number
    first[length] = code + 1
    return code
  })
}

/** The symbols as bits, the first in the highest bit of the first byte; the last byte is filled with zeros. */
export function encodeSymbols(symbols: ArrayLike<number>, lengths: Uint8Array, bits: number): Uint8Array {
  const codes = canonicalCodes(lengths)
  const out = new Uint8Array(Math.ceil(bits / 8))
  let at = 0
  let pending = 0
  let have = 0
  for (let i = 0; i < symbols.length; i++) {
    const symbol = symbols[i] as number
    const length = lengths[symbol] as number
    pending = (pending << length) | (codes[symbol] as number)
    have += length
    while (have >= 8) {
      have -= 8
      out[at++] = pending >>> have
    }
    pending &= (1 << have) - 1
  }
  if (have > 0) out[at] = pending << (8 - have)
  return out
}

/** A table by the next `bits` bits: symbol · 16 + length of its code word; 0 where no code word begins so. */
export interface DecodeTable {
  readonly bits: number
  readonly entries: Uint32Array
}

/** @param offset of the lengths in the container, for the error. Throws `cmpz.code` unless the code is complete. */
export function decodeTable(lengths: Uint8Array, offset: number): DecodeTable {
  const { kraft } = firstCodes(lengths)
  const used = lengths.reduce((n, length) => n + (length > 0 ? 1 : 0), 0)
  const bits = lengths.reduce((most, length) => Math.max(most, length), 0)
  if (kraft !== 2 ** MAX_LENGTH && !(used === 1 && bits === 1)) {
    throw damaged('cmpz.code', 'the lengths of the code words make no complete prefix code', {
      offset,
      expected: 'a Kraft sum of 1, or one code word of 1 bit',
      found: `a Kraft sum of ${kraft / 2 ** MAX_LENGTH}`,
    })
  }
  const codes = canonicalCodes(lengths)
  const entries = new Uint32Array(2 ** bits)
  lengths.forEach((length, symbol) => {
    if (length === 0) return
    const from = (codes[symbol] as number) << (bits - length)
    entries.fill(symbol * 16 + length, from, from + 2 ** (bits - length))
  })
  return { bits, entries }
}

/**
 * Decodes as many symbols as `out` holds. Throws `cmpz.code-word` where no code word begins, and `cmpz.bits` when the
 * symbols take other than exactly these bytes.
 */
export function decodeSymbols<Out extends Uint8Array | Uint16Array>(
  bytes: Uint8Array,
  table: DecodeTable,
  out: Out,
  offset: number,
): Out {
  const { bits, entries } = table
  const mask = entries.length - 1
  const last = bytes.length
  let at = 0
  let pending = 0
  let have = 0
  for (let i = 0; i < out.length; i++) {
    if (have < bits) {
      // Two bytes at a time: no code word is longer, and 14 + 16 bits fit.
      pending =
        (pending << 16) |
        ((at < last ? (bytes[at] as number) : 0) << 8) |
        (at + 1 < last ? (bytes[at + 1] as number) : 0)
      at += 2
      have += 16
    }
    const entry = entries[(pending >>> (have - bits)) & mask] as number
    if (entry === 0) {
      throw damaged('cmpz.code-word', 'no code word begins with these bits', {
        offset: offset + Math.max(0, at - 1 - (have >> 3)),
        expected: 'a code word of the table',
        found: `${((pending >>> (have - bits)) & mask).toString(2).padStart(bits, '0')}`,
      })
    }
    out[i] = entry >>> 4
    have -= entry & 15
  }
  const size = Math.ceil((at * 8 - have) / 8)
  if (size !== bytes.length) {
    throw damaged('cmpz.bits', 'the symbols do not end where their bytes end', {
      offset,
      expected: `${size} bytes`,
      found: `${bytes.length}`,
    })
  }
  return out
}
