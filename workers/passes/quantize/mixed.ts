/** One way to store a layer. */
export interface Precision {
  /** Of a weight; 32 is float. */
  readonly bits: number
  /** Bytes or milliseconds. */
  readonly cost: number
  /** Energy of the error that it alone brings to the outputs, over that of the outputs. */
  readonly noise: number
}

export interface PrecisionChoice {
  readonly layer: string
  readonly chosen: Precision
}

interface Move {
  readonly layer: number
  readonly to: Precision
}

/**
 * A precision for each layer so that all costs together stay within a limit with little noise: every layer begins with
 * its least noise, and as long as the limit is passed, the move to a cheaper precision that brings the least noise for
 * what it saves is made. At the end layers go back to less noise where there is room. Noises of layers are taken as
 * independent (Dong et al. 2020, HAWQ-V2, arXiv:1911.03852, eq. 8: a sum over layers); of a greedy search the result is
 * near the best, not proven so. `met` is false where the cheapest forms together are still above the limit.
 */
export function choosePrecisions(
  layers: readonly { readonly layer: string; readonly precisions: readonly Precision[] }[],
  limit: number,
): { readonly choices: readonly PrecisionChoice[]; readonly cost: number; readonly met: boolean } {
  const chosen = layers.map(({ precisions }) => leastBy(precisions, (p) => p.noise))
  const total = () => chosen.reduce((sum, p) => sum + p.cost, 0)
  const movesOf = (isMove: (from: Precision, to: Precision) => boolean): readonly Move[] =>
    layers.flatMap(({ precisions }, layer) =>
      precisions.flatMap((to) => (isMove(chosen[layer] as Precision, to) ? [{ layer, to }] : [])),
    )
  const worth = ({ layer, to }: Move) => {
    const from = chosen[layer] as Precision
    return (to.noise - from.noise) / Math.abs(from.cost - to.cost)
  }
  while (total() > limit) {
    const cheaper = movesOf((from, to) => to.cost < from.cost)
    if (cheaper.length === 0) break
    const { layer, to } = leastBy(cheaper, worth)
    chosen[layer] = to
  }
  for (;;) {
    const room = limit - total()
    const better = movesOf((from, to) => to.noise < from.noise && to.cost - from.cost <= room)
    if (better.length === 0) break
    const { layer, to } = leastBy(better, worth)
    chosen[layer] = to
  }
  const choices = layers.map(({ layer }, i) => ({ layer, chosen: chosen[i] as Precision }))
  return { choices, cost: total(), met: total() <= limit }
}

function leastBy<T>(items: readonly T[], of: (item: T) => number): T {
  return items.reduce((best, item) => (of(item) < of(best) ? item : best))
}
