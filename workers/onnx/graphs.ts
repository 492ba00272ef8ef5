import { AlambicError } from '../protocol/errors.ts'
import type { Attribute, Attributes } from '../graph/attributes.ts'
import { Graph, type LocalFunction, type Node, type Value } from '../graph/graph.ts'
import { orderNodes } from '../graph/order.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { ValueType } from '../graph/types.ts'
import { attributeReader } from './attributes.ts'
import type { Context } from './context.ts'
import { entries, message, name, present, readFields, text, type Message, type WithUnknown } from './fields.ts'
import { titleOf } from './functions.ts'
import { labelOf } from './labels.ts'
import { readOpset } from './opsets.ts'
import { dense, readSparse } from './sparse.ts'
import { readTensor } from './tensors.ts'
import { readType } from './value-types.ts'
import { quoted, within } from './wire/failure.ts'
import { Reader, wires } from './wire/reader.ts'
import { textOf } from './wire/text.ts'
import { written } from './wire/writer.ts'

/** A text field of a message that could not be read, for the sentence that says so; `''` where even that fails. */
function peek(reader: Reader, field: number): string {
  const again = new Reader(reader.bytes, reader.start, reader.end)
  try {
    while (again.next()) {
      if (again.field === field && again.wire === wires.bytes) return textOf(again.take().subarray(0, 200))
      again.skip()
    }
  } catch (error) {
    if (!(error instanceof AlambicError)) throw error
  }
  return ''
}

const readAttribute = attributeReader((reader, context) => readGraph(reader, context))

function addAttribute(attributes: Map<string, Attribute>, reader: Reader, context: Context): void {
  const [key, attribute] = readAttribute(reader, context)
  if (attributes.has(key)) {
    throw new AlambicError('onnx.duplicate-attribute', `attribute ${quoted(key)} appears twice`)
  }
  attributes.set(key, attribute)
}

interface NodeDraft extends WithUnknown {
  readonly inputs: string[]
  readonly outputs: string[]
  readonly attributes: Map<string, Attribute>
  readonly metadata: Map<string, string>
  name: string
  op: string
  domain: string
  overload: string
  doc: string
}

const nodeMessage: Message<NodeDraft> = {
  name: 'NodeProto',
  fields: {
    1: name('input', (n, value) => n.inputs.push(value)),
    2: name('output', (n, value) => n.outputs.push(value)),
    3: name('name', (n, value) => (n.name = value)),
    4: name('op_type', (n, value) => (n.op = value)),
    5: message('attribute', (n, reader, context) => addAttribute(n.attributes, reader, context)),
    6: text('doc_string', (n, value) => (n.doc = value)),
    7: name('domain', (n, value) => (n.domain = value)),
    8: name('overload', (n, value) => (n.overload = value)),
    9: entries('metadata_props', (n) => n.metadata),
  },
}

function readNode(reader: Reader, context: Context): Node {
  context.spendNode()
  const draft: NodeDraft = {
    inputs: [],
    outputs: [],
    attributes: new Map(),
    metadata: new Map(),
    name: '',
    op: '',
    domain: '',
    overload: '',
    doc: '',
    unknownFields: [],
  }
  const label = () => labelOf({ name: peek(reader, 3), op: peek(reader, 4), outputs: [peek(reader, 2)] })
  within(label, () => readFields(nodeMessage, reader, draft, context))
  const { inputs, outputs, op, domain, overload, doc, metadata, unknownFields } = draft
  if (op === '')
    throw new AlambicError('onnx.node-operator', `${labelOf(draft)} does not say which operator it is`, {
      subject: draft.name,
    })
  const attributes: Attributes = Object.fromEntries(draft.attributes)
  return {
    name: draft.name,
    op,
    domain,
    inputs,
    outputs,
    attributes,
    ...present({ doc, overload, metadata, unknownFields }),
  }
}

interface ValueDraft extends WithUnknown {
  name: string
  type: ValueType
  doc: string
}

const valueMessage: Message<ValueDraft> = {
  name: 'ValueInfoProto',
  fields: {
    1: name('name', (v, value) => (v.name = value)),
    2: message('type', (v, reader, context) => (v.type = readType(reader, context))),
    3: text('doc_string', (v, value) => (v.doc = value)),
  },
}

function readValue(reader: Reader, context: Context): Value {
  const draft: ValueDraft = { name: '', type: { kind: 'unknown' }, doc: '', unknownFields: [] }
  const label = () => `value ${quoted(peek(reader, 1))}`
  within(label, () => readFields(valueMessage, reader, draft, context))
  const { type, doc, unknownFields } = draft
  return { name: draft.name, type, ...present({ doc, unknownFields }) }
}

/** Types of intermediate values, and what else the file says of them as fields of their own. */
interface TypesDraft {
  readonly types: Map<string, ValueType>
  readonly valueFields: Map<string, readonly Uint8Array[]>
}

function addType(draft: TypesDraft, reader: Reader, context: Context): void {
  const value = readValue(reader, context)
  const { doc } = value
  const fields = [...(doc === undefined ? [] : [written((out) => out.text(3, doc))]), ...(value.unknownFields ?? [])]
  draft.types.set(value.name, value.type)
  if (fields.length > 0) draft.valueFields.set(value.name, fields)
}

interface GraphDraft extends WithUnknown, TypesDraft {
  readonly nodes: Node[]
  readonly inputs: Value[]
  readonly outputs: Value[]
  readonly initializers: Map<string, Tensor>
  readonly metadata: Map<string, string>
  name: string
  doc: string
}

function addInitializer(draft: GraphDraft, reader: Reader, context: Context): void {
  const { name: key, tensor } = readTensor(reader, context, 'initializer')
  putInitializer(draft, key, tensor)
}

function addSparseInitializer(draft: GraphDraft, reader: Reader, context: Context): void {
  const sparse = within(
    () => 'sparse initializer',
    () => readSparse(reader, context),
  )
  putInitializer(draft, sparse.name, dense(sparse, context))
  context.found(
    'onnx.sparse-initializer',
    `sparse initializer ${quoted(sparse.name)} is kept as a dense tensor`,
    sparse.name,
  )
}

function putInitializer(draft: GraphDraft, key: string, tensor: Tensor): void {
  if (key === '')
    throw new AlambicError(
      'onnx.initializer-name',
      `initializer number ${draft.initializers.size + 1} of the graph has no name`,
    )
  if (draft.initializers.has(key)) {
    throw new AlambicError('onnx.duplicate-initializer', `initializer ${quoted(key)} appears twice in one graph`, {
      subject: key,
      fix: 'Export the model again, or rename one of the two.',
    })
  }
  draft.initializers.set(key, tensor)
}

const graphMessage: Message<GraphDraft> = {
  name: 'GraphProto',
  fields: {
    1: message('node', (g, reader, context) => g.nodes.push(readNode(reader, context))),
    2: name('name', (g, value) => (g.name = value)),
    5: message('initializer', addInitializer),
    10: text('doc_string', (g, value) => (g.doc = value)),
    11: message('input', (g, reader, context) => g.inputs.push(readValue(reader, context))),
    12: message('output', (g, reader, context) => g.outputs.push(readValue(reader, context))),
    13: message('value_info', addType),
    15: message('sparse_initializer', addSparseInitializer),
    16: entries('metadata_props', (g) => g.metadata),
  },
}

/** Reads a GraphProto: the model's own graph or the body of an If, Loop or Scan. */
export function readGraph(reader: Reader, context: Context): Graph {
  const draft: GraphDraft = {
    nodes: [],
    inputs: [],
    outputs: [],
    initializers: new Map(),
    metadata: new Map(),
    types: new Map(),
    valueFields: new Map(),
    name: '',
    doc: '',
    unknownFields: [],
  }
  readFields(graphMessage, reader, draft, context)
  const { inputs, outputs, initializers, types, doc, metadata, valueFields, unknownFields } = draft
  const nodes = inOrder(draft.nodes, `graph ${quoted(draft.name)}`, context)
  const kept = present({ doc, metadata, valueFields, unknownFields })
  return new Graph({ name: draft.name, inputs, outputs, nodes, initializers, types, opsets: context.opsets, ...kept })
}

/** ONNX demands that a file lists nodes in an order in which they can run, but not every exporter obeys. */
function inOrder(nodes: readonly Node[], label: string, context: Context): readonly Node[] {
  const { nodes: ordered, cycle } = orderNodes(nodes)
  const [first] = cycle ?? []
  if (first) {
    throw new AlambicError('onnx.cycle', `${labelOf(first)} needs its own output: ${label} has a cycle`, {
      subject: first.name,
      fix: 'Export the model again; loops are written with the operators Loop and Scan.',
    })
  }
  if (ordered.every((node, i) => node === nodes[i])) return nodes
  context.found('onnx.unsorted', `${label} lists nodes before those they read from; they were put in order`, label)
  return ordered
}

interface FunctionDraft extends WithUnknown, TypesDraft {
  readonly inputs: string[]
  readonly outputs: string[]
  readonly attributeNames: string[]
  readonly attributeDefaults: Map<string, Attribute>
  readonly nodes: Reader[]
  readonly opsets: Map<string, number>
  readonly metadata: Map<string, string>
  name: string
  domain: string
  overload: string
  doc: string
}

const functionMessage: Message<FunctionDraft> = {
  name: 'FunctionProto',
  fields: {
    1: name('name', (f, value) => (f.name = value)),
    4: name('input', (f, value) => f.inputs.push(value)),
    5: name('output', (f, value) => f.outputs.push(value)),
    6: name('attribute', (f, value) => f.attributeNames.push(value)),
    7: message('node', (f, reader) => f.nodes.push(reader)),
    8: text('doc_string', (f, value) => (f.doc = value)),
    9: message('opset_import', (f, reader, context) => readOpset(f.opsets, reader, context)),
    10: name('domain', (f, value) => (f.domain = value)),
    11: message('attribute_proto', (f, reader, context) => addAttribute(f.attributeDefaults, reader, context)),
    12: message('value_info', addType),
    13: name('overload', (f, value) => (f.overload = value)),
    14: entries('metadata_props', (f) => f.metadata),
  },
}

/** Reads a FunctionProto. Its nodes follow the operator sets that it names itself. */
export function readFunction(reader: Reader, context: Context): LocalFunction {
  const draft: FunctionDraft = {
    inputs: [],
    outputs: [],
    attributeNames: [],
    attributeDefaults: new Map(),
    nodes: [],
    opsets: new Map(),
    metadata: new Map(),
    types: new Map(),
    valueFields: new Map(),
    name: '',
    domain: '',
    overload: '',
    doc: '',
    unknownFields: [],
  }
  const label = () => titleOf({ domain: peek(reader, 10), name: peek(reader, 1) })
  return within(label, () => {
    readFields(functionMessage, reader, draft, context)
    context.opsets = draft.opsets
    const nodes = inOrder(
      draft.nodes.map((node) => readNode(node, context)),
      label(),
      context,
    )
    const { domain, overload, inputs, outputs, attributeNames, opsets, types } = draft
    const { doc, metadata, valueFields, unknownFields } = draft
    const attributeDefaults: Attributes = Object.fromEntries(draft.attributeDefaults)
    const signature = { domain, name: draft.name, overload, inputs, outputs, attributeNames, attributeDefaults }
    return { ...signature, nodes, opsets, types, ...present({ doc, metadata, valueFields, unknownFields }) }
  })
}
