import { planSymbols, type SymbolPlan } from './symbols.ts'

/**
 * Positions of the non-zeros as differences (Han, Mao & Dally 2016, arXiv:1510.00149, section 2): a symbol s below
 * 2^bits says "s zeros, then a non-zero"; the symbol 2^bits is a filler, that many zeros and nothing behind them.
 */
export interface GapPlan extends SymbolPlan {
  /** Index bits: a filler covers 2^indexBits elements. */
  readonly indexBits: number
  /** Symbols, fillers included. */
  readonly count: number
  readonly fillers: number
}

export const MAX_INDEX_BITS = 11

/** Positions of the elements that are not zero. */
export function nonZeros(patterns: ArrayLike<number>): Uint32Array {
  const positions = new Uint32Array(patterns.length)
  let count = 0
  for (let i = 0; i < patterns.length; i++) if (patterns[i] !== 0) positions[count++] = i
  return positions.subarray(0, count)
}

/** What the positions would take at a number of index bits. */
export function planGaps(positions: Uint32Array, indexBits: number): GapPlan {
  const span = 2 ** indexBits
  const frequencies = new Uint32Array(span + 1)
  let previous = -1
  let fillers = 0
  for (const position of positions) {
    const zeros = position - previous - 1
    const whole = Math.floor(zeros / span)
    fillers += whole
    frequencies[zeros - whole * span] = (frequencies[zeros - whole * span] as number) + 1
    previous = position
  }
  frequencies[span] = fillers
  return { ...planSymbols(frequencies), indexBits, count: positions.length + fillers, fillers }
}

/** The symbols themselves. */
export function gapSymbols(positions: Uint32Array, { indexBits, count }: GapPlan): Uint16Array {
  const span = 2 ** indexBits
  const symbols = new Uint16Array(count)
  let at = 0
  let previous = -1
  for (const position of positions) {
    let zeros = position - previous - 1
    for (; zeros >= span; zeros -= span) symbols[at++] = span
    symbols[at++] = zeros
    previous = position
  }
  return symbols
}

/** The positions again; undefined where one is at or beyond `length` or there are not exactly `count`. */
export function positionsOf(
  symbols: Uint16Array,
  indexBits: number,
  count: number,
  length: number,
): Uint32Array | undefined {
  const span = 2 ** indexBits
  const positions = new Uint32Array(count)
  let next = 0
  let at = 0
  for (const symbol of symbols) {
    next += symbol
    if (symbol === span) continue
    if (next >= length || at >= count) return undefined
    positions[at++] = next++
  }
  return at === count ? positions : undefined
}
