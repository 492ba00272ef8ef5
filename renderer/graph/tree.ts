import type { GraphData } from './model.ts'
import { repeatsOf } from './repeats.ts'
import { scopesOf } from './scopes.ts'

/** A box that stands for several nodes until it is opened. */
export interface Group {
  /** The same whenever the same graph is folded: `encoder/layer`, `encoder/layer×12`. */
  readonly key: string
  readonly title: string
  /** `part`: a stretch of too many, cut so that each can be laid out. */
  readonly kind: 'root' | 'scope' | 'repeat' | 'block' | 'part'
  readonly parent: number
  /** Nodes by index, groups by `~index`, in the order of the graph. */
  readonly children: readonly number[]
  /** All nodes inside, in order. */
  readonly nodes: readonly number[]
  /** How often the same comes, for a repeat. */
  readonly times?: number
}

/** A graph folded by scope and by repeated block. Group 0 is the whole. */
export interface GroupTree {
  readonly groups: readonly Group[]
  /** The innermost group of each node. */
  readonly groupOf: Int32Array
  readonly byKey: ReadonlyMap<string, number>
}

/** More boxes than this in one group are cut into parts. */
const MOST = 120
const PART = 60
/** Longest repeated part without scopes of its own. */
const LONGEST = 400

interface Draft {
  title: string
  kind: Group['kind']
  children: (number | Draft)[]
  times?: number
}

export function foldGraph(graph: GraphData): GroupTree {
  const root = byScopes(graph)
  const signatures = new Signatures(graph)
  simplify(root)
  repeat(root, signatures)
  cut(root)
  return numbered(root, graph.nodes.length)
}

/** Nodes under their scopes. */
function byScopes({ nodes }: GraphData): Draft {
  const root: Draft = { title: '', kind: 'root', children: [] }
  const drafts = new Map<string, Draft>()
  nodes.forEach(({ name, kind }, i) => {
    let at = root
    let path = ''
    for (const scope of kind === 'input' || kind === 'output' ? [] : scopesOf(name)) {
      path += `/${scope}`
      let next = drafts.get(path)
      if (!next) {
        next = { title: scope, kind: 'scope', children: [] }
        drafts.set(path, next)
        at.children.push(next)
      }
      at = next
    }
    at.children.push(i)
  })
  return root
}

/** A group of one thing is that thing; of a chain of scopes the names are joined. */
function simplify(draft: Draft): void {
  draft.children = draft.children.map((child) => {
    if (typeof child === 'number') return child
    simplify(child)
    const [only] = child.children
    if (child.children.length !== 1 || only === undefined) return child
    return typeof only === 'number' ? only : { ...only, title: `${child.title}/${only.title}` }
  })
}

/** Numbers that are equal for things that look the same: operators, and groups of the same operators in order. */
class Signatures {
  readonly #graph: GraphData
  readonly #numbers = new Map<string, number>()

  constructor(graph: GraphData) {
    this.#graph = graph
  }

  of(child: number | Draft): number {
    const text =
      typeof child === 'number'
        ? (this.#graph.nodes[child]?.label ?? '')
        : `(${child.children.map((inner) => this.of(inner)).join()})`
    const known = this.#numbers.get(text) ?? this.#numbers.size
    this.#numbers.set(text, known)
    return known
  }
}

/** Folds what comes several times in a row, from the outside in. */
function repeat(draft: Draft, signatures: Signatures): void {
  const { children } = draft
  const sequence = Int32Array.from(children, (child) => signatures.of(child))
  const isGroup = (i: number) => typeof children[i] === 'object'
  const most = draft.kind === 'block' ? children.length - 1 : LONGEST
  const repeats = repeatsOf(sequence, {
    longest: Math.min(most, LONGEST),
    least: (start, period) => (period === 1 ? (isGroup(start) ? 3 : 8) : period === 2 ? 4 : 3),
  })
  const next: Draft['children'] = []
  let at = 0
  for (const { start, period, times } of repeats) {
    next.push(...children.slice(at, start))
    at = start + period * times
    const own = children.slice(start, at)
    // A group that is nothing but the repeat needs no second box around it.
    if (own.length === children.length && period === 1) return descend(draft, signatures)
    next.push({ title: titleOf(own, period), kind: 'repeat', times, children: blocksOf(own, period) })
  }
  draft.children = [...next, ...children.slice(at)]
  descend(draft, signatures)
}

function descend(draft: Draft, signatures: Signatures): void {
  for (const child of draft.children) {
    if (typeof child === 'number') continue
    // What is in a repeat was found to be repeated; look into each of its blocks.
    if (child.kind === 'repeat') descend(child, signatures)
    else repeat(child, signatures)
  }
}

function blocksOf(own: Draft['children'], period: number): Draft['children'] {
  if (period === 1) return own
  return Array.from({ length: own.length / period }, (_, i) => {
    const part = own.slice(i * period, (i + 1) * period)
    return { title: titleOf(part, part.length), kind: 'block' as const, children: part }
  })
}

/** `layer.0 – layer.11`, or nothing where the things have no names of their own. */
function titleOf(own: Draft['children'], period: number): string {
  const names = own.flatMap((child) => (typeof child === 'object' ? [child.title] : []))
  const [first] = names
  const last = names.at(-1)
  if (first === undefined || last === undefined || (names.length < own.length && period > 1)) return first ?? ''
  return first === last ? first : `${first} – ${last}`
}

/** No group has more than `MOST` things in it. */
function cut(draft: Draft): void {
  for (const child of draft.children) if (typeof child === 'object') cut(child)
  while (draft.children.length > MOST) {
    const count = Math.ceil(draft.children.length / PART)
    const size = Math.ceil(draft.children.length / count)
    draft.children = Array.from({ length: Math.ceil(draft.children.length / size) }, (_, i) => {
      const children = draft.children.slice(i * size, (i + 1) * size)
      return { title: stretchOf(children), kind: 'part' as const, children }
    })
  }
}

/** Which nodes of the graph a part is made of, counted from 1: `121 – 180`. */
function stretchOf(children: Draft['children']): string {
  let [first, last] = [Infinity, -1]
  const visit = (child: number | Draft): void => {
    if (typeof child === 'object') return child.children.forEach(visit)
    first = Math.min(first, child)
    last = Math.max(last, child)
  }
  children.forEach(visit)
  return `${first + 1} – ${last + 1}`
}

function numbered(root: Draft, count: number): GroupTree {
  const groups: Group[] = []
  const groupOf = new Int32Array(count)
  const byKey = new Map<string, number>()
  const visit = (draft: Draft, parent: number, key: string): readonly number[] => {
    const id = groups.length
    groups.push({ key, title: draft.title, kind: draft.kind, parent, children: [], nodes: [] })
    byKey.set(key, id)
    const nodes: number[] = []
    const children = draft.children.map((child, i) => {
      if (typeof child === 'number') {
        groupOf[child] = id
        nodes.push(child)
        return child
      }
      const at = groups.length
      const inner = visit(child, id, `${key}/${i}${child.title}`)
      for (const node of inner) nodes.push(node)
      return ~at
    })
    nodes.sort((a, b) => a - b)
    const times = draft.times === undefined ? {} : { times: draft.times }
    groups[id] = { key, title: draft.title, kind: draft.kind, parent, children, nodes, ...times }
    return nodes
  }
  visit(root, -1, '')
  return { groups, groupOf, byKey }
}

/** The groups around a node or group, innermost first, without the whole. */
export function groupsAround(tree: GroupTree, child: number): readonly number[] {
  const around: number[] = []
  let at = child < 0 ? (tree.groups[~child]?.parent ?? 0) : (tree.groupOf[child] ?? 0)
  while (at > 0) {
    around.push(at)
    at = tree.groups[at]?.parent ?? 0
  }
  return around
}

/** Boxes in view with these groups open. */
export function visibleCount({ groups }: GroupTree, open: ReadonlySet<number>): number {
  const count = (id: number): number =>
    (groups[id]?.children ?? []).reduce((n, child) => n + (child < 0 && open.has(~child) ? count(~child) + 1 : 1), 0)
  return count(0)
}

/**
 * What is open at first: a small graph whole; of a large one as many groups as leave it easy to take in, from the
 * outside in, but no repeats, whose point is that they are folded.
 */
export function openAtFirst(tree: GroupTree, nodes: number, boxes = 64): ReadonlySet<string> {
  const { groups } = tree
  if (nodes <= boxes) return new Set(groups.slice(1).map(({ key }) => key))
  const open = new Set<string>()
  let count = groups[0]?.children.length ?? 0
  const queue = [0]
  for (let at = 0; at < queue.length; at++) {
    const children = groups[queue[at] ?? 0]?.children ?? []
    // Beside inputs and outputs there is nothing else to see.
    const alone = children.length < 4 && children.filter((child) => child < 0).length === 1
    for (const child of children) {
      if (child >= 0) continue
      const group = groups[~child]
      if (!group || (!alone && (group.kind === 'repeat' || count + group.children.length > boxes))) continue
      open.add(group.key)
      queue.push(~child)
      count += group.children.length
    }
  }
  return open
}
