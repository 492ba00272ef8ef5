import { AlambicError } from '../protocol/errors.ts'
import type { Int } from '../graph/attributes.ts'
import type { Model } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import { beyond, Context, type Finding, type ReadExternal } from './context.ts'
import { entries, int, message, name, present, readFields, text, type Message, type WithUnknown } from './fields.ts'
import { refuseOtherFormats } from './formats.ts'
import { checkFunctions } from './functions.ts'
import { readFunction, readGraph } from './graphs.ts'
import { defaultLimits, type Limits } from './limits.ts'
import { readOpset } from './opsets.ts'
import { readTensor } from './tensors.ts'
import { Reader } from './wire/reader.ts'

export interface DecodeOptions {
  /** Replaces some of the default limits. */
  readonly limits?: Partial<Limits>
  /** Gives the bytes of weights outside the file; without it a model that has any is refused. */
  readonly readExternal?: ReadExternal | undefined
  /** Called with everything that is odd about the model but no error. */
  readonly onFinding?: (finding: Finding) => void
}

interface ModelDraft extends WithUnknown {
  readonly opsets: Map<string, number>
  readonly metadata: Map<string, string>
  readonly functions: Reader[]
  graph: Reader | undefined
  irVersion: Int
  producerName: string
  producerVersion: string
  domain: string
  version: Int
  doc: string
}

const modelMessage: Message<ModelDraft> = {
  name: 'ModelProto',
  fields: {
    1: int('ir_version', (m, value) => (m.irVersion = value)),
    2: text('producer_name', (m, value) => (m.producerName = value)),
    3: text('producer_version', (m, value) => (m.producerVersion = value)),
    4: name('domain', (m, value) => (m.domain = value)),
    5: int('model_version', (m, value) => (m.version = value)),
    6: text('doc_string', (m, value) => (m.doc = value)),
    7: message('graph', (m, reader) => {
      if (m.graph) throw new AlambicError('onnx.malformed', 'the model has two graphs')
      m.graph = reader
    }),
    8: message('opset_import', (m, reader, context) => readOpset(m.opsets, reader, context)),
    14: entries('metadata_props', (m) => m.metadata),
    25: message('functions', (m, reader) => m.functions.push(reader)),
  },
}

/**
 * Reads an ONNX model from memory. Weights are views of `bytes` wherever the file holds them in packed form, so
 * nobody may change `bytes` afterwards. Whatever the bytes are, the result is a Model or an AlambicError whose code
 * starts with `onnx.`, after time and memory in proportion to their number.
 *
 * Only the file is checked here; whether the graph is a graph is the verifier's question.
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): Model {
  const limits = { ...defaultLimits, ...options.limits }
  if (bytes.length > limits.fileBytes) throw beyond('fileBytes', 'bytes in the file', limits.fileBytes, bytes.length)
  refuseOtherFormats(bytes)
  const context = new Context(limits, options.readExternal)
  const model = readModelProto(bytes, context)
  if (options.onFinding) context.findings.forEach(options.onFinding)
  return model
}

function readModelProto(bytes: Uint8Array, context: Context): Model {
  const draft: ModelDraft = {
    opsets: new Map(),
    metadata: new Map(),
    functions: [],
    graph: undefined,
    irVersion: 0,
    producerName: '',
    producerVersion: '',
    domain: '',
    version: 0,
    doc: '',
    unknownFields: [],
  }
  readFields(modelMessage, new Reader(bytes), draft, context)
  if (!draft.graph) {
    throw new AlambicError('onnx.no-graph', 'the file holds no graph, so it is no ONNX model', {
      fix: 'Check that this is the right file.',
    })
  }
  const irVersion = checkedIrVersion(draft.irVersion, context)
  context.opsets = checkedOpsets(draft.opsets, irVersion, context)
  const graph = readGraph(draft.graph, context)
  const functions = draft.functions.map((reader) => readFunction(reader, context))
  const model: Model = {
    graph,
    irVersion,
    producer: { name: draft.producerName, version: draft.producerVersion },
    domain: draft.domain,
    version: Number(draft.version),
    metadata: draft.metadata,
    functions,
    ...present({ doc: draft.doc, unknownFields: draft.unknownFields }),
  }
  checkFunctions(model, context.limits)
  return model
}

/** The newest IR version and default operator set that this reader was written for (onnx 1.23). */
const newest = { ir: 14, opset: 28 }
/** The oldest default operator set whose operators Alambic knows. */
const OLDEST_OPSET = 7

function checkedIrVersion(version: Int, context: Context): number {
  if (typeof version !== 'number' || version < 1) {
    throw new AlambicError('onnx.ir-version', 'the file does not say which version of the ONNX format it has', {
      expected: `an IR version of 1 to ${newest.ir}`,
      found: `${version}`,
      fix: 'Check that this is an ONNX model; if it is, export it again.',
    })
  }
  if (version > newest.ir) {
    context.found(
      'onnx.ir-version-new',
      `the file has IR version ${version}; up to ${newest.ir} are known here`,
      'ir_version',
    )
  }
  return version
}

function checkedOpsets(
  opsets: ReadonlyMap<string, number>,
  irVersion: number,
  context: Context,
): ReadonlyMap<string, number> {
  // Before IR version 3 there was one operator set, and files did not name it.
  const complete = opsets.size === 0 && irVersion < 3 ? new Map([['', 1]]) : opsets
  if (complete.size === 0) {
    throw new AlambicError('onnx.opset', 'the model does not say which operator set it uses', {
      expected: 'an opset_import entry',
      fix: 'Export the model again.',
    })
  }
  const version = complete.get('') ?? complete.get('ai.onnx')
  if (version !== undefined && version < OLDEST_OPSET) {
    const message = `the model uses operator set ${version}; operators older than ${OLDEST_OPSET} are not all known`
    context.found('onnx.opset-old', message, 'opset_import')
  }
  if (version !== undefined && version > newest.opset) {
    const message = `the model uses operator set ${version}; up to ${newest.opset} are known here`
    context.found('onnx.opset-new', message, 'opset_import')
  }
  return complete
}

/** Reads a file that holds one TensorProto, as the inputs and outputs of ONNX's test cases are kept. */
export function decodeTensor(bytes: Uint8Array, options: DecodeOptions = {}): Tensor {
  return readTensor(new Reader(bytes), new Context({ ...defaultLimits, ...options.limits }, options.readExternal))
    .tensor
}
