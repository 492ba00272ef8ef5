import { AlambicError } from '../protocol/errors.ts'
import type { Int } from '../graph/attributes.ts'
import { dtypeOf, type DType } from '../graph/dtype.ts'
import type { Tensor } from '../graph/tensor.ts'
import { Context } from './context.ts'
import type { DecodeOptions } from './decode.ts'
import { int32, ints, message, name, readFields, text, type Message, type WithUnknown } from './fields.ts'
import { defaultLimits } from './limits.ts'
import { readSparse, type SparseTensor } from './sparse.ts'
import { readTensor } from './tensors.ts'
import { Reader } from './wire/reader.ts'

/** A value as ONNX's test cases keep it in a file: a tensor, or a container of values (onnx-data.proto). */
export type DataValue =
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'sparse'; readonly value: SparseTensor }
  | { readonly kind: 'sequence'; readonly value: readonly DataValue[] }
  | {
      readonly kind: 'map'
      readonly key: DType
      readonly keys: readonly (Int | string)[]
      readonly value: readonly DataValue[]
    }
  /** An optional value; undefined for none. */
  | { readonly kind: 'optional'; readonly value: DataValue | undefined }

interface Draft extends WithUnknown {
  name: string
  code: number
  readonly values: DataValue[]
}

const draft = (): Draft => ({ name: '', code: 0, values: [], unknownFields: [] })

/** SequenceProto and OptionalProto have the same fields; the latter holds one value at most. */
const containerMessage: Message<Draft> = {
  name: 'SequenceProto',
  fields: {
    1: name('name', (d, value) => (d.name = value)),
    2: int32('elem_type', (d, code) => (d.code = code)),
    3: message('tensor_values', (d, reader, context) =>
      d.values.push({ kind: 'tensor', value: readTensor(reader, context).tensor }),
    ),
    4: message('sparse_tensor_values', (d, reader, context) =>
      d.values.push({ kind: 'sparse', value: readSparse(reader, context) }),
    ),
    5: message('sequence_values', (d, reader, context) => d.values.push(readSequence(reader, context))),
    6: message('map_values', (d, reader, context) => d.values.push(readMap(reader, context))),
    7: message('optional_values', (d, reader, context) => d.values.push(readOptional(reader, context))),
  },
}

const readSequence = (reader: Reader, context: Context): DataValue => ({
  kind: 'sequence',
  value: readFields(containerMessage, reader, draft(), context).values,
})

function readOptional(reader: Reader, context: Context): DataValue {
  const { values } = readFields(containerMessage, reader, draft(), context)
  if (values.length > 1) throw new AlambicError('onnx.data', 'an optional value has several values')
  return { kind: 'optional', value: values[0] }
}

interface MapDraft extends WithUnknown {
  name: string
  code: number
  readonly keys: (Int | string)[]
  values: readonly DataValue[]
}

const mapMessage: Message<MapDraft> = {
  name: 'MapProto',
  fields: {
    1: name('name', (m, value) => (m.name = value)),
    2: int32('key_type', (m, code) => (m.code = code)),
    3: ints('keys', (m, key) => m.keys.push(key)),
    4: text('string_keys', (m, key) => m.keys.push(key)),
    5: message(
      'values',
      (m, reader, context) => (m.values = readFields(containerMessage, reader, draft(), context).values),
    ),
  },
}

function readMap(reader: Reader, context: Context): DataValue {
  const map = readFields(mapMessage, reader, { name: '', code: 0, keys: [], values: [], unknownFields: [] }, context)
  const key = dtypeOf(map.code)
  if (key === undefined || map.keys.length !== map.values.length) {
    throw new AlambicError(
      'onnx.data',
      `a map has ${map.keys.length} keys of type ${map.code} for ${map.values.length} values`,
    )
  }
  return { kind: 'map', key, keys: map.keys, value: map.values }
}

const readers = {
  tensor: (reader: Reader, context: Context): DataValue => ({
    kind: 'tensor',
    value: readTensor(reader, context).tensor,
  }),
  sequence: readSequence,
  optional: readOptional,
  map: readMap,
} as const

/** Reads an input or output file of a test case; its kind is not in the file but in the type of the model's value. */
export function decodeData(bytes: Uint8Array, kind: keyof typeof readers, options: DecodeOptions = {}): DataValue {
  return readers[kind](new Reader(bytes), new Context({ ...defaultLimits, ...options.limits }, options.readExternal))
}
