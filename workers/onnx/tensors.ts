import { AlambicError } from '../protocol/errors.ts'
import type { Int } from '../graph/attributes.ts'
import { byteLength, dtypeOf, dtypes, type DType } from '../graph/dtype.ts'
import type { Tensor } from '../graph/tensor.ts'
import { beyond, type Context, type ExternalReference } from './context.ts'
import {
  entries,
  int32,
  ints,
  name,
  present,
  readFields,
  type Field,
  type Message,
  type WithUnknown,
} from './fields.ts'
import { bytesOfRuns, isPacked, storageFields, type Run, type StorageField } from './storage.ts'
import { about, counted, quoted, within } from './wire/failure.ts'
import { wires, type Reader } from './wire/reader.ts'
import type { Writer } from './wire/writer.ts'

interface TensorDraft extends WithUnknown {
  readonly file: Uint8Array
  readonly dims: Int[]
  readonly runs: Run[]
  readonly strings: string[]
  readonly external: Map<string, string>
  raw: Uint8Array | undefined
  code: number
  name: string
  location: number
  segmented: boolean
}

/** One typed data field: where its elements lie, not yet their values. */
const run = (number: StorageField): Field<TensorDraft> => {
  const { name: field, width } = storageFields[number]
  const single = width === 4 ? wires.fixed32 : width === 8 ? wires.fixed64 : wires.varint
  return {
    name: field,
    wires: [single, wires.bytes],
    read: (reader, draft, context) => addRun(number, reader, draft, context),
  }
}

function addRun(field: StorageField, reader: Reader, draft: TensorDraft, context: Context): void {
  const packed = isPacked(reader.wire)
  const { fieldStart } = reader
  const bytes = packed ? reader.message() : reader.skip()
  const last = draft.runs.at(-1)
  if (!packed && last && !last.packed && last.field === field && last.end === fieldStart) {
    last.end = reader.pos
    return
  }
  if (bytes && bytes.start === bytes.end) return
  context.spend(8)
  draft.runs.push({ field, packed, start: bytes ? bytes.start : fieldStart, end: reader.pos })
}

const message: Message<TensorDraft> = {
  name: 'TensorProto',
  fields: {
    1: ints('dims', (t, dim) => t.dims.push(dim)),
    2: int32('data_type', (t, code) => (t.code = code)),
    3: { name: 'segment', wires: [wires.bytes], read: (reader, t) => (reader.skip(), (t.segmented = true)) },
    4: run(4),
    5: run(5),
    6: {
      name: 'string_data',
      wires: [wires.bytes],
      read: (reader, t, context) => {
        context.spend(4)
        t.strings.push(reader.text())
      },
    },
    7: run(7),
    8: name('name', (t, value) => (t.name = value)),
    9: { name: 'raw_data', wires: [wires.bytes], read: (reader, t) => (t.raw = reader.take()) },
    10: run(10),
    11: run(11),
    13: entries('external_data', (t) => t.external),
    14: int32('data_location', (t, location) => (t.location = location)),
  },
}

/** A tensor with the name that the file gives it (`''` where it has none). */
export interface NamedTensor {
  readonly name: string
  readonly tensor: Tensor
}

/**
 * Reads a TensorProto. Its bytes are views of the file wherever the file holds them in packed form. Errors call it by
 * `noun` and its name: `initializer "w" holds 8 bytes, its dimensions need 16`.
 */
export function readTensor(reader: Reader, context: Context, noun = 'tensor'): NamedTensor {
  const draft: TensorDraft = {
    file: reader.bytes,
    dims: [],
    runs: [],
    strings: [],
    external: new Map(),
    raw: undefined,
    code: 0,
    name: '',
    location: 0,
    segmented: false,
    unknownFields: [],
  }
  const label = () => (draft.name === '' ? noun : `${noun} ${quoted(draft.name)}`)
  within(label, () => readFields(message, reader, draft, context))
  return { name: draft.name, tensor: about(label, () => finish(draft, context)) }
}

function finish(draft: TensorDraft, context: Context): Tensor {
  const dtype = dtypeOf(draft.code)
  if (dtype === undefined) {
    throw new AlambicError('onnx.dtype', `has element type ${draft.code}, which is not one of ONNX's`, {
      expected: `1 to ${Math.max(...Object.values(dtypes).map((row) => row.onnx))}`,
      found: String(draft.code),
    })
  }
  if (draft.segmented) {
    throw new AlambicError('onnx.segment', 'is only a segment of a bigger tensor, a form that ONNX has given up', {
      fix: 'Export the model with a current tool.',
    })
  }
  const dims = readDims(draft.dims, context)
  const count = elementCount(dims, context)
  const extra = present({ unknownFields: draft.unknownFields })
  if (draft.location === 1) return { dtype, dims, bytes: readOutside(draft, dtype, count, context), ...extra }
  if (draft.location !== 0)
    throw new AlambicError('onnx.data-location', `has data location ${draft.location}`, { expected: '0 or 1' })
  oneStorage(draft)
  if (dtype === 'string') return { dtype, dims, bytes: new Uint8Array(), strings: stringsOf(draft, count), ...extra }
  return { dtype, dims, bytes: inlineBytes(draft, dtype, count), ...extra }
}

function readDims(dims: readonly Int[], context: Context): number[] {
  if (dims.length > context.limits.dims)
    throw beyond('dims', 'dimensions in one tensor', context.limits.dims, dims.length)
  return dims.map((dim) => {
    if (dim >= 0 && typeof dim === 'number') return dim
    throw new AlambicError('onnx.dims', `has a dimension of ${dim}`, {
      expected: 'dimensions of 0 or more',
      found: String(dim),
    })
  })
}

/** The product of the dimensions; empty tensors may have other dimensions of any sane size. */
function elementCount(dims: readonly number[], context: Context): number {
  const product = dims.reduce((n, dim) => n * Math.max(1, dim), 1)
  if (product > context.limits.elements) {
    throw new AlambicError('onnx.dims-overflow', `declares ${dims.join(' x ')} elements, more than any memory holds`, {
      expected: `at most ${context.limits.elements} elements`,
      found: `[${dims.join(', ')}]`,
    })
  }
  return dims.includes(0) ? 0 : product
}

function oneStorage(draft: TensorDraft): void {
  const used = [
    draft.raw && draft.raw.length > 0 ? 'raw_data' : '',
    draft.strings.length > 0 ? 'string_data' : '',
    ...new Set(draft.runs.map((r) => storageFields[r.field].name)),
  ].filter((field) => field !== '')
  if (used.length > 1) {
    throw new AlambicError('onnx.tensor-storage', `has its data twice: in ${used.join(' and in ')}`, {
      expected: 'one data field',
      found: used.join(', '),
    })
  }
}

function stringsOf(draft: TensorDraft, count: number): readonly string[] {
  if (draft.runs.length > 0 || (draft.raw && draft.raw.length > 0)) {
    throw new AlambicError('onnx.tensor-storage', 'holds strings, which must be in string_data', {
      expected: 'string_data',
    })
  }
  if (draft.strings.length !== count) throw wrongSize(draft.strings.length, count, 'string')
  return draft.strings
}

function inlineBytes(draft: TensorDraft, dtype: DType, count: number): Uint8Array {
  if (draft.strings.length > 0) {
    throw new AlambicError('onnx.tensor-storage', `is ${dtype} but its data is in string_data`, {
      found: 'string_data',
    })
  }
  if (draft.runs.length > 0) return bytesOfRuns(dtype, count, draft.file, draft.runs)
  const bytes = draft.raw ?? new Uint8Array()
  const expected = byteLength(dtype, count)
  if (bytes.length !== expected) throw wrongSize(bytes.length, expected, 'byte')
  return bytes
}

const wrongSize = (found: number, expected: number, unit: string): AlambicError =>
  new AlambicError('onnx.tensor-size', `holds ${counted(found, unit)}, its dimensions need ${expected}`, {
    expected: counted(expected, unit),
    found: counted(found, unit),
    fix: 'Export the model again: the tensor is damaged.',
  })

function readOutside(draft: TensorDraft, dtype: DType, count: number, context: Context): Uint8Array {
  if (dtype === 'string')
    throw new AlambicError('onnx.tensor-storage', 'holds strings outside the file, which ONNX does not allow')
  const reference = referenceOf(draft.external)
  const size = byteLength(dtype, count)
  if (reference.length !== undefined && reference.length !== size) throw wrongSize(reference.length, size, 'byte')
  if (!context.readExternal) {
    throw new AlambicError('onnx.external-unavailable', `has its data in the file ${quoted(reference.location)}`, {
      fix: 'Open the model by its path, so that the files beside it can be read.',
    })
  }
  return context.readExternal(reference, size)
}

/** The keys of `external_data`; numbers are decimal text. */
function referenceOf(external: ReadonlyMap<string, string>): ExternalReference {
  const location = external.get('location')
  if (!location) throw new AlambicError('onnx.external-path', 'says that its data is outside the file, but not where')
  return { location, offset: decimal(external, 'offset') ?? 0, length: decimal(external, 'length') }
}

function decimal(external: ReadonlyMap<string, string>, key: string): number | undefined {
  const value = external.get(key)
  if (value === undefined) return undefined
  const number = /^\d{1,16}$/.test(value) ? Number(value) : NaN
  if (Number.isSafeInteger(number)) return number
  throw new AlambicError('onnx.external-range', `has ${quoted(value)} as the ${key} of its data`, {
    expected: 'a number of bytes, 0 or more',
    found: quoted(value),
  })
}

/** Where the writer puts the bytes of a tensor that goes outside the file; undefined for one that stays inside. */
export type PlaceOutside = (tensor: Tensor) => { readonly location: string; readonly offset: number } | undefined

/** Writes the fields of a TensorProto; numbers always as `raw_data`, which every dtype but string may use. */
export function writeTensor(out: Writer, tensor: Tensor, tensorName = '', place?: PlaceOutside): void {
  for (const dim of tensor.dims) out.int(1, dim)
  out.int(2, dtypes[tensor.dtype].onnx)
  for (const value of tensor.strings ?? []) out.text(6, value)
  out.optionalText(8, tensorName)
  const outside = place?.(tensor)
  if (outside) {
    const { location, offset } = outside
    const pairs = { location, offset: String(offset), length: String(tensor.bytes.length) }
    for (const [key, value] of Object.entries(pairs)) writeEntry(out, 13, key, value)
    out.int(14, 1)
  } else if (tensor.dtype !== 'string') {
    out.bytes(9, tensor.bytes)
  }
  // A tensor that was in an attribute keeps the name it had there; as an initializer it has another.
  const kept = (tensor.unknownFields ?? []).filter((field) => tensorName === '' || field[0] !== NAME_TAG)
  for (const field of kept) out.raw(field)
}

/** Field 8, wire type 2. */
const NAME_TAG = (8 << 3) | 2

/** One StringStringEntryProto. */
export function writeEntry(out: Writer, field: number, key: string, value: string): void {
  out.message(field, (entry) => {
    entry.text(1, key)
    entry.text(2, value)
  })
}
