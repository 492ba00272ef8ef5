import { AlambicError } from '../protocol/errors.ts'
import { byteLength, dtypes, type DType } from '../graph/dtype.ts'
import { counted } from './wire/failure.ts'
import { Reader, wires } from './wire/reader.ts'

/** A stretch of the file that holds elements of one typed field of TensorProto: packed, or one field an element. */
export interface Run {
  readonly field: StorageField
  readonly packed: boolean
  readonly start: number
  end: number
}

/** The typed data fields of TensorProto, with the bytes of an element where it is of fixed width. */
export const storageFields = {
  4: { name: 'float_data', width: 4 },
  5: { name: 'int32_data', width: undefined },
  7: { name: 'int64_data', width: undefined },
  10: { name: 'double_data', width: 8 },
  11: { name: 'uint64_data', width: undefined },
} as const
export type StorageField = keyof typeof storageFields

/** Which typed field ONNX allows for a dtype besides `raw_data`; strings have `string_data` only. */
const fieldOf = (dtype: DType): StorageField | undefined => {
  if (dtype === 'f32' || dtype === 'c64') return 4
  if (dtype === 'f64' || dtype === 'c128') return 10
  if (dtype === 'i64') return 7
  if (dtype === 'u32' || dtype === 'u64') return 11
  return dtype === 'string' ? undefined : 5
}

/** Entries of the typed field that `count` elements take: complex ones two each, sub-byte integers several to one. */
function entriesFor(dtype: DType, count: number): number {
  if (dtype === 'c64' || dtype === 'c128') return 2 * count
  const { bits } = dtypes[dtype]
  return bits === 4 || bits === 2 ? byteLength(dtype, count) : count
}

/**
 * The packed little-endian bytes of a tensor whose elements lie in a typed field. One packed run of floats is a view
 * of the file; anything else is copied once, after the declared count was found to equal the actual one.
 */
export function bytesOfRuns(dtype: DType, count: number, file: Uint8Array, runs: readonly Run[]): Uint8Array {
  const field = fieldOf(dtype)
  const stray = runs.find((run) => run.field !== field)
  if (stray || field === undefined) {
    throw new AlambicError('onnx.tensor-storage', `is ${dtype} but its data is in ${nameOf(runs)}`, {
      expected: field === undefined ? 'string_data' : `raw_data or ${storageFields[field].name}`,
      found: nameOf(runs),
    })
  }
  const entries = entriesFor(dtype, count)
  const found = runs.reduce((sum, run) => sum + entriesIn(run, file), 0)
  if (found !== entries) {
    throw new AlambicError(
      'onnx.tensor-size',
      `has ${counted(found, 'value')} in ${nameOf(runs)}, its dimensions need ${entries}`,
      {
        expected: counted(entries, 'value'),
        found: counted(found, 'value'),
        fix: 'Export the model again: the tensor is damaged.',
      },
    )
  }
  const [only] = runs
  const { width } = storageFields[field]
  if (width !== undefined && only?.packed && runs.length === 1) return file.subarray(only.start, only.end)
  return width !== undefined
    ? gatherFixed(width, entries, file, runs)
    : gatherVarints(dtype, count, entries, file, runs)
}

const nameOf = (runs: readonly Run[]): string =>
  [...new Set(runs.map((r) => storageFields[r.field].name))].join(' and ')

function entriesIn(run: Run, file: Uint8Array): number {
  const { width } = storageFields[run.field]
  if (!run.packed) {
    let count = 0
    eachEntry(run, file, (reader) => {
      reader.skip()
      count++
    })
    return count
  }
  if (width !== undefined) return (run.end - run.start) / width
  let count = 0
  for (let i = run.start; i < run.end; i++) if ((file[i] as number) < 0x80) count++
  return count
}

/** Calls `read` at the beginning of every entry; it must move the reader behind it. */
function eachEntry(run: Run, file: Uint8Array, read: (reader: Reader) => void): void {
  const reader = new Reader(file, run.start, run.end)
  if (run.packed) while (reader.pos < reader.end) read(reader)
  else while (reader.next()) read(reader)
}

function gatherFixed(width: number, entries: number, file: Uint8Array, runs: readonly Run[]): Uint8Array {
  const bytes = new Uint8Array(entries * width)
  let at = 0
  const put = (view: Uint8Array) => {
    bytes.set(view, at)
    at += view.length
  }
  for (const run of runs) {
    if (run.packed) {
      put(file.subarray(run.start, run.end))
      continue
    }
    eachEntry(run, file, (reader) => {
      const start = reader.pos
      reader.skip()
      put(file.subarray(start, reader.pos))
    })
  }
  return bytes
}

function gatherVarints(
  dtype: DType,
  count: number,
  entries: number,
  file: Uint8Array,
  runs: readonly Run[],
): Uint8Array {
  const { bits } = dtypes[dtype]
  const width = Math.max(1, bits / 8)
  const bytes = new Uint8Array(bits === 6 ? byteLength(dtype, count) : entries * width)
  const put = bits === 6 ? putSixBits(bytes) : putWhole(bytes, width)
  let index = 0
  for (const run of runs) {
    eachEntry(run, file, (reader) => {
      reader.varint()
      put(index++, reader.low, reader.high)
    })
  }
  return bytes
}

type PutEntry = (index: number, low: number, high: number) => void

const putters: Record<number, (view: DataView) => PutEntry> = {
  1: (view) => (i, low) => view.setUint8(i, low),
  2: (view) => (i, low) => view.setUint16(2 * i, low, true),
  4: (view) => (i, low) => view.setUint32(4 * i, low, true),
  8: (view) => (i, low, high) => {
    view.setUint32(8 * i, low, true)
    view.setUint32(8 * i + 4, high, true)
  },
}

const putWhole = (bytes: Uint8Array, width: number): PutEntry => {
  const make = putters[width] as (view: DataView) => PutEntry
  return make(new DataView(bytes.buffer))
}

/** float6: one element an entry here, a contiguous stream of 6 bits each in `raw_data` (onnx.proto, IR version 14). */
const putSixBits =
  (bytes: Uint8Array): PutEntry =>
  (index, low) => {
    const at = 6 * index
    const shifted = (low & 63) << (at % 8)
    const byte = Math.floor(at / 8)
    bytes[byte] = (bytes[byte] ?? 0) | (shifted & 255)
    if (shifted > 255) bytes[byte + 1] = (bytes[byte + 1] ?? 0) | (shifted >> 8)
  }

/** Whether a field's wire type is the packed form. */
export const isPacked = (wire: number): boolean => wire === wires.bytes
