import type { Attributes } from './attributes.ts'
import { isDefaultDomain } from './schema.ts'
import type { Tensor } from './tensor.ts'
import type { ValueType } from './types.ts'

/** One operator call. Inputs and outputs are value names; `''` stands for an optional one that is left out. */
export interface Node {
  readonly name: string
  readonly op: string
  /** `''` is ONNX's default domain. */
  readonly domain: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Attributes
  readonly doc?: string | undefined
  readonly overload?: string | undefined
  readonly metadata?: ReadonlyMap<string, string> | undefined
  /** Fields of the file's NodeProto that Alambic does not model (device configurations), byte for byte. */
  readonly unknownFields?: readonly Uint8Array[] | undefined
}

/** The node that gives a value a second name. */
export const identity = (from: string, to: string, name = to): Node => ({
  name,
  op: 'Identity',
  domain: '',
  inputs: [from],
  outputs: [to],
  attributes: {},
})

/** A named, typed edge of the graph: an input, an output, or a typed intermediate value. */
export interface Value {
  readonly name: string
  readonly type: ValueType
  readonly doc?: string | undefined
  /** Fields of the file's ValueInfoProto that Alambic does not model (metadata), byte for byte. */
  readonly unknownFields?: readonly Uint8Array[] | undefined
}

/** Which nodes read a value, and at which input. Graph outputs and uses inside subgraphs are listed too. */
export type Use =
  | { readonly kind: 'node'; readonly node: Node; readonly index: number }
  /** Read from a subgraph of `node` (If, Loop, Scan) that captures it. */
  | { readonly kind: 'captured'; readonly node: Node }
  | { readonly kind: 'output'; readonly index: number }

/** What a graph is made of; the constructor of `Graph` takes it and `graph.with({...})` replaces parts of it. */
export interface GraphParts {
  readonly name?: string
  readonly inputs?: readonly Value[]
  readonly outputs?: readonly Value[]
  readonly nodes?: readonly Node[]
  /** Constants by name. One may also be listed in `inputs` (a default value, as ONNX before IR 4 required). */
  readonly initializers?: ReadonlyMap<string, Tensor>
  /** Types of intermediate values, as far as they are known. */
  readonly types?: ReadonlyMap<string, ValueType>
  /** Version of every operator set in use, by domain. A subgraph has its parent's. */
  readonly opsets?: ReadonlyMap<string, number>
  readonly doc?: string | undefined
  readonly metadata?: ReadonlyMap<string, string> | undefined
  /** What the file says of intermediate values beside their types (documentation, metadata), by value name. */
  readonly valueFields?: ReadonlyMap<string, readonly Uint8Array[]> | undefined
  /** Fields of the file's GraphProto that Alambic does not model (quantization annotations), byte for byte. */
  readonly unknownFields?: readonly Uint8Array[] | undefined
}

/**
 * A computation as a value: nobody changes a graph, passes return new ones. Nodes are in topological order (the
 * verifier checks it). Indices by value name are built once, on first use.
 */
export class Graph {
  readonly name: string
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
  readonly nodes: readonly Node[]
  readonly initializers: ReadonlyMap<string, Tensor>
  readonly types: ReadonlyMap<string, ValueType>
  readonly opsets: ReadonlyMap<string, number>
  readonly doc: string | undefined
  readonly metadata: ReadonlyMap<string, string> | undefined
  readonly valueFields: ReadonlyMap<string, readonly Uint8Array[]> | undefined
  readonly unknownFields: readonly Uint8Array[] | undefined
  #producers: ReadonlyMap<string, Node> | undefined
  #uses: ReadonlyMap<string, readonly Use[]> | undefined
  #declared: ReadonlyMap<string, ValueType> | undefined

  constructor(parts: GraphParts) {
    this.name = parts.name ?? 'main'
    this.inputs = parts.inputs ?? []
    this.outputs = parts.outputs ?? []
    this.nodes = parts.nodes ?? []
    this.initializers = parts.initializers ?? new Map()
    this.types = parts.types ?? new Map()
    this.opsets = parts.opsets ?? new Map([['', 17]])
    this.doc = parts.doc
    this.metadata = parts.metadata
    this.valueFields = parts.valueFields
    this.unknownFields = parts.unknownFields
  }

  /** A copy with some parts replaced. Not verified: passes go through `rewrite.ts` or `runPass`. */
  with(parts: GraphParts): Graph {
    return new Graph({ ...this.parts(), ...parts })
  }

  /** Everything that the constructor takes. */
  parts(): GraphParts {
    const { name, inputs, outputs, nodes, initializers, types, opsets, doc } = this
    const { metadata, valueFields, unknownFields } = this
    return { name, inputs, outputs, nodes, initializers, types, opsets, doc, metadata, valueFields, unknownFields }
  }

  /** Version of the default operator set. */
  get opset(): number {
    return this.opsets.get('') ?? this.opsets.get('ai.onnx') ?? 1
  }

  /** The node that computes a value; undefined for inputs, initializers and values of an outer graph. */
  producer(value: string): Node | undefined {
    this.#producers ??= new Map(
      this.nodes.flatMap((node) => node.outputs.filter((o) => o !== '').map((o) => [o, node] as const)),
    )
    return this.#producers.get(value)
  }

  /** Everything that reads a value, in node order. */
  uses(value: string): readonly Use[] {
    this.#uses ??= indexUses(this)
    return this.#uses.get(value) ?? []
  }

  /** What is known of a value's type, wherever it is declared. */
  type(value: string): ValueType | undefined {
    const known = this.types.get(value)
    if (known) return known
    const constant = this.initializers.get(value)
    if (constant) return { kind: 'tensor', dtype: constant.dtype, shape: constant.dims }
    this.#declared ??= new Map([...this.outputs, ...this.inputs].map((v) => [v.name, v.type]))
    return this.#declared.get(value)
  }

  /** The inputs that a caller must give: those without a default value. */
  get requiredInputs(): readonly Value[] {
    return this.inputs.filter((v) => !this.initializers.has(v.name))
  }
}

function indexUses(graph: Graph): Map<string, Use[]> {
  const uses = new Map<string, Use[]>()
  const add = (value: string, use: Use) => {
    const list = uses.get(value)
    if (list) list.push(use)
    else uses.set(value, [use])
  }
  for (const node of graph.nodes) {
    node.inputs.forEach((value, index) => value !== '' && add(value, { kind: 'node', node, index }))
    for (const value of capturedBy(node)) add(value, { kind: 'captured', node })
  }
  graph.outputs.forEach((value, index) => add(value.name, { kind: 'output', index }))
  return uses
}

/** The graphs inside a node's attributes: branches of an If, the body of a Loop or Scan. */
export function subgraphsOf(node: Node): readonly Graph[] {
  return Object.values(node.attributes).flatMap((a) =>
    a.kind === 'graph' ? [a.value] : a.kind === 'graphs' ? a.value : [],
  )
}

/** Names that a node's subgraphs read from the graphs around them, in the order of the first read. */
export function capturedBy(node: Node): ReadonlySet<string> {
  const captured = new Set<string>()
  for (const graph of subgraphsOf(node)) for (const name of freeNamesOf(graph)) captured.add(name)
  return captured
}

/** Names that a graph reads without defining them: nothing for a whole model, the captured values for a subgraph. */
export function freeNamesOf(graph: Graph): ReadonlySet<string> {
  const free = new Set<string>()
  const own = definedNames(graph)
  const read = (value: string) => value !== '' && !own.has(value) && free.add(value)
  for (const node of graph.nodes) {
    node.inputs.forEach(read)
    capturedBy(node).forEach(read)
  }
  graph.outputs.forEach((v) => read(v.name))
  return free
}

/** Names that a graph itself gives a value: its inputs, initializers and the outputs of its nodes. */
export function definedNames(graph: Graph): Set<string> {
  const own = new Set(graph.initializers.keys())
  for (const value of graph.inputs) own.add(value.name)
  for (const node of graph.nodes) for (const output of node.outputs) if (output !== '') own.add(output)
  return own
}

/** How messages name a node: `node "conv3" (Conv)`; one without a name by what it computes. */
export function nodeLabel(node: Node): string {
  const op = isDefaultDomain(node.domain) ? node.op : `${node.domain}.${node.op}`
  if (node.name !== '') return `node "${node.name}" (${op})`
  const output = node.outputs.find((o) => o !== '')
  return output === undefined ? `an unnamed ${op} node` : `the ${op} node that computes "${output}"`
}

/** A function of the model's own (ONNX local function), kept as it was read. */
export interface LocalFunction {
  readonly domain: string
  readonly name: string
  readonly overload: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Names of required attributes; optional ones have a default. */
  readonly attributeNames: readonly string[]
  readonly attributeDefaults: Attributes
  readonly nodes: readonly Node[]
  readonly opsets: ReadonlyMap<string, number>
  readonly types: ReadonlyMap<string, ValueType>
  readonly doc?: string | undefined
  readonly metadata?: ReadonlyMap<string, string> | undefined
  readonly valueFields?: ReadonlyMap<string, readonly Uint8Array[]> | undefined
  readonly unknownFields?: readonly Uint8Array[] | undefined
}

/** A graph with what an ONNX file holds around it. */
export interface Model {
  readonly graph: Graph
  readonly irVersion: number
  readonly producer: { readonly name: string; readonly version: string }
  readonly domain: string
  readonly version: number
  readonly doc?: string | undefined
  readonly metadata: ReadonlyMap<string, string>
  readonly functions: readonly LocalFunction[]
  /** Parts of the file that Alambic does not model, kept byte for byte (training info, device configurations). */
  readonly unknownFields?: readonly Uint8Array[]
}

/** A new model around a graph, as Alambic writes it. */
export const modelOf = (graph: Graph, metadata: ReadonlyMap<string, string> = new Map()): Model => ({
  graph,
  irVersion: irVersionFor(graph.opset),
  producer: { name: 'alambic', version: '' },
  domain: '',
  version: 0,
  metadata,
  functions: [],
})

/** IR versions by the first opset that needs them, newest first (onnx/helper.py, VERSION_TABLE). */
const irVersions = [
  [28, 14],
  [25, 13],
  [24, 12],
  [23, 11],
  [21, 10],
  [19, 9],
  [15, 8],
  [12, 7],
  [11, 6],
  [10, 5],
  [9, 4],
] as const

/** The oldest IR version that may carry an opset; at least 4, because initializers need not be inputs here. */
const irVersionFor = (opset: number): number => irVersions.find(([first]) => opset >= first)?.[1] ?? 4
