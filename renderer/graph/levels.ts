import type { GraphData } from './model.ts'
import type { GroupTree } from './tree.ts'

/** A line between two things of one group; nodes are told by index, groups by `~index`. */
export interface Link {
  readonly from: number
  readonly to: number
  /** The node that the line starts from, also when it is deep inside `from`, or outside. */
  readonly source: number
  /** Places of the edges it stands for. */
  readonly edges: readonly number[]
}

/** What is drawn inside one group: lines among its things, from outside (`from` is `OUTSIDE`) and to the outside. */
export interface Level {
  readonly links: readonly Link[]
  /** Nodes outside that something inside reads. */
  readonly entries: readonly number[]
  /** Nodes inside that something outside reads. */
  readonly exits: readonly number[]
}

export const OUTSIDE = Number.MIN_SAFE_INTEGER

/** Edges by the group in which they show. Computed when a group is first opened; a graph is never walked as a whole. */
export class Levels {
  readonly #graph: GraphData
  readonly #tree: GroupTree
  readonly #levels = new Map<number, Level>()
  readonly #depth: Int32Array
  #outgoing: readonly (readonly number[])[] | undefined
  #incoming: readonly (readonly number[])[] | undefined

  constructor(graph: GraphData, tree: GroupTree) {
    this.#graph = graph
    this.#tree = tree
    this.#depth = new Int32Array(tree.groups.length)
    tree.groups.forEach(({ parent }, id) => (this.#depth[id] = parent < 0 ? 0 : (this.#depth[parent] ?? 0) + 1))
  }

  of(group: number): Level {
    const known = this.#levels.get(group)
    if (known) return known
    const level = this.#level(group)
    this.#levels.set(group, level)
    return level
  }

  /** The thing directly in a group that holds a node; undefined for one outside. */
  childIn(group: number, node: number): number | undefined {
    const { groups, groupOf } = this.#tree
    let child = node
    let at = groupOf[node] ?? 0
    const depth = this.#depth[group] ?? 0
    while ((this.#depth[at] ?? 0) > depth) {
      child = ~at
      at = groups[at]?.parent ?? 0
    }
    return at === group ? child : undefined
  }

  #index(): void {
    const { nodes, edges } = this.#graph
    const outgoing: number[][] = nodes.map(() => [])
    const incoming: number[][] = nodes.map(() => [])
    edges.forEach(({ from, to }, i) => {
      outgoing[from]?.push(i)
      incoming[to]?.push(i)
    })
    this.#outgoing = outgoing
    this.#incoming = incoming
  }

  #level(group: number): Level {
    if (!this.#outgoing) this.#index()
    const { edges } = this.#graph
    const links = new Map<string, { from: number; to: number; source: number; edges: number[] }>()
    const entries = new Set<number>()
    const exits = new Set<number>()
    const add = (from: number, to: number, source: number, edge: number) => {
      const key = `${from} ${to} ${source}`
      const link = links.get(key)
      if (link) link.edges.push(edge)
      else links.set(key, { from, to, source, edges: [edge] })
    }
    for (const node of this.#tree.groups[group]?.nodes ?? []) {
      const own = this.childIn(group, node)
      if (own === undefined) continue
      for (const i of this.#incoming?.[node] ?? []) {
        const source = edges[i]?.from ?? 0
        const from = this.childIn(group, source)
        if (from === undefined) entries.add(source)
        if (from !== own) add(from ?? OUTSIDE, own, source, i)
      }
      for (const i of this.#outgoing?.[node] ?? []) {
        if (this.childIn(group, edges[i]?.to ?? 0) !== undefined) continue
        exits.add(node)
        add(own, OUTSIDE, node, i)
      }
    }
    return { links: [...links.values()], entries: [...entries], exits: [...exits] }
  }
}
