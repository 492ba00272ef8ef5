import { byteLength } from '../graph/dtype.ts'
import { capturedBy, type Graph, type Node } from '../graph/graph.ts'
import { sizeOf } from '../graph/tensor.ts'
import { asTensor, staticShape } from '../graph/types.ts'
import { Arena, type Chunk } from './memory-arena.ts'

/** What the values of one run take, in bytes. */
export interface RunMemory {
  /** Largest sum of the buffers that are in use at once. */
  readonly live: number
  /** What onnxruntime's arena has touched after the first run. */
  readonly arena: number
  /** The same after the second run, where it plans one block for all values (its memory pattern) and keeps both. */
  readonly withPattern: number
}

/** What a training step needs beside the values of one run. */
export interface StepNeeds {
  /** The step as the engine runs it, with types. */
  readonly graph: Graph
  /** Bytes of the state: weights, what the optimizer keeps, running statistics. */
  readonly state: number
  /** Of those, bytes of which a second copy is written while the first is read. */
  readonly doubled: number
  /** Bytes of the data that stays in memory for the run. */
  readonly data?: number
}

/** Bytes that a training step takes at its peak, beyond what the process has. */
export interface StepMemory {
  readonly bytes: number
  /** Where the engine plans no block of memory ahead: less, for a few percent of the time. */
  readonly compact: number
}

/** Bytes of code and of objects that building and opening any step takes, and bytes per node of it. */
const OPENING = 6e6
const PER_NODE = 10e3

/** What kernels take for themselves while they run, which no graph tells: on the whole, as measured over the zoo. */
const SCRATCH = 1.15

/**
 * Predicts the peak of training on the processor. A batch is there twice: as it is made, and as it is fed. Measured for
 * the zoo by `npm run bench -- memory`.
 */
export function stepMemory({ graph, state, doubled, data = 0 }: StepNeeds): StepMemory {
  const { arena, withPattern } = runMemory(graph)
  const bytesOf = (value: string) => bytesOfType(graph, value)
  const inputs = graph.inputs.reduce((sum, { name }) => sum + bytesOf(name), 0)
  const fed = Math.max(0, inputs - state)
  const constants = [...graph.initializers.values()].reduce((sum, { bytes }) => sum + bytes.byteLength, 0)
  const fixed = OPENING + PER_NODE * graph.nodes.length + state + doubled + 2 * fed + constants + data
  return { bytes: Math.round(fixed + SCRATCH * withPattern), compact: Math.round(fixed + SCRATCH * arena) }
}

function bytesOfType(graph: Graph, value: string): number {
  const type = asTensor(graph.type(value))
  const dims = staticShape(graph.type(value))
  return dims && type?.dtype ? byteLength(type.dtype, sizeOf(dims)) : 0
}

/** A buffer's life, as positions in the order of execution. */
interface Buffer {
  readonly bytes: number
  readonly from: number
  until: number
}

/**
 * What a run of a lowered graph holds beside its inputs, constants and outputs: nodes in the order that onnxruntime
 * takes them in, values in the buffers that its planner gives them (core/framework/allocation_planner.cc: views,
 * operators that write over an input, and buffers of a shape that are used again), buffers from its arena.
 */
export function runMemory(graph: Graph): RunMemory {
  const buffers = buffersOf(graph, masksFirst(executionOrder(graph.nodes)))
  const arena = new Arena()
  const live = replay(buffers, arena)
  const once = arena.touched
  const block = arena.allocate(live)
  arena.free(block)
  return { live, arena: once, withPattern: arena.touched }
}

/** Takes and gives back all buffers in order; the largest sum in use. */
function replay(buffers: readonly Buffer[], arena: Arena): number {
  const ends = new Map<number, Buffer[]>()
  for (const buffer of buffers) ends.set(buffer.until, [...(ends.get(buffer.until) ?? []), buffer])
  const held = new Map<Buffer, Chunk>()
  let [live, most, at] = [0, 0, 0]
  const giveBack = (until: number) => {
    for (; at < until; at++) {
      for (const buffer of ends.get(at) ?? []) {
        arena.free(held.get(buffer) as Chunk)
        live -= buffer.bytes
      }
    }
  }
  for (const buffer of buffers) {
    giveBack(buffer.from)
    held.set(buffer, arena.allocate(buffer.bytes))
    live += buffer.bytes
    most = Math.max(most, live)
  }
  return most
}

/**
 * The order in which onnxruntime runs nodes (GraphViewer, ExecutionOrder::DEFAULT): depth first from the last node that
 * nobody reads, and at each node the inputs that were written last come first.
 */
export function executionOrder(nodes: readonly Node[]): readonly Node[] {
  const producer = new Map(nodes.flatMap((node, i) => node.outputs.map((y) => [y, i] as const)))
  const reads = nodes.map((node) => {
    const inputs = [...node.inputs, ...capturedBy(node)].flatMap((x) => producer.get(x) ?? [])
    return [...new Set(inputs)].sort((a, b) => a - b)
  })
  const read = new Set(reads.flat())
  const stack: { readonly i: number; readonly leave: boolean }[] = []
  nodes.forEach((_node, i) => !read.has(i) && stack.push({ i, leave: false }))
  const seen = new Set<number>()
  const order: Node[] = []
  for (let top = stack.pop(); top; top = stack.pop()) {
    if (top.leave) order.push(nodes[top.i] as Node)
    if (top.leave || seen.has(top.i)) continue
    seen.add(top.i)
    stack.push({ i: top.i, leave: true })
    for (const i of reads[top.i] ?? []) if (!seen.has(i)) stack.push({ i, leave: false })
  }
  return order
}

/**
 * A Relu's mask depends on its output alone. Where the optimizer has renumbered nodes, depth first order comes to it
 * before the gradient that it meets, and it is held as long as the activation; so it is counted.
 */
function masksFirst(order: readonly Node[]): readonly Node[] {
  const isMask = (node: Node) => node.op === 'HardSigmoid'
  const masks = new Map<string, Node[]>()
  for (const node of order.filter(isMask)) {
    const [x = ''] = node.inputs
    masks.set(x, [...(masks.get(x) ?? []), node])
  }
  const after = (node: Node) => node.outputs.flatMap((y) => masks.get(y) ?? [])
  return order.flatMap((node) => (isMask(node) ? [] : [node, ...after(node)]))
}

/** Operators whose output is their first input's memory. */
const views: ReadonlySet<string> = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity'])

/** Operators whose kernels may write over an input of the output's size, by the inputs they may write over. */
const inPlace: Readonly<Record<string, readonly number[]>> = {
  ...Object.fromEntries(['Add', 'Sub', 'Mul', 'Div'].map((op) => [op, [0, 1]])),
  ...Object.fromEntries(
    ['Relu', 'Neg', 'Abs', 'Exp', 'Log', 'Sqrt', 'Reciprocal', 'Sigmoid', 'Tanh', 'Clip', 'Floor', 'Ceil', 'Not', 'Erf']
      .concat('Softmax', 'LogSoftmax', 'LeakyRelu', 'Elu', 'HardSigmoid', 'Selu', 'Softplus', 'Softsign', 'Cast')
      .map((op) => [op, [0]]),
  ),
}

/** Buffers in the order in which they are taken. */
function buffersOf(graph: Graph, order: readonly Node[]): readonly Buffer[] {
  const planner = new Planner(graph, order)
  order.forEach((node, at) => planner.visit(node, at))
  return planner.buffers
}

class Planner {
  readonly buffers: Buffer[] = []
  readonly #graph: Graph
  /** The value whose buffer a value lies in; inputs, constants and outputs have none of the arena. */
  readonly #buffer = new Map<string, Buffer>()
  readonly #outside: ReadonlySet<string>
  readonly #uses = new Map<Buffer, number>()
  readonly #reads = new Map<string, number>()
  /** Free buffers by dtype size and shape, last freed last. */
  readonly #idle = new Map<string, Buffer[]>()
  readonly #keys = new Map<Buffer, string>()

  constructor(graph: Graph, order: readonly Node[]) {
    this.#graph = graph
    this.#outside = new Set([
      ...graph.inputs.map((v) => v.name),
      ...graph.initializers.keys(),
      ...graph.outputs.map((v) => v.name),
    ])
    for (const node of order) {
      for (const x of readsOf(node)) this.#reads.set(x, (this.#reads.get(x) ?? 0) + 1)
    }
  }

  visit(node: Node, at: number): void {
    for (const y of node.outputs) if (y !== '' && !this.#outside.has(y)) this.#place(node, y, at)
    const done = readsOf(node)
    for (const x of done) {
      const buffer = this.#buffer.get(x)
      if (buffer) this.#release(buffer, 1, at)
    }
  }

  #place(node: Node, y: string, at: number): void {
    const reads = this.#reads.get(y) ?? 0
    const shared = this.#sharedWith(node, y)
    const buffer = shared ?? this.#idleLike(y) ?? this.#take(y, at)
    this.#buffer.set(y, buffer)
    this.#uses.set(buffer, (this.#uses.get(buffer) ?? 0) + reads)
    buffer.until = Math.max(buffer.until, at)
    // What nobody reads is free at once.
    if (reads === 0 && !shared) this.#release(buffer, 0, at)
  }

  /** The buffer of an input that the output is a view of, or may be written over. */
  #sharedWith(node: Node, y: string): Buffer | undefined {
    if (node.domain !== '' || y !== node.outputs[0]) return undefined
    const [first = ''] = node.inputs
    if (views.has(node.op)) return this.#buffer.get(first)
    for (const i of inPlace[node.op] ?? []) {
      const x = node.inputs[i] ?? ''
      const buffer = this.#buffer.get(x)
      const last = buffer !== undefined && this.#uses.get(buffer) === node.inputs.filter((name) => name === x).length
      if (last && this.#bytes(x) === this.#bytes(y) && this.#key(x) === this.#key(y)) return buffer
    }
    return undefined
  }

  #idleLike(y: string): Buffer | undefined {
    const found = this.#idle.get(this.#key(y))?.pop()
    if (found) this.#uses.set(found, 0)
    return found
  }

  #take(y: string, at: number): Buffer {
    const buffer: Buffer = { bytes: this.#bytes(y), from: at, until: at }
    this.buffers.push(buffer)
    this.#keys.set(buffer, this.#key(y))
    return buffer
  }

  #release(buffer: Buffer, uses: number, at: number): void {
    const left = (this.#uses.get(buffer) ?? 0) - uses
    this.#uses.set(buffer, left)
    buffer.until = Math.max(buffer.until, at)
    if (left > 0) return
    const key = this.#keys.get(buffer) as string
    this.#idle.set(key, [...(this.#idle.get(key) ?? []), buffer])
  }

  #key(value: string): string {
    const type = asTensor(this.#graph.type(value))
    const dims = staticShape(this.#graph.type(value))
    return dims && type?.dtype ? `${byteLength(type.dtype, 8)} ${dims.join()}` : value
  }

  #bytes(value: string): number {
    return bytesOfType(this.#graph, value)
  }
}

const readsOf = (node: Node): readonly string[] => [...node.inputs, ...capturedBy(node)].filter((x) => x !== '')
