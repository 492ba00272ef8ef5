import { gaussian, mulberry32 } from '../graph/random.ts'

/** Graph text in which `f32[dims] = noise` is filled with normal numbers, the same for the same seed. */
export function withNoise(text: string, { seed = 5, spread = 0.3 } = {}): string {
  const random = mulberry32(seed)
  return text.replace(/f32\[([\d,]+)\] = noise/g, (_all, dims: string) => {
    const size = dims.split(',').reduce((n, d) => n * Number(d), 1)
    const values = Array.from({ length: size }, () => (spread * gaussian(random)).toFixed(4))
    return `f32[${dims}] = [${values.join(', ')}]`
  })
}
