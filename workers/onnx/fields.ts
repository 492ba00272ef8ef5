import { AlambicError } from '../protocol/errors.ts'
import type { Int } from '../graph/attributes.ts'
import { beyond, type Context } from './context.ts'
import type { Reader } from './wire/reader.ts'
import { notOnnx, wires, type Wire } from './wire/reader.ts'
import { textOf } from './wire/text.ts'

/**
 * How one field of a message is read into a draft of the thing that the message stands for. A field number that a
 * table does not list is kept byte for byte in `unknownFields`.
 */
export interface Field<Draft> {
  readonly name: string
  readonly wires: readonly Wire[]
  readonly read: (reader: Reader, draft: Draft, context: Context) => void
}

/** The fields of one ONNX message by their numbers in onnx.proto. */
export interface Message<Draft> {
  readonly name: string
  readonly fields: Readonly<Record<number, Field<Draft>>>
}

export interface WithUnknown {
  unknownFields: Uint8Array[]
}

/** What an entry costs of the limit `items`: about the words of memory that it takes. */
const COST = { number: 1, text: 4, object: 8 } as const

/** Reads all fields of a message into `draft` and returns it. */
export function readFields<Draft extends WithUnknown>(
  message: Message<Draft>,
  reader: Reader,
  draft: Draft,
  context: Context,
): Draft {
  return context.nested(() => {
    while (reader.next()) {
      const field = message.fields[reader.field]
      if (!field) keepUnknown(reader, draft, context)
      else if (field.wires.includes(reader.wire)) field.read(reader, draft, context)
      else throw wrongWire(message, field, reader)
    }
    return draft
  })
}

function keepUnknown(reader: Reader, draft: WithUnknown, context: Context): void {
  reader.skip()
  context.spend(COST.object)
  draft.unknownFields.push(reader.wholeField())
}

function wrongWire(message: Message<never>, field: Field<never>, reader: Reader): AlambicError {
  return new AlambicError('onnx.wire-type', `field "${field.name}" of ${message.name} has wire type ${reader.wire}`, {
    expected: `wire type ${field.wires[0]}`,
    found: `wire type ${reader.wire}`,
    fix: notOnnx,
  })
}

/** A text that identifies something; bounded by the limit `nameBytes`. */
export function readName(reader: Reader, context: Context): string {
  return readText(reader, context, 'nameBytes', 'bytes in one name')
}

function readText(reader: Reader, context: Context, limit: 'nameBytes' | 'textBytes', unit: string): string {
  const start = reader.delimited()
  const length = reader.pos - start
  if (length > context.limits[limit]) throw beyond(limit, unit, context.limits[limit], length)
  return textOf(reader.bytes, start, reader.pos)
}

/** A text of any content: a string attribute, documentation. */
export const readLongText = (reader: Reader, context: Context): string =>
  readText(reader, context, 'textBytes', 'bytes in one text')

type Put<Draft, Value> = (draft: Draft, value: Value) => void

export const name = <D>(field: string, put: Put<D, string>): Field<D> => ({
  name: field,
  wires: [wires.bytes],
  read: (reader, draft, context) => {
    context.spend(COST.text)
    put(draft, readName(reader, context))
  },
})

export const text = <D>(field: string, put: Put<D, string>): Field<D> => ({
  name: field,
  wires: [wires.bytes],
  read: (reader, draft, context) => {
    context.spend(COST.text)
    put(draft, readLongText(reader, context))
  },
})

export const int = <D>(field: string, put: Put<D, Int>): Field<D> => ({
  name: field,
  wires: [wires.varint],
  read: (reader, draft) => put(draft, reader.int()),
})

export const int32 = <D>(field: string, put: Put<D, number>): Field<D> => ({
  name: field,
  wires: [wires.varint],
  read: (reader, draft) => put(draft, reader.int32()),
})

export const float = <D>(field: string, put: Put<D, number>): Field<D> => ({
  name: field,
  wires: [wires.fixed32],
  read: (reader, draft) => put(draft, reader.float32()),
})

/** A repeated number; whether its writer packed the list makes no difference to a reader. */
const repeated = <D, V>(field: string, wire: Wire, one: (reader: Reader) => V, put: Put<D, V>): Field<D> => ({
  name: field,
  wires: [wire, wires.bytes],
  read: (reader, draft, context) => {
    const list = reader.wire === wires.bytes ? reader.message() : undefined
    if (!list) {
      context.spend(COST.number)
      put(draft, one(reader))
      return
    }
    while (list.pos < list.end) {
      context.spend(COST.number)
      put(draft, one(list))
    }
  },
})

export const ints = <D>(field: string, put: Put<D, Int>): Field<D> =>
  repeated(field, wires.varint, (reader) => reader.int(), put)

export const floats = <D>(field: string, put: Put<D, number>): Field<D> =>
  repeated(field, wires.fixed32, (reader) => reader.float32(), put)

export const message = <D>(field: string, read: (draft: D, reader: Reader, context: Context) => void): Field<D> => ({
  name: field,
  wires: [wires.bytes],
  read: (reader, draft, context) => {
    context.spend(COST.object)
    read(draft, reader.message(), context)
  },
})

/** A field that is not interpreted but whose place matters to its draft: given whole, tag included. */
export const verbatim = <D>(field: string, put: Put<D, Uint8Array>): Field<D> => ({
  name: field,
  wires: [wires.bytes],
  read: (reader, draft, context) => {
    reader.skip()
    context.spend(COST.object)
    put(draft, reader.wholeField())
  },
})

interface Entry extends WithUnknown {
  key: string
  value: string
}

const entryMessage: Message<Entry> = {
  name: 'StringStringEntryProto',
  fields: {
    1: text('key', (entry, value) => (entry.key = value)),
    2: text('value', (entry, value) => (entry.value = value)),
  },
}

/** A list of key-value pairs; of two with one key the later holds, as in a protobuf map. */
export const entries = <D>(field: string, of: (draft: D) => Map<string, string>): Field<D> =>
  message(field, (draft, reader, context) => {
    const entry = readFields(entryMessage, reader, { key: '', value: '', unknownFields: [] }, context)
    of(draft).set(entry.key, entry.value)
  })

/** The properties that have something to say: neither undefined, nor an empty text, list or map. */
export function present<T extends object>(properties: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept: { [K in keyof T]?: Exclude<T[K], undefined> } = {}
  for (const key in properties) {
    const value = properties[key]
    if (!isEmpty(value)) kept[key] = value as Exclude<T[typeof key], undefined>
  }
  return kept
}

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === '' ||
  (value instanceof Map && value.size === 0) ||
  (Array.isArray(value) && value.length === 0)
