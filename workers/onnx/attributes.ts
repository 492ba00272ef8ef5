import { AlambicError } from '../protocol/errors.ts'
import type { Attribute, AttributeKind, Int } from '../graph/attributes.ts'
import type { Graph } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { ValueType } from '../graph/types.ts'
import type { Context } from './context.ts'
import { float, floats, int, int32, ints, message, name, present, readFields, text, verbatim } from './fields.ts'
import type { Field, Message, WithUnknown } from './fields.ts'
import { readSparse } from './sparse.ts'
import { readTensor } from './tensors.ts'
import { readType, writeType } from './value-types.ts'
import { about, quoted, within } from './wire/failure.ts'
import { wires, type Reader } from './wire/reader.ts'
import { joined, written, type Writer } from './wire/writer.ts'

/** Kinds by the codes of AttributeProto.AttributeType. */
const kinds: Readonly<Record<number, ValueKind>> = {
  1: 'float',
  2: 'int',
  3: 'string',
  4: 'tensor',
  5: 'graph',
  6: 'floats',
  7: 'ints',
  8: 'strings',
  9: 'tensors',
  10: 'graphs',
  11: 'sparse',
  12: 'sparse',
  13: 'type',
  14: 'types',
}
const codes = new Map(Object.entries(kinds).map(([code, kind]) => [kind, Number(code)]))
/** Field number of TensorProto.name. */
const TENSOR_NAME = 8
const SPARSE_TENSOR = 11
const SPARSE_TENSORS = 12

type ValueKind = Exclude<AttributeKind, 'reference'>
interface Values {
  float?: number
  int?: Int
  string?: string
  tensor?: Tensor
  graph?: Graph
  type?: ValueType
  floats?: number[]
  ints?: Int[]
  strings?: string[]
  tensors?: Tensor[]
  graphs?: Graph[]
  types?: ValueType[]
  sparse?: Uint8Array[]
}

interface AttributeDraft extends WithUnknown {
  name: string
  reference: string
  /** The code of its kind; 0 in files from before IR version 2, where the filled field tells it. */
  code: number
  readonly values: Values
}

/** Reads a subgraph; given by the reader of graphs, which this is a part of. */
export type ReadGraph = (reader: Reader, context: Context) => Graph

const sparseField = (field: string): Field<AttributeDraft> => {
  const keep = verbatim<AttributeDraft>(field, (a, bytes) => (a.values.sparse ??= []).push(bytes))
  return {
    name: field,
    wires: [wires.bytes],
    read: (reader, draft, context) => {
      const { pos } = reader
      readSparse(reader.message(), context)
      reader.pos = pos
      keep.read(reader, draft, context)
    },
  }
}

const attributeMessage = (readGraph: ReadGraph): Message<AttributeDraft> => ({
  name: 'AttributeProto',
  fields: {
    1: name('name', (a, value) => (a.name = value)),
    2: float('f', (a, value) => (a.values.float = value)),
    3: int('i', (a, value) => (a.values.int = value)),
    4: text('s', (a, value) => (a.values.string = value)),
    5: message('t', (a, reader, context) => (a.values.tensor = readAttributeTensor(reader, context))),
    6: message('g', (a, reader, context) => (a.values.graph = readGraph(reader, context))),
    7: floats('floats', (a, value) => (a.values.floats ??= []).push(value)),
    8: ints('ints', (a, value) => (a.values.ints ??= []).push(value)),
    9: text('strings', (a, value) => (a.values.strings ??= []).push(value)),
    10: message('tensors', (a, reader, context) =>
      (a.values.tensors ??= []).push(readAttributeTensor(reader, context)),
    ),
    11: message('graphs', (a, reader, context) => (a.values.graphs ??= []).push(readGraph(reader, context))),
    14: message('tp', (a, reader, context) => (a.values.type = readType(reader, context))),
    15: message('type_protos', (a, reader, context) => (a.values.types ??= []).push(readType(reader, context))),
    20: int32('type', (a, code) => (a.code = code)),
    21: name('ref_attr_name', (a, value) => (a.reference = value)),
    22: sparseField('sparse_tensor'),
    23: sparseField('sparse_tensors'),
  },
})

/** A tensor of an attribute needs no name; one that it has is kept among the fields that are not modelled. */
function readAttributeTensor(reader: Reader, context: Context): Tensor {
  const { name: tensorName, tensor } = readTensor(reader, context)
  if (tensorName === '') return tensor
  const nameField = written((out) => out.text(TENSOR_NAME, tensorName))
  return { ...tensor, unknownFields: [nameField, ...(tensor.unknownFields ?? [])] }
}

/** Makes the reader of AttributeProto messages: an attribute with its name. */
export function attributeReader(readGraph: ReadGraph): (reader: Reader, context: Context) => [string, Attribute] {
  const fields = attributeMessage(readGraph)
  return (reader, context) => {
    const draft: AttributeDraft = { name: '', reference: '', code: 0, values: {}, unknownFields: [] }
    const label = () => `attribute ${quoted(draft.name)}`
    within(label, () => readFields(fields, reader, draft, context))
    if (draft.name === '') throw new AlambicError('onnx.attribute-name', 'an attribute has no name')
    return [draft.name, about(label, () => finish(draft))]
  }
}

function finish(draft: AttributeDraft): Attribute {
  const kept = present({ unknownFields: draft.unknownFields })
  const declared = kinds[draft.code]
  if (declared === undefined && draft.code !== 0) {
    throw new AlambicError('onnx.attribute-type', `has the unknown type ${draft.code}`, { expected: '1 to 14' })
  }
  const filled = Object.keys(draft.values) as ValueKind[]
  if (draft.reference !== '') {
    if (filled.length > 0) throw new AlambicError('onnx.attribute-type', 'is a reference and has a value too')
    return { kind: 'reference', value: draft.reference, of: declared ?? '', ...kept }
  }
  const [only, ...others] = filled
  const kind = declared ?? only
  if (kind === undefined) throw new AlambicError('onnx.attribute-type', 'has neither a type nor a value')
  if (others.length > 0 || (only !== undefined && only !== kind)) {
    throw new AlambicError('onnx.attribute-type', `is of type ${kind} but has values of type ${filled.join(', ')}`, {
      expected: kind,
      found: filled.join(', '),
    })
  }
  const value = kind === 'sparse' ? sparseOf(draft.values) : (draft.values[kind] ?? empty[kind])
  if (value === undefined) throw new AlambicError('onnx.attribute-type', `is of type ${kind} but has no value`)
  return { kind, value, ...kept } as Attribute
}

const sparseOf = ({ sparse }: Values): Uint8Array | undefined =>
  sparse && (sparse.length === 1 ? sparse[0] : joined(sparse))

/** What a field means that its writer left out because it holds its default. */
const empty: Values = {
  float: 0,
  int: 0,
  string: '',
  floats: [],
  ints: [],
  strings: [],
  tensors: [],
  graphs: [],
  types: [],
}

/** How the writer of attributes writes what they hold; the writer of graphs decides it. */
export interface AttributeParts {
  graph(out: Writer, graph: Graph): void
  tensor(out: Writer, tensor: Tensor): void
  /** Fields that were kept from a file. */
  kept(out: Writer, fields: readonly Uint8Array[] | undefined): void
}

/** Writes the fields of an AttributeProto. */
export function writeAttribute(out: Writer, attributeName: string, attribute: Attribute, parts: AttributeParts): void {
  out.text(1, attributeName)
  if (attribute.kind === 'reference') {
    const code = codes.get(attribute.of as ValueKind)
    if (code !== undefined) out.int(20, code)
    out.text(21, attribute.value)
  } else {
    writeValue(out, attribute, parts)
    out.int(20, attribute.kind === 'sparse' ? sparseCode(attribute.value) : (codes.get(attribute.kind) as number))
  }
  parts.kept(out, attribute.unknownFields)
}

/** A single sparse tensor was kept as field 22, a list of them as fields 23; a tag is field * 8 + 2. */
const sparseCode = (fields: Uint8Array): number =>
  fields[0] === (((22 * 8 + 2) & 127) | 128) ? SPARSE_TENSOR : SPARSE_TENSORS

function writeValue(out: Writer, attribute: Exclude<Attribute, { kind: 'reference' }>, parts: AttributeParts): void {
  switch (attribute.kind) {
    case 'float':
      return out.float(2, attribute.value)
    case 'int':
      return out.int(3, attribute.value)
    case 'string':
      return out.text(4, attribute.value)
    case 'tensor':
      return out.message(5, (t) => parts.tensor(t, attribute.value))
    case 'graph':
      return out.message(6, (g) => parts.graph(g, attribute.value))
    case 'floats':
      return attribute.value.forEach((value) => out.float(7, value))
    case 'ints':
      return attribute.value.forEach((value) => out.int(8, value))
    case 'strings':
      return attribute.value.forEach((value) => out.text(9, value))
    case 'tensors':
      return attribute.value.forEach((value) => out.message(10, (t) => parts.tensor(t, value)))
    case 'graphs':
      return attribute.value.forEach((value) => out.message(11, (g) => parts.graph(g, value)))
    case 'type':
      return out.message(14, (t) => writeType(t, attribute.value))
    case 'types':
      return attribute.value.forEach((value) => out.message(15, (t) => writeType(t, value)))
    case 'sparse':
      return out.raw(attribute.value)
  }
}
