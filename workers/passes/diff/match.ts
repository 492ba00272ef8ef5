import type { Graph, Node } from '../../graph/graph.ts'

/** Which node of one graph is which of another; what has no counterpart was removed or added. */
export interface Matching {
  /** In the order of the first graph. */
  readonly pairs: readonly (readonly [Node, Node])[]
  readonly removed: readonly Node[]
  readonly added: readonly Node[]
}

/** Segments whose product is larger are not aligned by their operators: that would take too long. */
const MOST_ALIGNED = 4e6

/** An operator without what quantization and fusion put around its name: QLinearConv and ConvInteger are a Conv. */
export const bareOperator = (op: string): string =>
  op.replace(/^(?:QLinear|DynamicQuantize|Fused|Q)(?=[A-Z])/, '').replace(/(?:Integer|NBits)$/, '')

const isKin = (a: Node, b: Node): boolean => bareOperator(a.op) === bareOperator(b.op)

/** Constants are what nodes are compared by, not nodes. */
const isCounted = (node: Node): boolean => node.op !== 'Constant'

/**
 * Aligns two graphs, in three ways, each on what the ones before left: nodes of one name (their own, or that of what
 * they put out) and one operator; neighbours of pairs, along the same inputs and outputs, where there is no choice;
 * and between pairs that are in order in both, the longest common subsequence of operators (Wagner and
 * Fischer 1974). Linear in the nodes but for the last, which only sees small segments.
 */
export function matchNodes(before: Graph, after: Graph): Matching {
  const matcher = new Matcher(before, after)
  matcher.byName()
  matcher.byNeighbours()
  matcher.byOrder()
  matcher.byNeighbours()
  return matcher.result()
}

class Matcher {
  readonly #before: Graph
  readonly #after: Graph
  /** From the first graph to the second, and back. */
  readonly #forth = new Map<Node, Node>()
  readonly #back = new Map<Node, Node>()
  #queue: (readonly [Node, Node])[] = []

  constructor(before: Graph, after: Graph) {
    this.#before = before
    this.#after = after
  }

  result(): Matching {
    return {
      pairs: this.#before.nodes.flatMap((node) => {
        const other = this.#forth.get(node)
        return other ? [[node, other] as const] : []
      }),
      removed: this.#before.nodes.filter((node) => isCounted(node) && !this.#forth.has(node)),
      added: this.#after.nodes.filter((node) => isCounted(node) && !this.#back.has(node)),
    }
  }

  #pair(a: Node | undefined, b: Node | undefined): void {
    if (!a || !b || this.#forth.has(a) || this.#back.has(b) || !isCounted(a) || !isCounted(b) || !isKin(a, b)) return
    this.#forth.set(a, b)
    this.#back.set(b, a)
    this.#queue.push([a, b])
  }

  byName(): void {
    for (const key of [(node: Node) => node.name, (node: Node) => node.outputs.find((o) => o !== '') ?? '']) {
      const [left, right] = [uniqueBy(this.#before.nodes, key), uniqueBy(this.#after.nodes, key)]
      for (const [name, node] of left) this.#pair(node, right.get(name))
    }
  }

  /** Walks from every pair to what reads it and what feeds it. */
  byNeighbours(): void {
    if (this.#queue.length === 0) for (const pair of this.#forth) this.#queue.push(pair)
    for (const { a, b } of this.#boundary()) this.#readers(a, b)
    while (this.#queue.length > 0) {
      const queue = this.#queue
      this.#queue = []
      for (const [a, b] of queue) {
        a.outputs.forEach((output, i) => output !== '' && this.#readers(output, b.outputs[i] ?? ''))
        a.inputs.forEach((input, i) => {
          if (input !== '') this.#pair(this.#before.producer(input), this.#after.producer(b.inputs[i] ?? ''))
        })
      }
    }
  }

  /** Inputs of both graphs, in their order. */
  #boundary(): { readonly a: string; readonly b: string }[] {
    const others = this.#after.requiredInputs
    return this.#before.requiredInputs.flatMap(({ name }, i) => {
      const other = others.find((input) => input.name === name) ?? others[i]
      return other ? [{ a: name, b: other.name }] : []
    })
  }

  /** Pairs the only unpaired readers of one kind. */
  #readers(a: string, b: string): void {
    const [left, right] = [this.#free(this.#before, this.#forth, a), this.#free(this.#after, this.#back, b)]
    for (const node of left) {
      const same = (others: readonly Node[]) => others.filter((other) => isKin(node, other))
      const found = same(right)
      if (found.length === 1 && same(left).length === 1) this.#pair(node, found[0])
    }
  }

  #free(graph: Graph, paired: ReadonlyMap<Node, Node>, value: string): Node[] {
    return graph.uses(value).flatMap((use) => (use.kind === 'node' && !paired.has(use.node) ? [use.node] : []))
  }

  /** Aligns what lies between pairs that are in order in both graphs. */
  byOrder(): void {
    const place = new Map(this.#after.nodes.map((node, i) => [node, i]))
    const anchors = this.#before.nodes.flatMap((node, i) => {
      const other = this.#forth.get(node)
      return other ? [[i, place.get(other) ?? -1] as const] : []
    })
    const ordered = [...longestIncreasing(anchors), [this.#before.nodes.length, this.#after.nodes.length] as const]
    let [fromA, fromB] = [0, 0]
    for (const [toA, toB] of ordered) {
      const left = this.#before.nodes.slice(fromA, toA).filter((node) => isCounted(node) && !this.#forth.has(node))
      const right = this.#after.nodes.slice(fromB, toB).filter((node) => isCounted(node) && !this.#back.has(node))
      if (left.length * right.length <= MOST_ALIGNED)
        for (const [a, b] of commonSubsequence(left, right)) this.#pair(a, b)
      ;[fromA, fromB] = [toA + 1, toB + 1]
    }
  }
}

function uniqueBy(nodes: readonly Node[], key: (node: Node) => string): Map<string, Node> {
  const found = new Map<string, Node | undefined>()
  for (const node of nodes) if (key(node) !== '') found.set(key(node), found.has(key(node)) ? undefined : node)
  return new Map([...found].flatMap(([name, node]) => (node ? [[name, node] as const] : [])))
}

/** The longest part of pairs, sorted by their first number, whose second ones ascend too (patience sorting). */
function longestIncreasing(pairs: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const tails: number[] = []
  const before = new Int32Array(pairs.length).fill(-1)
  pairs.forEach(([, second], i) => {
    let [low, high] = [0, tails.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((pairs[tails[middle] as number]?.[1] ?? 0) < second) low = middle + 1
      else high = middle
    }
    if (low > 0) before[i] = tails[low - 1] as number
    tails[low] = i
  })
  const found: (readonly [number, number])[] = []
  for (let i = tails.at(-1) ?? -1; i >= 0; i = before[i] as number) found.push(pairs[i] as readonly [number, number])
  return found.reverse()
}

function commonSubsequence(left: readonly Node[], right: readonly Node[]): (readonly [Node, Node])[] {
  if (left.length === 0 || right.length === 0) return []
  const width = right.length + 1
  const table = new Int32Array((left.length + 1) * width)
  const at = (i: number, j: number) => table[i * width + j] as number
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      const same = isKin(left[i] as Node, right[j] as Node)
      table[i * width + j] = same ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const found: (readonly [Node, Node])[] = []
  for (let [i, j] = [0, 0]; i < left.length && j < right.length;) {
    const [a, b] = [left[i] as Node, right[j] as Node]
    if (isKin(a, b)) {
      found.push([a, b])
      ;[i, j] = [i + 1, j + 1]
    } else if (at(i + 1, j) >= at(i, j + 1)) i++
    else j++
  }
  return found
}
