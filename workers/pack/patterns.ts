/** Elements as unsigned numbers of their bit pattern: widths 1, 2 and 4 bytes. */
export type Patterns = Uint8Array | Uint16Array | Uint32Array

const arrays = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array } as const
export type PatternWidth = keyof typeof arrays

export const isPatternWidth = (width: number): width is PatternWidth => width in arrays

/** A view where the bytes are aligned, else a copy. */
export function patternsOf(bytes: Uint8Array, width: PatternWidth): Patterns {
  const Type = arrays[width]
  // Not `slice`: that of a Buffer does not copy.
  const aligned = bytes.byteOffset % width === 0 ? bytes : Uint8Array.from(bytes)
  return new Type(aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.length / width)
}

/** The distinct patterns in ascending order and, per element, the position in that list. */
export interface Codebook {
  readonly values: readonly number[]
  readonly symbols: Uint16Array
}

/** Beyond this many distinct values a codebook costs more than it saves. */
export const MAX_CODEBOOK = 4096

const SLOTS = 4 * MAX_CODEBOOK

/** Undefined when there are more than `MAX_CODEBOOK` distinct patterns, which ends after about as many elements. */
export function codebookOf(patterns: Patterns): Codebook | undefined {
  const keys = new Uint32Array(SLOTS)
  const ids = new Uint16Array(SLOTS)
  const found: number[] = []
  const raw = new Uint16Array(patterns.length)
  for (let i = 0; i < patterns.length; i++) {
    const key = patterns[i] as number
    let slot = (Math.imul(key, 0x9e3779b1) >>> 18) & (SLOTS - 1)
    // Identifiers count from 1: 0 is an empty slot.
    while (ids[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & (SLOTS - 1)
    if (ids[slot] === 0) {
      if (found.length === MAX_CODEBOOK) return undefined
      keys[slot] = key
      ids[slot] = found.push(key)
    }
    raw[i] = (ids[slot] as number) - 1
  }
  const values = found.toSorted((a, b) => a - b)
  const rank = new Map(values.map((value, position) => [value, position]))
  const order = Uint16Array.from(found, (value) => rank.get(value) as number)
  for (let i = 0; i < raw.length; i++) raw[i] = order[raw[i] as number] as number
  return { values, symbols: raw }
}
