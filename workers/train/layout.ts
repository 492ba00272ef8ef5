import { AlambicError } from '../protocol/errors.ts'
import type { Graph, Node } from '../graph/graph.ts'
import { arrayOf, sizeOf, tensorOf, type Tensor } from '../graph/tensor.ts'
import type { Emitter } from '../ops/emit.ts'

/** Where a tensor lies in a flat vector. Offsets and sizes are in elements. */
export interface Slot {
  readonly name: string
  readonly dims: readonly number[]
  readonly offset: number
  readonly size: number
}

/**
 * Many small float32 tensors as one flat vector. An optimizer then is a dozen operators instead of a dozen for each
 * parameter, and a checkpoint is a few buffers. One tensor alone keeps its shape.
 */
export class Layout {
  readonly slots: readonly Slot[]
  readonly size: number
  /** Of the vector. */
  readonly dims: readonly number[]

  constructor(tensors: ReadonlyMap<string, Tensor>) {
    let offset = 0
    this.slots = [...tensors].map(([name, { dims }]) => {
      const slot = { name, dims, offset, size: sizeOf(dims) }
      offset += slot.size
      return slot
    })
    this.size = offset
    const [only] = this.slots
    this.dims = only && this.slots.length === 1 ? only.dims : [offset]
  }

  /** The vector of these tensors: the memory of a single one itself, for it may be most of the model. */
  pack(tensors: ReadonlyMap<string, Tensor>): Tensor {
    const [first, ...others] = this.slots
    if (first && others.length === 0) return tensorOf('f32', this.dims, floats(tensors, first.name))
    const flat = new Float32Array(this.size)
    for (const { name, offset } of this.slots) flat.set(floats(tensors, name), offset)
    return tensorOf('f32', this.dims, flat)
  }

  /** The tensors of a vector, each with its own memory. */
  unpack(vector: Tensor): Map<string, Tensor> {
    const flat = arrayOf(vector) as Float32Array
    return new Map(
      this.slots.map(({ name, dims, offset, size }) => [
        name,
        tensorOf('f32', dims, flat.slice(offset, offset + size)),
      ]),
    )
  }

  /** A vector with one number per tensor, repeated over its elements; undefined when all are the same. */
  perParameter(value: (name: string, dims: readonly number[]) => number): Float32Array | undefined {
    const values = this.slots.map((slot) => value(slot.name, slot.dims))
    if (values.every((v) => v === values[0])) return undefined
    const flat = new Float32Array(this.size)
    this.slots.forEach(({ offset, size }, i) => flat.fill(values[i] as number, offset, offset + size))
    return flat
  }

  /** Writes the nodes that take a vector apart; returns the tensors' value names by slot name. */
  split(g: Emitter, vector: string): ReadonlyMap<string, string> {
    if (this.slots.length === 0) return new Map()
    const parts = g.split(
      vector,
      0,
      this.slots.map((slot) => slot.size),
    )
    return new Map(this.slots.map(({ name, dims }, i) => [name, g.reshape(parts[i] as string, dims)]))
  }

  /** Writes the nodes that join tensors, given by slot name, into a vector. */
  join(g: Emitter, values: ReadonlyMap<string, string>): string {
    const parts = this.slots.map(({ name }) => values.get(name) as string)
    if (parts.length === 1) return g.reshape(parts[0] as string, this.dims)
    return g.concat(
      parts.map((part) => g.reshape(part, [-1])),
      0,
    )
  }
}

/** From here on a tensor is a vector of its own: joining it with others would copy more than it saves in operators. */
const LARGE = 2 ** 16

/** The trained tensors as vectors: the small ones together, then each of the large ones. */
export class ParameterVectors {
  readonly vectors: readonly Layout[]

  constructor(tensors: ReadonlyMap<string, Tensor>) {
    const isLarge = ([, { dims }]: readonly [string, Tensor]) => sizeOf(dims) >= LARGE
    const small = [...tensors].filter((entry) => !isLarge(entry))
    const own = [...tensors].filter(isLarge).map((entry) => new Layout(new Map([entry])))
    this.vectors = small.length === 0 ? own : [new Layout(new Map(small)), ...own]
  }

  /** Elements of all vectors. */
  get size(): number {
    return this.vectors.reduce((sum, vector) => sum + vector.size, 0)
  }

  get slots(): readonly Slot[] {
    return this.vectors.flatMap((vector) => vector.slots)
  }

  /** What the part of a state that belongs to vector `i` is called. */
  static nameOf = (part: string, i: number): string => (i === 0 ? `state.${part}` : `state.${part}.${i}`)

  /** The tensors out of the vectors of a state. */
  unpack(state: Readonly<Record<string, Tensor>>, part: string): Map<string, Tensor> {
    return new Map(
      this.vectors.flatMap((vector, i) => [...vector.unpack(state[ParameterVectors.nameOf(part, i)] as Tensor)]),
    )
  }
}

function floats(tensors: ReadonlyMap<string, Tensor>, name: string): Float32Array {
  const tensor = tensors.get(name)
  if (tensor?.dtype === 'f32') return arrayOf(tensor) as Float32Array
  throw new AlambicError('train.parameter', `the parameter "${name}" can't be trained`, {
    subject: name,
    expected: 'a float32 initializer',
    found: tensor === undefined ? 'nothing of that name' : tensor.dtype,
  })
}

/** Which inputs of an operator hold parameters that training changes. Every operand of the arithmetic ones may. */
const parameterInputs: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2],
  LayerNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  GroupNormalization: [1, 2],
  RMSNormalization: [1],
  PRelu: [1],
  Gather: [0],
  LSTM: [1, 2, 3, 7],
  GRU: [1, 2, 3],
  RNN: [1, 2, 3],
  Einsum: [0, 1],
  Add: [0, 1],
  Mul: [0, 1],
  'ai.alambic.FakeQuant': [0],
  'ai.alambic.LearnedQuant': [0, 1],
  // onnxruntime's fused operators, before they are taken apart.
  'com.microsoft.Attention': [1, 2],
  'com.microsoft.BiasGelu': [1],
  'com.microsoft.EmbedLayerNormalization': [2, 3, 4, 5, 6],
  'com.microsoft.FastGelu': [1],
  'com.microsoft.FusedConv': [1, 2],
  'com.microsoft.FusedGemm': [0, 1, 2],
  'com.microsoft.FusedMatMul': [0, 1],
  'com.microsoft.SkipLayerNormalization': [2, 3, 4],
  'com.microsoft.SkipSimplifiedLayerNormalization': [2, 3],
}

/** Operators through which a weight may pass on its way to its user. */
const carriers: ReadonlySet<string> = new Set([
  'Identity',
  'Cast',
  'Transpose',
  'Reshape',
  'Squeeze',
  'Unsqueeze',
  'Flatten',
  'Split',
  'Slice',
])

/** Constants, and what carriers and Concat make of nothing but constants: weights that an exporter put together. */
function weightsOf(graph: Graph): ReadonlySet<string> {
  const known = constants.get(graph)
  if (known) return known
  const found = new Set(graph.initializers.keys())
  for (const { op, domain, inputs, outputs } of graph.nodes) {
    const joins = domain === '' && (op === 'Concat' || carriers.has(op))
    if (joins && inputs.every((x) => x === '' || found.has(x))) for (const output of outputs) found.add(output)
  }
  constants.set(graph, found)
  return found
}
const constants = new WeakMap<Graph, ReadonlySet<string>>()

/** Whether an operator reads a value where it has its parameters, directly or through a chain of carriers. */
export function isParameter(graph: Graph, value: string): boolean {
  // A list instead of recursion: chains in hostile files are long, and those of faulty graphs may be cycles.
  const carried = new Set([value])
  for (const name of carried) {
    for (const use of graph.uses(name)) {
      if (use.kind !== 'node') continue
      const { op, domain, outputs } = use.node
      if (parameterInputs[domain === '' ? op : `${domain}.${op}`]?.includes(use.index)) return true
      const carries = domain === '' && ((use.index === 0 && carriers.has(op)) || isJoinOfWeights(graph, use.node))
      if (carries) for (const output of outputs) carried.add(output)
    }
  }
  return false
}

/** A Concat of gates, as PyTorch writes the weights of an LSTM; not one that joins a constant to data. */
const isJoinOfWeights = (graph: Graph, { op, outputs }: Node): boolean =>
  op === 'Concat' && weightsOf(graph).has(outputs[0] ?? '')

/** A step size is a single number, and trained all the same. */
const isLearnedScale = (graph: Graph, value: string): boolean =>
  graph.uses(value).some((use) => use.kind === 'node' && use.node.op === 'LearnedQuant' && use.index === 1)

/** Added to logits, this bars positions; no weight is as large. */
const BARRED = -9999

/** Whether a constant is a mask of logits: exporters keep causal masks beside the weights. Shown by its numbers. */
const isMask = (graph: Graph, name: string, tensor: Tensor): boolean =>
  graph.uses(name).every((use) => use.kind === 'node' && use.node.op === 'Add' && use.node.domain === '') &&
  (arrayOf(tensor) as Float32Array).some((value) => value < BARRED)

/**
 * The initializers that training changes: float32, more than one element, and read where an operator has its
 * parameters, directly or through a chain of carriers (a Transpose, an Identity). Scalars are taken for constants
 * of the architecture, and so are masks of logits.
 */
export function trainableParameters(graph: Graph): ReadonlyMap<string, Tensor> {
  return new Map(
    [...graph.initializers].filter(
      ([name, t]) =>
        t.dtype === 'f32' &&
        (sizeOf(t.dims) > 1 || isLearnedScale(graph, name)) &&
        isParameter(graph, name) &&
        !isMask(graph, name, t),
    ),
  )
}
