import { AlambicError } from '../protocol/errors.ts'
import type { Graph, LocalFunction, Model, Node, Value } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { ValueType } from '../graph/types.ts'
import { writeAttribute, type AttributeParts } from './attributes.ts'
import { writeOpsets } from './opsets.ts'
import { writeEntry, writeTensor, type PlaceOutside } from './tensors.ts'
import { writeType } from './value-types.ts'
import { joined, written, Writer } from './wire/writer.ts'

/** Protobuf, and with it every other reader of ONNX files, stops at 2 GiB. */
export const MAX_FILE_BYTES = 2 ** 31 - 1

export interface EncodeOptions {
  /** Says which initializers lie outside the file, and where; none unless told. */
  readonly place?: PlaceOutside
  /** Leaves out what no runtime needs: documentation, metadata and fields that are not modelled. */
  readonly bare?: boolean
}

/** A model as the chunks of a file, in order; weights are referred to, not copied. */
export function encodeChunks(
  model: Model,
  options: EncodeOptions = {},
): { chunks: readonly Uint8Array[]; size: number } {
  const out = new Writer()
  new Encoder(options).model(out, model)
  return { chunks: out.chunks(), size: out.size }
}

/**
 * A model as one array of bytes, with all weights inside. Takes its weights' size again in memory: `writeModel` is for
 * big ones. Throws `onnx.too-large` for 2 GiB and more.
 */
export function encodeModel(model: Model, options: EncodeOptions = {}): Uint8Array {
  const { chunks, size } = encodeChunks(model, options)
  if (size > MAX_FILE_BYTES) throw tooLarge(size)
  return joined(chunks)
}

export const tooLarge = (size: number): AlambicError =>
  new AlambicError('onnx.too-large', 'the model does not fit into one ONNX file', {
    expected: `at most ${MAX_FILE_BYTES} bytes`,
    found: `${size} bytes`,
    fix: 'Let its weights be written to a file beside it (external data).',
  })

/** One TensorProto, as ONNX's test cases keep their inputs and outputs. */
export const encodeTensor = (tensor: Tensor, name = ''): Uint8Array => written((out) => writeTensor(out, tensor, name))

type Kept = readonly Uint8Array[] | undefined

/** Writes messages in the order of their field numbers, as protobuf's own writers do. */
class Encoder {
  readonly #place: PlaceOutside | undefined
  readonly #bare: boolean
  readonly #parts: AttributeParts = {
    graph: (out, graph) => this.#graph(out, graph),
    tensor: (out, tensor) => this.#tensor(out, tensor),
    kept: (out, fields) => this.#kept(out, fields),
  }

  constructor({ place, bare = false }: EncodeOptions) {
    this.#place = place
    this.#bare = bare
  }

  model(out: Writer, model: Model): void {
    out.int(1, irVersionFor(model))
    out.optionalText(2, model.producer.name)
    out.optionalText(3, model.producer.version)
    out.optionalText(4, model.domain)
    if (model.version !== 0) out.int(5, model.version)
    this.#doc(out, 6, model.doc)
    out.message(7, (g) => this.#graph(g, model.graph))
    writeOpsets(out, 8, model.graph.opsets)
    this.#metadata(out, 14, model.metadata)
    for (const fn of model.functions) out.message(25, (f) => this.#function(f, fn))
    this.#kept(out, model.unknownFields)
  }

  #graph(out: Writer, graph: Graph): void {
    for (const node of graph.nodes) out.message(1, (n) => this.#node(n, node))
    out.optionalText(2, graph.name)
    for (const [name, tensor] of graph.initializers) {
      out.message(5, (t) => this.#tensor(t, tensor, name, this.#place))
    }
    this.#doc(out, 10, graph.doc)
    for (const value of graph.inputs) out.message(11, (v) => this.#value(v, value))
    for (const value of graph.outputs) out.message(12, (v) => this.#value(v, value))
    this.#types(out, 13, graph.types, graph.valueFields)
    this.#metadata(out, 16, graph.metadata)
    this.#kept(out, graph.unknownFields)
  }

  #node(out: Writer, node: Node): void {
    for (const input of node.inputs) out.text(1, input)
    for (const output of node.outputs) out.text(2, output)
    out.optionalText(3, node.name)
    out.optionalText(4, node.op)
    this.#attributes(out, 5, node.attributes)
    this.#doc(out, 6, node.doc)
    out.optionalText(7, node.domain)
    out.optionalText(8, node.overload)
    this.#metadata(out, 9, node.metadata)
    this.#kept(out, node.unknownFields)
  }

  #attributes(out: Writer, field: number, attributes: Node['attributes']): void {
    for (const [name, attribute] of Object.entries(attributes)) {
      out.message(field, (a) => writeAttribute(a, name, attribute, this.#parts))
    }
  }

  #value(out: Writer, value: Value): void {
    out.text(1, value.name)
    if (isSaid(value.type)) out.message(2, (t) => writeType(t, value.type))
    this.#doc(out, 3, value.doc)
    this.#kept(out, value.unknownFields)
  }

  #types(
    out: Writer,
    field: number,
    types: ReadonlyMap<string, ValueType>,
    fields: LocalFunction['valueFields'],
  ): void {
    for (const [name, type] of types) {
      out.message(field, (v) => this.#value(v, { name, type, unknownFields: fields?.get(name) }))
    }
  }

  #function(out: Writer, fn: LocalFunction): void {
    out.optionalText(1, fn.name)
    for (const input of fn.inputs) out.text(4, input)
    for (const output of fn.outputs) out.text(5, output)
    for (const name of fn.attributeNames) out.text(6, name)
    for (const node of fn.nodes) out.message(7, (n) => this.#node(n, node))
    this.#doc(out, 8, fn.doc)
    writeOpsets(out, 9, fn.opsets)
    out.optionalText(10, fn.domain)
    this.#attributes(out, 11, fn.attributeDefaults)
    this.#types(out, 12, fn.types, fn.valueFields)
    out.optionalText(13, fn.overload)
    this.#metadata(out, 14, fn.metadata)
    this.#kept(out, fn.unknownFields)
  }

  #tensor(out: Writer, tensor: Tensor, name = '', place?: PlaceOutside): void {
    writeTensor(out, this.#bare ? bareTensor(tensor) : tensor, name, place)
  }

  #doc(out: Writer, field: number, doc: string | undefined): void {
    if (!this.#bare) out.optionalText(field, doc)
  }

  #metadata(out: Writer, field: number, metadata: ReadonlyMap<string, string> | undefined): void {
    if (this.#bare || !metadata) return
    for (const [key, value] of metadata) writeEntry(out, field, key, value)
  }

  #kept(out: Writer, fields: Kept): void {
    if (this.#bare) return
    for (const field of fields ?? []) out.raw(field)
  }
}

const bareTensor = ({ dtype, dims, bytes, strings }: Tensor): Tensor => ({
  dtype,
  dims,
  bytes,
  ...(strings && { strings }),
})

const isSaid = (type: ValueType): boolean => type.kind !== 'unknown' || type.verbatim !== undefined

/** Before IR version 4 every initializer had to be an input too; a model that a pass gave constants needs version 4. */
const irVersionFor = ({ irVersion, graph }: Model): number => {
  if (irVersion >= 4) return irVersion
  const inputs = new Set(graph.inputs.map((value) => value.name))
  return [...graph.initializers.keys()].every((name) => inputs.has(name)) ? irVersion : 4
}
