/** A point of a search: what it costs, and how good it is. */
export interface Point {
  readonly cost: number
  readonly accuracy: number
}

/** The points that no other one beats in cost and accuracy, cheapest first; of equal ones the first. */
export function paretoFront<P extends Point>(points: readonly P[]): readonly P[] {
  const front: P[] = []
  for (const point of points.toSorted((a, b) => a.cost - b.cost || b.accuracy - a.accuracy)) {
    const best = front.at(-1)
    if (!best || point.accuracy > best.accuracy) front.push(point)
  }
  return front
}
