/** Which way is better. */
export type Better = 'less' | 'more'

export interface Tradeoff {
  readonly x: Better
  readonly y: Better
}

interface Place {
  readonly x: number
  readonly y: number
}

const asLess = (value: number, better: Better) => (better === 'less' ? value : -value)

/**
 * The places that no other one beats: none is as good on both axes and better on one. In order of x; of equal places
 * all are kept.
 */
export function paretoFront<P extends Place>(places: readonly P[], better: Tradeoff): P[] {
  const cost = ({ x, y }: P): [number, number] => [asLess(x, better.x), asLess(y, better.y)]
  const sorted = places.toSorted((a, b) => cost(a)[0] - cost(b)[0] || cost(a)[1] - cost(b)[1])
  const front: P[] = []
  let best = Infinity
  let bestX = NaN
  for (const place of sorted) {
    const [x, y] = cost(place)
    if (y < best || (y === best && x === bestX)) {
      front.push(place)
      best = y
      bestX = x
    }
  }
  return front.toSorted((a, b) => a.x - b.x)
}

/** What a person will not go beyond; an axis without a limit is free. */
export interface Limits {
  readonly x?: number | undefined
  readonly y?: number | undefined
}

export function isWithinLimits({ x, y }: Place, limits: Limits, better: Tradeoff): boolean {
  const kept = (value: number, limit: number | undefined, way: Better) =>
    limit === undefined || asLess(value, way) <= asLess(limit, way)
  return kept(x, limits.x, better.x) && kept(y, limits.y, better.y)
}

/**
 * The best compromise within the limits: of the front, the place nearest to the ideal corner when both axes are scaled
 * to the front's extent, the logarithm where `logX` (Marler and Arora 2004, "Survey of multi-objective optimization
 * methods for engineering", § 3.2, compromise solution). Nothing when no place keeps the limits.
 */
export function sweetSpot<P extends Place>(
  places: readonly P[],
  { limits, better, logX = false }: { readonly limits: Limits; readonly better: Tradeoff; readonly logX?: boolean },
): P | undefined {
  const front = paretoFront(places, better)
  const allowed = front.filter((place) => isWithinLimits(place, limits, better))
  const xOf = ({ x }: P) => asLess(logX ? Math.log(x) : x, better.x)
  const yOf = ({ y }: P) => asLess(y, better.y)
  const share = (of: (place: P) => number) => {
    const all = front.map(of)
    const [low, high] = [Math.min(...all), Math.max(...all)]
    return (place: P) => (of(place) - low) / (high - low || 1)
  }
  const [fromX, fromY] = [share(xOf), share(yOf)]
  const distance = (place: P) => Math.hypot(fromX(place), fromY(place))
  return allowed.toSorted((a, b) => distance(a) - distance(b))[0]
}
