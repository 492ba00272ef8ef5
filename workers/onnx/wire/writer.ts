import { concatenate } from '../../graph/concatenate.ts'
import { AlambicError } from '../../protocol/errors.ts'
import type { Int } from '../../graph/attributes.ts'
import { bytesOf } from './text.ts'
import { wires, type Wire } from './reader.ts'

/** From here on bytes are referred to, not copied. */
const BY_REFERENCE = 4096

/**
 * Builds one protobuf message as a list of chunks: small fields are gathered in a buffer of our own, big ones (the
 * weights) stay where they are. So writing a model takes no memory in proportion to its weights.
 */
export class Writer {
  /** Bytes written so far. */
  size = 0
  readonly #chunks: Uint8Array[] = []
  #buffer = new Uint8Array(64)
  #used = 0

  /** The message, in order; do not write to it afterwards. */
  chunks(): readonly Uint8Array[] {
    this.#flush()
    return this.#chunks
  }

  int(field: number, value: Int): void {
    this.#tag(field, wires.varint)
    this.#int(value)
  }

  float(field: number, value: number): void {
    this.#tag(field, wires.fixed32)
    const at = this.#reserve(4)
    new DataView(this.#buffer.buffer).setFloat32(at, value, true)
  }

  text(field: number, value: string): void {
    this.bytes(field, bytesOf(value))
  }

  /** Writes a text only where there is one: absent and empty mean the same in every ONNX message. */
  optionalText(field: number, value: string | undefined): void {
    if (value) this.text(field, value)
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, wires.bytes)
    this.#varint(value.length)
    this.raw(value)
  }

  message(field: number, write: (message: Writer) => void): void {
    const inner = new Writer()
    write(inner)
    this.#tag(field, wires.bytes)
    this.#varint(inner.size)
    for (const chunk of inner.chunks()) this.raw(chunk)
  }

  /** Bytes as they are: whole fields that were kept from a file. */
  raw(bytes: Uint8Array): void {
    if (bytes.length >= BY_REFERENCE) {
      this.#flush()
      this.#chunks.push(bytes)
      this.size += bytes.length
    } else {
      const at = this.#reserve(bytes.length)
      this.#buffer.set(bytes, at)
    }
  }

  #tag(field: number, wire: Wire): void {
    this.#varint(field * 8 + wire)
  }

  #int(value: Int): void {
    if (typeof value === 'number' && !Number.isInteger(value)) {
      throw new AlambicError('onnx.not-an-integer', `${value} cannot be written where the file needs an integer`)
    }
    if (typeof value === 'number' && value >= 0) this.#varint(value)
    else this.#varint64(BigInt.asUintN(64, BigInt(value)))
  }

  #varint(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      this.#byte((rest % 128) | 0x80)
      rest = Math.floor(rest / 128)
    }
    this.#byte(rest)
  }

  #varint64(value: bigint): void {
    let rest = value
    while (rest > 0x7fn) {
      this.#byte(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    this.#byte(Number(rest))
  }

  #byte(byte: number): void {
    const at = this.#reserve(1)
    this.#buffer[at] = byte
  }

  #reserve(count: number): number {
    const at = this.#used
    if (at + count > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(this.#buffer.length * 2, at + count))
      grown.set(this.#buffer.subarray(0, at))
      this.#buffer = grown
    }
    this.#used += count
    this.size += count
    return at
  }

  #flush(): void {
    if (this.#used === 0) return
    this.#chunks.push(this.#buffer.subarray(0, this.#used))
    this.#buffer = new Uint8Array(64)
    this.#used = 0
  }
}

/** Chunks as one array of bytes. */
export const joined = (chunks: readonly Uint8Array[]): Uint8Array => concatenate(Uint8Array, chunks)

/** One message, written and joined. */
export function written(write: (message: Writer) => void): Uint8Array {
  const writer = new Writer()
  write(writer)
  return joined(writer.chunks())
}
