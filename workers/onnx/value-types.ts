import { dtypeOf, dtypes, type DType } from '../graph/dtype.ts'
import type { Denotation, Dim, TensorType, ValueType } from '../graph/types.ts'
import { beyond, type Context } from './context.ts'
import { int, int32, message, name, present, readFields, type Message, type WithUnknown } from './fields.ts'
import type { Reader } from './wire/reader.ts'
import type { Writer } from './wire/writer.ts'

interface DimDraft extends WithUnknown {
  dim: Dim
  denotation: string
}

const dimension: Message<DimDraft> = {
  name: 'TensorShapeProto.Dimension',
  fields: {
    // Some exporters write -1 for a size that they do not know.
    1: int('dim_value', (d, value) => (d.dim = typeof value === 'number' && value >= 0 ? value : '?')),
    2: name('dim_param', (d, value) => (d.dim = value === '' ? '?' : value)),
    3: name('denotation', (d, value) => (d.denotation = value)),
  },
}

interface ShapeDraft extends WithUnknown {
  readonly dims: DimDraft[]
}

const shapeMessage: Message<ShapeDraft> = {
  name: 'TensorShapeProto',
  fields: {
    1: message('dim', (shape, reader, context) => {
      const { dims } = context.limits
      if (shape.dims.length >= dims) throw beyond('dims', 'dimensions in one shape', dims)
      shape.dims.push(readFields(dimension, reader, { dim: '?', denotation: '', unknownFields: [] }, context))
    }),
  },
}

interface TypeDraft extends WithUnknown {
  /** Undefined until a kind is read that is modelled in full. */
  type: ValueType | undefined
  denotation: string
  dimDenotations: readonly string[]
}

interface TensorTypeDraft extends WithUnknown {
  code: number
  shape: ShapeDraft | undefined
}

/** TypeProto.Tensor and TypeProto.SparseTensor, which have the same fields. */
const tensorMessage: Message<TensorTypeDraft> = {
  name: 'TypeProto.Tensor',
  fields: {
    1: int32('elem_type', (t, code) => (t.code = code)),
    2: message('shape', (t, reader, context) => {
      t.shape = readFields(shapeMessage, reader, { dims: [], unknownFields: [] }, context)
    }),
  },
}

function readTensorType(kind: TensorType['kind'], type: TypeDraft, reader: Reader, context: Context): void {
  const draft = readFields<TensorTypeDraft>(
    tensorMessage,
    reader,
    { code: 0, shape: undefined, unknownFields: [] },
    context,
  )
  const dtype = dtypeOf(draft.code)
  type.type = undefined
  if (draft.code !== 0 && dtype === undefined) return
  type.type = { kind, ...present({ dtype }), ...(draft.shape && { shape: draft.shape.dims.map((d) => d.dim) }) }
  const denotations = draft.shape?.dims.map((d) => d.denotation) ?? []
  type.dimDenotations = denotations.some((d) => d !== '') ? denotations : []
}

interface HolderDraft extends WithUnknown {
  key: number
  of: ValueType
}

const holder = (): HolderDraft => ({ key: 0, of: { kind: 'unknown' }, unknownFields: [] })

/** TypeProto.Sequence and TypeProto.Optional, which have the same field. */
const sequenceMessage: Message<HolderDraft> = {
  name: 'TypeProto.Sequence',
  fields: { 1: message('elem_type', (s, reader, context) => (s.of = readType(reader, context))) },
}

const mapMessage: Message<HolderDraft> = {
  name: 'TypeProto.Map',
  fields: {
    1: int32('key_type', (m, code) => (m.key = code)),
    2: message('value_type', (m, reader, context) => (m.of = readType(reader, context))),
  },
}

const typeMessage: Message<TypeDraft> = {
  name: 'TypeProto',
  fields: {
    1: message('tensor_type', (t, reader, context) => readTensorType('tensor', t, reader, context)),
    4: message('sequence_type', (t, reader, context) => {
      t.type = { kind: 'sequence', of: readFields(sequenceMessage, reader, holder(), context).of }
    }),
    5: message('map_type', (t, reader, context) => {
      const map = readFields(mapMessage, reader, holder(), context)
      const key = dtypeOf(map.key)
      t.type = key && { kind: 'map', key, of: map.of }
    }),
    6: name('denotation', (t, value) => (t.denotation = value)),
    8: message('sparse_tensor_type', (t, reader, context) => readTensorType('sparse', t, reader, context)),
    9: message('optional_type', (t, reader, context) => {
      t.type = { kind: 'optional', of: readFields(sequenceMessage, reader, holder(), context).of }
    }),
  },
}

/** Reads a TypeProto. What is not modelled (opaque types, dtypes of the future) is `unknown` and keeps its bytes. */
export function readType(reader: Reader, context: Context): ValueType {
  const draft: TypeDraft = { type: undefined, denotation: '', dimDenotations: [], unknownFields: [] }
  readFields(typeMessage, reader, draft, context)
  const { type } = draft
  if (type === undefined) {
    return reader.start === reader.end
      ? { kind: 'unknown' }
      : { kind: 'unknown', verbatim: reader.bytes.subarray(reader.start, reader.end) }
  }
  if (type.kind !== 'tensor' && type.kind !== 'sparse') return type
  const denotation: Denotation = present({ type: draft.denotation, dims: draft.dimDenotations })
  return Object.keys(denotation).length === 0 ? type : { ...type, denotation }
}

/** Writes the fields of a TypeProto. */
export function writeType(out: Writer, type: ValueType): void {
  switch (type.kind) {
    case 'tensor':
      writeTensorType(out, 1, type)
      break
    case 'sparse':
      writeTensorType(out, 8, type)
      break
    case 'sequence':
    case 'optional':
      out.message(type.kind === 'sequence' ? 4 : 9, (s) => s.message(1, (of) => writeType(of, type.of)))
      break
    case 'map':
      out.message(5, (m) => {
        m.int(1, dtypes[type.key].onnx)
        m.message(2, (of) => writeType(of, type.of))
      })
      break
    case 'unknown':
      if (type.verbatim) out.raw(type.verbatim)
  }
}

function writeTensorType(out: Writer, field: number, { dtype, shape, denotation }: TensorType): void {
  out.message(field, (t) => {
    t.int(1, codeOf(dtype))
    if (!shape) return
    const names = denotation?.dims?.length === shape.length ? denotation.dims : []
    t.message(2, (s) => shape.forEach((dim, i) => s.message(1, (d) => writeDim(d, dim, names[i]))))
  })
  out.optionalText(6, denotation?.type)
}

const codeOf = (dtype: DType | undefined): number => (dtype === undefined ? 0 : dtypes[dtype].onnx)

function writeDim(out: Writer, dim: Dim, denotation: string | undefined): void {
  if (typeof dim === 'number') out.int(1, dim)
  else if (dim !== '?') out.text(2, dim)
  out.optionalText(3, denotation)
}
