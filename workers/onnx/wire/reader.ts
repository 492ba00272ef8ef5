import { AlambicError } from '../../protocol/errors.ts'
import type { Int } from '../../graph/attributes.ts'
import { textOf } from './text.ts'

/** Wire types of protobuf's encoding; groups (3 and 4) are obsolete and no ONNX message has any. */
export const wires = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const
export type Wire = (typeof wires)[keyof typeof wires]

/**
 * Walks the fields of one protobuf message that lies in `bytes` from `start` to `end`. It never copies, never reads
 * outside the message and allocates nothing that the file only declares: what it returns are views.
 *
 *     while (reader.next()) if (reader.field === 1) name = reader.text() else reader.skip()
 */
export class Reader {
  readonly bytes: Uint8Array
  readonly end: number
  readonly start: number
  pos: number
  /** The current field's number and wire type, and where its tag begins. */
  field = 0
  wire: Wire = 0
  fieldStart = 0
  /** The last varint as two unsigned halves. */
  low = 0
  high = 0
  #view: DataView | undefined

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    // A Buffer's views would be Buffers, too: tensors are to have plain arrays whatever they were read from.
    this.bytes = bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    this.start = start
    this.pos = start
    this.end = end
  }

  /** Moves to the next field; false at the end of the message. The caller must then read or skip its value. */
  next(): boolean {
    if (this.pos >= this.end) return false
    this.fieldStart = this.pos
    this.varint()
    const number = this.low >>> 3
    if (this.high !== 0 || number === 0 || number > 0x1fffffff) {
      throw this.#malformed(
        `field number ${this.high === 0 ? number : 'beyond 32 bits'} at byte ${this.fieldStart} is not valid`,
      )
    }
    const wire = this.low & 7
    if (wire === 3 || wire === 4 || wire > 5) {
      throw new AlambicError('onnx.wire-type', `field ${number} at byte ${this.fieldStart} has wire type ${wire}`, {
        expected: 'wire type 0, 1, 2 or 5',
        found: `wire type ${wire}`,
        fix: notOnnx,
      })
    }
    this.field = number
    this.wire = wire as Wire
    return true
  }

  /** Reads a base-128 varint into `low` and `high`. */
  varint(): void {
    let low = 0
    let high = 0
    for (let i = 0; i < 10; i++) {
      if (this.pos >= this.end) throw this.#overrun(1)
      const byte = this.bytes[this.pos++] as number
      const bits = byte & 0x7f
      if (i < 4) low |= bits << (7 * i)
      else if (i === 4) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (7 * i - 32)
      if (byte > 0x7f) continue
      if (i === 9 && byte > 1) break
      this.low = low >>> 0
      this.high = high >>> 0
      return
    }
    throw new AlambicError('onnx.varint', `the integer at byte ${this.pos - 10} does not fit in 64 bits`, {
      fix: notOnnx,
    })
  }

  /** A signed 64-bit integer; a bigint only where a number would lose digits. */
  int(): Int {
    this.varint()
    const value = (this.high | 0) * 2 ** 32 + this.low
    if (Number.isSafeInteger(value)) return value
    return (BigInt(this.high | 0) << 32n) | BigInt(this.low)
  }

  /** A signed 32-bit integer (an enum, too): the low half, as protobuf truncates. */
  int32(): number {
    this.varint()
    return this.low | 0
  }

  float32(): number {
    return this.#dataView().getFloat32(this.#take(4), true)
  }

  float64(): number {
    return this.#dataView().getFloat64(this.#take(8), true)
  }

  /** The value of a length-delimited field, as a view. */
  take(): Uint8Array {
    const start = this.delimited()
    return this.bytes.subarray(start, this.pos)
  }

  text(): string {
    const start = this.delimited()
    return textOf(this.bytes, start, this.pos)
  }

  /** A reader of the message in a length-delimited field. */
  message(): Reader {
    const start = this.delimited()
    return new Reader(this.bytes, start, this.pos)
  }

  skip(): void {
    if (this.wire === wires.varint) this.varint()
    else if (this.wire === wires.bytes) this.delimited()
    else this.#take(this.wire === wires.fixed64 ? 8 : 4)
  }

  /** The whole current field, tag included; after its value was read or skipped. */
  wholeField(): Uint8Array {
    return this.bytes.subarray(this.fieldStart, this.pos)
  }

  /** Moves behind a length-delimited value and tells where it begins. */
  delimited(): number {
    this.varint()
    const length = this.high * 2 ** 32 + this.low
    return this.#take(length)
  }

  #take(length: number): number {
    const start = this.pos
    if (length > this.end - start) throw this.#overrun(length)
    this.pos = start + length
    return start
  }

  #dataView(): DataView {
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength)
    return this.#view
  }

  #overrun(length: number): AlambicError {
    const end = this.pos + length
    if (end <= this.bytes.length) {
      return this.#malformed(`a field of ${length} bytes at byte ${this.pos} runs past the end of its message`)
    }
    return new AlambicError('onnx.truncated', 'the file ends in the middle of a field', {
      expected: `at least ${end} bytes`,
      found: `${this.bytes.length} bytes`,
      fix: 'Copy or download the file again: its end is missing.',
    })
  }

  #malformed(message: string): AlambicError {
    return new AlambicError('onnx.malformed', message, { fix: notOnnx })
  }
}

export const notOnnx = 'Check that this is an ONNX file, and copy or export it again: its bytes are damaged.'
