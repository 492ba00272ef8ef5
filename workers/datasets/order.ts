import { hashSeed, mulberry32, type Random } from '../graph/random.ts'

/**
 * A permutation of 0 … n − 1 that depends only on its arguments (Fisher–Yates, Durstenfeld 1964), so the order of any
 * epoch can be had without having gone through the ones before it.
 */
export function permutation(n: number, seed: number, epoch: number, purpose = 'order'): Int32Array {
  const values = Int32Array.from({ length: n }, (_, i) => i)
  const random = mulberry32(hashSeed(seed, epoch, purpose))
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const kept = values[i] as number
    values[i] = values[j] as number
    values[j] = kept
  }
  return values
}

/** The stream of randomness of one sample in one epoch, the same whatever came before it and in whichever batch it is. */
export const sampleRandom = (seed: number, epoch: number, sample: number): Random =>
  mulberry32(hashSeed(seed, epoch, sample, 'augmentation'))
