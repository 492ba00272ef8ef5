import { OUTSIDE, type Level, type Levels } from './levels.ts'
import type { GroupTree } from './tree.ts'

export interface Size {
  readonly width: number
  readonly height: number
}

/** A flat graph for the layout engine; a box may have places on its upper and lower edge where lines must end. */
export interface FlatGraph {
  readonly boxes: readonly (Size & {
    readonly top?: readonly number[]
    readonly bottom?: readonly number[]
    readonly at?: 'first' | 'last'
  })[]
  /** `port`: which of the places, for a box that has them. */
  readonly lines: readonly {
    readonly from: number
    readonly to: number
    readonly fromPort?: number
    readonly toPort?: number
  }[]
}

export interface FlatLayout extends Size {
  /** x and y of each box. */
  readonly places: Float64Array
  /** x and y of each corner of each line. */
  readonly lines: readonly Float64Array[]
}

/** Places boxes and lines. Throws what `signal` was aborted with. */
export type Engine = (graph: FlatGraph, signal: AbortSignal) => Promise<FlatLayout>

/** A group laid out with all that is open inside it; places are from its own upper left corner. */
export interface GroupLayout extends Size {
  readonly group: number
  readonly children: readonly {
    readonly child: number
    readonly x: number
    readonly y: number
    readonly width: number
    readonly height: number
    readonly inner?: GroupLayout
  }[]
  readonly lines: readonly {
    readonly points: Float64Array
    readonly source: number
    readonly edges: readonly number[]
  }[]
  /** Where lines come in and go out: source node → x. */
  readonly top: ReadonlyMap<number, number>
  readonly bottom: ReadonlyMap<number, number>
}

export const HEADER = 26
const PAD = 14
/** More lines than this through one edge of a group are one. */
const MOST_PORTS = 12
const ALL = -1

export interface LayoutInput {
  readonly tree: GroupTree
  readonly levels: Levels
  readonly size: (child: number) => Size
  readonly open: ReadonlySet<number>
}

/** What was laid out before, by group and by what is open in it. Sizes of boxes must stay the same for one cache. */
export type LayoutCache = Map<string, GroupLayout>

/**
 * Lays out every open group by itself, the innermost first: what is inside gives the size of the box and the places of
 * the lines through its edge. So opening one group costs a layout of it and of those around it, never of the whole.
 */
export async function layoutTree(
  input: LayoutInput,
  engine: Engine,
  cache: LayoutCache,
  signal: AbortSignal,
): Promise<GroupLayout> {
  return layoutGroup(0, input, { engine, cache, signal })
}

interface Work {
  readonly engine: Engine
  readonly cache: LayoutCache
  readonly signal: AbortSignal
}

async function layoutGroup(id: number, input: LayoutInput, work: Work): Promise<GroupLayout> {
  const key = keyOf(id, input)
  const known = work.cache.get(key)
  if (known) return known
  const { groups } = input.tree
  const children = groups[id]?.children ?? []
  const inner = new Map<number, GroupLayout>()
  for (const child of children) {
    if (child < 0 && input.open.has(~child)) inner.set(child, await layoutGroup(~child, input, work))
  }
  work.signal.throwIfAborted()
  const level = input.levels.of(id)
  const plan = planOf(children, level, inner, input)
  const flat = await work.engine(plan.graph, work.signal)
  work.signal.throwIfAborted()
  const made = placed(id, { children, level, inner, plan, flat })
  work.cache.set(key, made)
  return made
}

/** Tells a group with the same open groups in it. */
function keyOf(id: number, { tree, open }: LayoutInput): string {
  const inside: number[] = []
  const visit = (at: number): void => {
    for (const child of tree.groups[at]?.children ?? []) {
      if (child >= 0 || !open.has(~child)) continue
      inside.push(~child)
      visit(~child)
    }
  }
  visit(id)
  return `${id}:${inside.join()}`
}

interface Plan {
  readonly graph: FlatGraph
  readonly entries: readonly number[]
  readonly exits: readonly number[]
  /** The level's link of each line of the flat graph. */
  readonly links: readonly Level['links'][number][]
}

const portsOf = (nodes: readonly number[]): readonly number[] => (nodes.length > MOST_PORTS ? [ALL] : nodes)
const portFor = (ports: readonly number[], node: number): number => Math.max(0, ports.indexOf(node))

function planOf(
  children: readonly number[],
  level: Level,
  inner: ReadonlyMap<number, GroupLayout>,
  { size }: LayoutInput,
): Plan {
  const entries = portsOf(level.entries)
  const exits = portsOf(level.exits)
  const place = new Map(children.map((child, i) => [child, i] as const))
  const boxes: FlatGraph['boxes'][number][] = children.map((child) => {
    const open = inner.get(child)
    if (!open) return size(child)
    return { width: open.width, height: open.height, top: [...open.top.values()], bottom: [...open.bottom.values()] }
  })
  const firstEntry = boxes.length
  boxes.push(...entries.map(() => ({ width: 1, height: 1, at: 'first' as const })))
  const firstExit = boxes.length
  boxes.push(...exits.map(() => ({ width: 1, height: 1, at: 'last' as const })))
  const lines = new Map<string, { line: FlatGraph['lines'][number]; link: Level['links'][number] }>()
  for (const link of level.links) {
    const { from, to, source } = link
    const open = { from: inner.get(from), to: inner.get(to) }
    const line = {
      from: from === OUTSIDE ? firstEntry + portFor(entries, source) : (place.get(from) ?? 0),
      to: to === OUTSIDE ? firstExit + portFor(exits, source) : (place.get(to) ?? 0),
      ...(open.from ? { fromPort: portFor([...open.from.bottom.keys()], source) } : {}),
      ...(open.to ? { toPort: portFor([...open.to.top.keys()], source) } : {}),
    }
    const key = `${line.from} ${line.to} ${line.fromPort ?? ''} ${line.toPort ?? ''}`
    const known = lines.get(key)
    lines.set(key, { line, link: known ? { ...known.link, edges: [...known.link.edges, ...link.edges] } : link })
  }
  const all = [...lines.values()]
  return { graph: { boxes, lines: all.map(({ line }) => line) }, entries, exits, links: all.map(({ link }) => link) }
}

interface Parts {
  readonly children: readonly number[]
  readonly level: Level
  readonly inner: ReadonlyMap<number, GroupLayout>
  readonly plan: Plan
  readonly flat: FlatLayout
}

/** The flat layout with the header and the space around it, and lines drawn out to the edge of the group. */
function placed(id: number, { children, inner, plan, flat }: Parts): GroupLayout {
  const isRoot = id === 0
  // Where lines come in or go out they leave space enough.
  const [left, above] = isRoot ? [0, 0] : [PAD, HEADER + (plan.entries.length > 0 ? -8 : PAD)]
  const width = Math.max(flat.width + 2 * left, isRoot ? 0 : 160)
  const height = flat.height + above + (isRoot || plan.exits.length > 0 ? 0 : PAD)
  const x = (box: number) => left + (flat.places[2 * box] ?? 0)
  const y = (box: number) => above + (flat.places[2 * box + 1] ?? 0)
  const { entries, exits, graph } = plan
  const firstExit = children.length + entries.length
  const lines = plan.links.map((link, i) => {
    const own = flat.lines[i] ?? new Float64Array()
    const points = own.map((value, k) => value + (k % 2 === 0 ? left : above))
    const { from = 0, to = 0 } = graph.lines[i] ?? {}
    const starts = from >= children.length
    const ends = to >= firstExit
    return {
      points: extended(points, starts ? 0 : undefined, ends ? height : undefined),
      source: link.source,
      edges: link.edges,
    }
  })
  return {
    group: id,
    width,
    height,
    children: children.map((child, i) => {
      const open = inner.get(child)
      const { width: w = 0, height: h = 0 } = graph.boxes[i] ?? {}
      return { child, x: x(i), y: y(i), width: w, height: h, ...(open ? { inner: open } : {}) }
    }),
    lines,
    top: new Map(entries.map((node, i) => [node, x(children.length + i)])),
    bottom: new Map(exits.map((node, i) => [node, x(firstExit + i)])),
  }
}

/** A line that goes on straight up to one height and straight down to another. */
function extended(points: Float64Array, up: number | undefined, down: number | undefined): Float64Array {
  if (points.length < 4 || (up === undefined && down === undefined)) return points
  const before = up === undefined ? [] : [points[0] ?? 0, up]
  const after = down === undefined ? [] : [points.at(-2) ?? 0, down]
  return Float64Array.from([...before, ...points, ...after])
}
