import type { Node } from '../graph/graph.ts'

export interface Holding {
  readonly bytes: (value: string) => number
  /** Values that depend on the batch. */
  readonly varies: ReadonlySet<string>
  /** What the backward pass reads of them, as far as it is worth computing again. */
  readonly kept: ReadonlySet<string>
}

/** Places to cut at that are looked at, and sizes of segments that are tried. */
const MOST_PLACES = 256
const SIZES = 24

/** A plan that holds more than this share of what there is without one is not worth its time. */
const WORTH = 0.9

/**
 * Where to cut a forward pass, as indices of the nodes that begin a segment: for every size of segments that is tried,
 * the cheapest cuts that keep all segments below it (dynamic programming over the places where least crosses), and of
 * these the plan that holds least, checkpoints and largest segment together. Equal layers give the √n segments of
 * Chen et al. 2016, arXiv:1604.06174, sec. 4.2. Empty when cutting would not help.
 */
export function cutsOf(nodes: readonly Node[], holding: Holding): readonly number[] {
  const crossing = crossings(nodes, holding)
  const inside = prefixSums(
    nodes.map((node) => sum(node.outputs.map((y) => (holding.kept.has(y) ? holding.bytes(y) : 0)))),
  )
  const total = inside.at(-1) ?? 0
  const places = [0, ...cheapPlaces(crossing), nodes.length]
  let best: { readonly held: number; readonly cuts: readonly number[] } = { held: total * WORTH, cuts: [] }
  for (let k = 1; k <= SIZES; k++) {
    // From a whole down to 1/64 of it, evenly in the logarithm.
    const size = total * 2 ** ((-6 * k) / SIZES)
    const found = cheapestCuts(places, size, { crossing, inside })
    if (!found) continue
    const held = found.cost + found.largest
    if (held < best.held) best = { held, cuts: found.cuts }
  }
  return best.cuts
}

interface Costs {
  /** Bytes that cross a cut before node i. */
  readonly crossing: readonly number[]
  /** Bytes kept by the nodes before node i. */
  readonly inside: readonly number[]
}

/** Bytes of what is computed before each node and read by it or after it. */
function crossings(nodes: readonly Node[], { bytes, varies }: Holding): readonly number[] {
  const made = new Map(nodes.flatMap((node, i) => node.outputs.map((y) => [y, i] as const)))
  const last = new Map(nodes.flatMap((node, i) => node.inputs.map((x) => [x, i] as const)))
  const change = new Array<number>(nodes.length + 2).fill(0)
  const add = (i: number, amount: number) => (change[i] = (change[i] ?? 0) + amount)
  for (const [value, i] of made) {
    const end = last.get(value)
    if (end === undefined || !varies.has(value)) continue
    add(i + 1, bytes(value))
    add(end + 1, -bytes(value))
  }
  let live = 0
  return change.map((delta) => (live += delta))
}

/** Where less crosses than just before or after. */
function cheapPlaces(crossing: readonly number[]): readonly number[] {
  const at = (i: number) => crossing[i] ?? Infinity
  const lows = crossing.flatMap((bytes, i) =>
    i > 0 && bytes > 0 && bytes <= at(i - 1) && bytes <= at(i + 1) && bytes !== at(i - 1) ? [i] : [],
  )
  if (lows.length <= MOST_PLACES) return lows
  const every = lows.length / MOST_PLACES
  return Array.from({ length: MOST_PLACES }, (_, k) => lows[Math.floor(k * every)] as number)
}

/** The cuts of least cost whose segments are no larger than a size; undefined when a segment cannot be that small. */
function cheapestCuts(places: readonly number[], size: number, { crossing, inside }: Costs) {
  const costs: number[] = [0]
  const from: number[] = [0]
  const between = (a: number, b: number) => (inside[places[b] as number] ?? 0) - (inside[places[a] as number] ?? 0)
  for (let b = 1; b < places.length; b++) {
    costs[b] = Infinity
    for (let a = b - 1; a >= 0 && between(a, b) <= size; a--) {
      const cost = (costs[a] as number) + (b === places.length - 1 ? 0 : (crossing[places[b] as number] as number))
      if (cost < (costs[b] as number)) [costs[b], from[b]] = [cost, a]
    }
  }
  const cost = costs.at(-1) as number
  if (!Number.isFinite(cost)) return undefined
  const cuts: number[] = []
  let largest = 0
  for (let b = places.length - 1; b > 0; b = from[b] as number) {
    largest = Math.max(largest, between(from[b] as number, b))
    if (from[b] !== 0) cuts.unshift(places[from[b] as number] as number)
  }
  return { cost, cuts, largest }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

function prefixSums(values: readonly number[]): readonly number[] {
  let total = 0
  return [0, ...values.map((value) => (total += value))]
}
