/** From values to pixels, and the values at which an axis is labelled. */
export interface Scale {
  readonly domain: readonly [number, number]
  readonly logarithmic: boolean
  at(value: number): number
  /** The other way. */
  invert(pixel: number): number
  ticks(most: number): number[]
}

/** `range` in pixels may run either way; a logarithmic domain must be above zero. */
export function scaleOf(
  domain: readonly [number, number],
  range: readonly [number, number],
  logarithmic = false,
): Scale {
  const forward = logarithmic ? Math.log10 : (value: number) => value
  const back = logarithmic ? (value: number) => 10 ** value : (value: number) => value
  const [low, high] = [forward(domain[0]), forward(domain[1])]
  const span = high - low || 1
  const [from, to] = range
  return {
    domain,
    logarithmic,
    at: (value) => from + ((forward(value) - low) / span) * (to - from),
    invert: (pixel) => back(low + ((pixel - from) / (to - from || 1)) * span),
    ticks: (most) => (logarithmic ? logTicks(domain, most) : linearTicks(domain, most)),
  }
}

/** Round numbers in a domain, at most about `most`: steps of 1, 2 or 5 times a power of ten. */
export function linearTicks([low, high]: readonly [number, number], most: number): number[] {
  if (!(high > low)) return [low]
  const rough = (high - low) / Math.max(1, most)
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** Powers of ten, with 2 and 5 between them where there is room. */
export function logTicks([low, high]: readonly [number, number], most: number): number[] {
  const decades = Math.floor(Math.log10(low))
  const until = Math.ceil(Math.log10(high))
  const all = (factors: readonly number[]) =>
    Array.from({ length: until - decades + 1 }, (_, i) => 10 ** (decades + i))
      .flatMap((power) => factors.map((factor) => Number((factor * power).toPrecision(12))))
      .filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9))
  const fine = all([1, 2, 5])
  if (fine.length <= most) return fine.length > 1 ? fine : linearTicks([low, high], most)
  const coarse = all([1])
  const every = Math.max(1, Math.ceil(coarse.length / most))
  return coarse.filter((_, i) => i % every === 0)
}

/** Least and greatest finite value, or nothing. */
export function extentOf(values: Iterable<number | undefined>): [number, number] | undefined {
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) {
    if (value === undefined || !Number.isFinite(value)) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  return low <= high ? [low, high] : undefined
}
