import { AlambicError } from '../../protocol/errors.ts'
import { dtypes, type DType } from '../../graph/dtype.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { arrayOf, f32, tensorOf, type Tensor, sizeOf } from '../../graph/tensor.ts'
import { FreshNames } from '../names.ts'

/*
 * Weights in a form that training changes only as it may: W = Gather(codebook, index) ⊙ mask. The nodes that make a
 * weight put it out under the weight's own name, so that everything that reads it stays as it is; `settle` turns all
 * of them back into plain constants.
 */

/** A weight that is written by others: which of its parts training may change, and its zeros. */
export interface Held {
  /** Name of the weight. */
  readonly name: string
  /** Where training finds the values: a codebook `[K]`, or the weight itself in its own shape. */
  readonly values: string
  /** Elements that stay zero are 0; absent when there are none. */
  readonly mask: Uint8Array | undefined
  /** Position in the codebook by element; absent for a weight that is not shared. */
  readonly index: Uint16Array | undefined
  readonly dims: readonly number[]
}

export interface HeldGraph {
  readonly graph: Graph
  readonly held: readonly Held[]
}

/** A weight to be shared: the codebook, and for each element its place in it. */
export interface Sharing {
  readonly centroids: ArrayLike<number>
  readonly index: Uint16Array
}

/**
 * Writes weights so that a training step keeps their zeros, and for those in `shared` also which elements are equal:
 * the gradient of the codebook is the sum over each cluster (Han, Mao & Dally 2016, arXiv:1510.00149, section 3.3).
 *
 * @param names of float32 initializers; those without a zero that are not shared stay as they are
 */
export function hold(
  graph: Graph,
  names: readonly string[],
  shared: ReadonlyMap<string, Sharing> = new Map(),
): HeldGraph {
  const fresh = new FreshNames(graph)
  const initializers = new Map(graph.initializers)
  const nodes: Node[] = []
  const held: Held[] = []
  for (const name of names) {
    const tensor = floatsOf(graph, name)
    const mask = maskOf(arrayOf(tensor) as Float32Array)
    const sharing = shared.get(name)
    if (!mask && !sharing) continue
    initializers.delete(name)
    const values = fresh.take(sharing ? `${name}.codebook` : `${name}.free`)
    initializers.set(values, sharing ? f32(sharing.centroids) : tensor)
    const writer = new Writer(name, fresh, initializers)
    if (sharing) writer.gather(values, sharing, tensor.dims)
    else writer.from(values)
    if (mask) writer.multiply(mask, tensor.dims)
    nodes.push(...writer.nodes())
    held.push({ name, values, mask, index: sharing?.index, dims: tensor.dims })
  }
  const inputs = graph.inputs.filter((v) => !held.some((h) => h.name === v.name))
  return { graph: graph.with({ initializers, inputs, nodes: [...nodes, ...graph.nodes] }), held }
}

function floatsOf(graph: Graph, name: string): Tensor {
  const tensor = graph.initializers.get(name)
  if (tensor?.dtype === 'f32') return tensor
  throw new AlambicError('model.no-layer', `"${name}" is no float32 weight`, {
    subject: name,
    expected: 'a float32 initializer',
    found: tensor?.dtype ?? 'nothing of that name',
  })
}

const maskOf = (values: Float32Array): Uint8Array | undefined =>
  values.includes(0) ? Uint8Array.from(values, (v) => (v === 0 ? 0 : 1)) : undefined

/** Chains the nodes that make one weight; the last one puts it out. */
class Writer {
  readonly #name: string
  readonly #fresh: FreshNames
  readonly #initializers: Map<string, Tensor>
  readonly #nodes: Node[] = []
  #value = ''

  constructor(name: string, fresh: FreshNames, initializers: Map<string, Tensor>) {
    this.#name = name
    this.#fresh = fresh
    this.#initializers = initializers
  }

  from(value: string): void {
    this.#value = value
  }

  /** Positions of a byte where that is enough; engines do the cast once, when they load the model. */
  gather(codebook: string, { centroids, index }: Sharing, dims: readonly number[]): void {
    if (centroids.length <= 256) {
      this.#cast('index', tensorOf('u8', dims, Uint8Array.from(index)), 'i32')
    } else {
      this.#value = this.#constant('index', tensorOf('i32', dims, Int32Array.from(index)))
    }
    this.#add('Gather', [codebook, this.#value], {})
  }

  /** The mask is a u8 constant: training takes float constants beside a product for parameters. */
  multiply(mask: Uint8Array, dims: readonly number[]): void {
    const weight = this.#value
    this.#cast('mask', tensorOf('u8', dims, mask), 'f32')
    this.#add('Mul', [weight, this.#value], {})
  }

  nodes(): readonly Node[] {
    const last = this.#nodes.at(-1) as Node
    return [...this.#nodes.slice(0, -1), { ...last, outputs: [this.#name] }]
  }

  #cast(part: string, tensor: Tensor, dtype: DType): void {
    this.#add('Cast', [this.#constant(part, tensor)], { to: { kind: 'int', value: dtypes[dtype].onnx } })
  }

  #constant(part: string, tensor: Tensor): string {
    const name = this.#fresh.take(`${this.#name}.${part}`)
    this.#initializers.set(name, tensor)
    return name
  }

  #add(op: string, inputs: readonly string[], attributes: Node['attributes']): void {
    this.#value = this.#fresh.take(`${this.#name}.${op.toLowerCase()}`)
    this.#nodes.push({ name: this.#value, op, domain: '', inputs, outputs: [this.#value], attributes })
  }
}

/** The graph with plain constants again, their values those that the held form has now. */
export function settle({ graph, held }: HeldGraph): Graph {
  const initializers = new Map(graph.initializers)
  const gone = new Set<Node>()
  for (const h of held) {
    const values = arrayOf(floatsOf(graph, h.values)) as Float32Array
    initializers.set(h.name, f32(valuesOf(h, values), h.dims))
    for (let node = graph.producer(h.name); node; node = graph.producer(node.inputs[0] ?? '')) forget(graph, node, gone)
  }
  const nodes = graph.nodes.filter((node) => !gone.has(node))
  const read = new Set(gone.values().flatMap((node) => node.inputs))
  for (const name of read) if (!nodes.some((node) => node.inputs.includes(name))) initializers.delete(name)
  return graph.with({ initializers, nodes })
}

function forget(graph: Graph, node: Node, gone: Set<Node>): void {
  gone.add(node)
  const cast = graph.producer(node.inputs[1] ?? '')
  if (cast) gone.add(cast)
}

function valuesOf({ index, mask, dims }: Held, values: Float32Array): Float32Array {
  const count = sizeOf(dims)
  return Float32Array.from({ length: count }, (_, i) => {
    if (mask && mask[i] === 0) return 0
    return values[index ? (index[i] as number) : i] as number
  })
}
