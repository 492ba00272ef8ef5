/** A source of uniform numbers in [0, 1). */
export type Random = () => number

/**
 * The mulberry32 generator (Tommy Ettinger, public domain): 32 bits of state, the same stream on every machine.
 * `seed` is taken modulo 2^32.
 */
export function mulberry32(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** One standard normal number from two uniform ones (Box and Muller 1958). */
export const gaussian = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/** Fills with normal numbers of the given standard deviation; takes both of Box and Muller's values, for speed. */
export function fillGaussian(target: Float32Array | Float64Array, random: Random, std = 1): void {
  for (let i = 0; i < target.length; i += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(1 - random()))
    const angle = 2 * Math.PI * random()
    target[i] = radius * Math.cos(angle)
    if (i + 1 < target.length) target[i + 1] = radius * Math.sin(angle)
  }
}

/** Fills with numbers uniform in [-bound, bound). */
export function fillUniform(target: Float32Array | Float64Array, random: Random, bound = 1): void {
  for (let i = 0; i < target.length; i++) target[i] = bound * (2 * random() - 1)
}

/**
 * A 32-bit seed from several parts (FNV-1a, then murmur3's finalizer): streams of different purposes do not overlap,
 * and adding one does not shift the others.
 */
export function hashSeed(...parts: readonly (string | number)[]): number {
  let hash = 0x811c9dc5
  for (const char of parts.map((part) => `${typeof part}:${part};`).join('')) {
    hash = Math.imul(hash ^ (char.codePointAt(0) as number), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
