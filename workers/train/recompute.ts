import type { Graph, Node } from '../graph/graph.ts'
import { namesIn } from '../graph/builder.ts'
import { byteLength, isFloat } from '../graph/dtype.ts'
import { sizeOf } from '../graph/tensor.ts'
import { asTensor, staticShape, tensorType } from '../graph/types.ts'
import { Emitter } from '../ops/emit.ts'
import { cutsOf } from './segments.ts'

/** Values below this share of the largest kept one do not decide where to cut. */
const SMALL = 1 / 64

/** What is known of a step graph whose nodes are in order, the forward pass first. */
export interface StepParts {
  /** What the forward pass and the losses compute. */
  readonly forward: ReadonlySet<string>
  /** Inputs that each batch brings. */
  readonly data: readonly string[]
  /** The gradients of the parameters. */
  readonly gradients: ReadonlySet<string>
}

/**
 * Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): the forward pass is cut into segments; only what crosses
 * a cut is kept, and what the backward pass reads of a segment is computed again, from what crossed into it, when the
 * backward pass gets there. The same operators on the same values: the results are the same bits.
 *
 * A copy reads its segment's inputs through a Reshape whose shape waits for the gradients of all later segments (it
 * adds 0 × one of their elements). That copies nothing, keeps engines from merging the copy with the original, and
 * puts it in its place whatever order an engine prefers.
 */
export function recomputed(graph: Graph, parts: StepParts): Graph {
  const plan = planOf(graph, parts)
  return plan.segments.length === 0 ? graph : new Writer(graph, plan, parts.gradients).write()
}

interface Plan {
  readonly forward: readonly Node[]
  readonly backward: readonly Node[]
  /** Values that depend on the batch. */
  readonly varies: ReadonlySet<string>
  /** The segment of each value that is computed again. */
  readonly again: ReadonlyMap<string, number>
  /** The nodes of every segment that run again, in order. */
  readonly segments: readonly (readonly Node[])[]
}

function planOf(graph: Graph, { forward: computed, data }: StepParts): Plan {
  const isForward = (node: Node) => node.outputs.some((y) => computed.has(y))
  const forward = graph.nodes.filter(isForward)
  const backward = graph.nodes.filter((node) => !isForward(node))
  const varies = new Set(data)
  for (const node of forward) {
    if (node.inputs.some((x) => varies.has(x))) node.outputs.filter((y) => y !== '').forEach((y) => varies.add(y))
  }
  const bytes = (value: string) => bytesOf(graph, value)
  const read = new Set(backward.flatMap((node) => node.inputs))
  const kept = worthwhile(forward, read, { bytes, varies })
  const cuts = cutsOf(forward, { bytes, varies, kept })
  const segmentAt = (i: number) => cuts.filter((cut) => cut <= i).length
  const lastRead = new Map(forward.flatMap((node, i) => node.inputs.map((x) => [x, segmentAt(i)] as const)))
  const staysIn = (value: string, segment: number) => (lastRead.get(value) ?? segment) === segment
  const again = new Map<string, number>()
  const segments = cuts.map((_cut, s) => {
    const own = forward.filter((node, i) => segmentAt(i) === s && node.outputs.some((y) => varies.has(y)))
    // Small values too: engines may choose in what form the outputs of two nodes belong together.
    const wanted = new Set(own.flatMap((node) => node.outputs).filter((y) => read.has(y) && staysIn(y, s)))
    const nodes = needed(own, wanted, (value) => staysIn(value, s))
    for (const y of nodes.flatMap((node) => node.outputs)) if (y !== '' && staysIn(y, s)) again.set(y, s)
    return nodes
  })
  return { forward, backward, varies, again, segments }
}

/** What the backward pass reads of the forward pass, but for what is small. */
function worthwhile(
  forward: readonly Node[],
  read: ReadonlySet<string>,
  { bytes, varies }: { bytes: (value: string) => number; varies: ReadonlySet<string> },
): ReadonlySet<string> {
  const kept = forward.flatMap((node) => node.outputs).filter((value) => read.has(value) && varies.has(value))
  const largest = kept.reduce((most, value) => Math.max(most, bytes(value)), 0)
  return new Set(kept.filter((value) => bytes(value) >= SMALL * largest))
}

/** The nodes of a segment that the wanted values come from; what crosses the segment's end is in memory anyway. */
function needed(nodes: readonly Node[], wanted: Set<string>, stays: (value: string) => boolean): readonly Node[] {
  const found: Node[] = []
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((y) => wanted.has(y))) continue
    found.push(node)
    node.inputs.filter(stays).forEach((x) => wanted.add(x))
  }
  return found.reverse()
}

function bytesOf(graph: Graph, value: string): number {
  const [dims, dtype] = [staticShape(graph.type(value)), asTensor(graph.type(value))?.dtype]
  return dims && dtype ? byteLength(dtype, sizeOf(dims)) : 0
}

class Writer {
  readonly #plan: Plan
  readonly #gradients: ReadonlySet<string>
  readonly #g: Emitter
  /** What the backward pass reads in a value's place. */
  readonly #copies = new Map<string, string>()
  /** What the backward pass has computed. */
  readonly #behind = new Set<string>()
  /** Gradients that were finished since the last gate. */
  #finished: string[] = []
  #ahead: number

  constructor(graph: Graph, plan: Plan, gradients: ReadonlySet<string>) {
    this.#plan = plan
    this.#gradients = gradients
    this.#g = new Emitter(graph.with({ nodes: plan.forward }))
    this.#g.reserve(namesIn(graph))
    this.#ahead = plan.segments.length
  }

  write(): Graph {
    const { again, backward } = this.#plan
    for (const node of backward) {
      const first = Math.min(...node.inputs.map((x) => again.get(x) ?? Infinity))
      while (this.#ahead > first) this.#open(--this.#ahead, node)
      this.#g.append({ ...node, inputs: node.inputs.map((x) => this.#copies.get(x) ?? x) })
      for (const y of node.outputs) {
        this.#behind.add(y)
        if (this.#gradients.has(y)) this.#finished.push(y)
      }
    }
    return this.#g.build()
  }

  /** Writes a segment again, just before the node that first reads of it. */
  #open(segment: number, reader: Node): void {
    const zero = this.#gate(reader)
    const own = new Map<string, string>()
    const gated = (value: string): string => {
      if (!this.#plan.varies.has(value) || zero === undefined) return value
      const known = own.get(value) ?? this.#waiting(value, zero)
      own.set(value, known)
      return known
    }
    for (const node of this.#plan.segments[segment] ?? []) {
      const outputs = node.outputs.map((y) => (y === '' ? '' : this.#g.fresh(`${y}.again`)))
      const inputs = node.inputs.map((x) => (x === '' ? '' : gated(x)))
      this.#g.append({ ...node, name: outputs.find((y) => y !== '') ?? node.name, inputs, outputs })
      node.outputs.forEach((y, i) => own.set(y, outputs[i] as string))
    }
    for (const [value, s] of this.#plan.again) {
      if (s === segment) this.#copies.set(value, own.get(value) as string)
    }
  }

  /** The same value, in memory as it is, once the gate is open. */
  #waiting(value: string, zero: string): string {
    const g = this.#g
    const dims = g.dims(value)
    const shape = g.add(g.ints(dims), zero)
    const name = g.op('Reshape', [value, shape])
    g.types.set(name, tensorType(g.dtype(value), dims))
    return name
  }

  /** An int64 [1] of 0 that is known once the later segments have their gradients. Undefined when nothing is behind. */
  #gate(reader: Node): string | undefined {
    const g = this.#g
    const before = [...new Set([...reader.inputs.filter((x) => this.#behind.has(x)), ...this.#finished])]
    const firsts = before
      .filter((value) => isFloat(g.dtype(value)))
      .map((value) => g.op('Slice', [g.reshape(value, [-1]), g.ints([0]), g.ints([1])]))
    if (firsts.length === 0) return undefined
    const all = g.concat(firsts, 0)
    const zero = g.sum(g.mul(g.cast(g.equal(all, all), 'i64'), 0), [0], true)
    this.#finished = []
    return zero
  }
}
