import { damaged } from './failure.ts'

/** Grows a byte string: little-endian numbers and LEB128 varints. */
export class ByteWriter {
  #bytes: Uint8Array
  #size = 0

  /** @param expected bytes, so that they need not be moved */
  constructor(expected = 256) {
    this.#bytes = new Uint8Array(expected)
  }

  #room(count: number): number {
    const at = this.#size
    if (at + count > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, at + count, 16))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#size = at + count
    return at
  }

  u8(value: number): this {
    const at = this.#room(1)
    this.#bytes[at] = value
    return this
  }

  u32(value: number): this {
    const at = this.#room(4)
    new DataView(this.#bytes.buffer).setUint32(at, value, true)
    return this
  }

  /** An unsigned LEB128 number, up to 2^53 − 1. */
  varint(value: number): this {
    let rest = value
    while (rest >= 128) {
      this.u8((rest % 128) | 128)
      rest = Math.floor(rest / 128)
    }
    return this.u8(rest)
  }

  bytes(bytes: Uint8Array): this {
    const at = this.#room(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }

  get size(): number {
    return this.#size
  }

  finish(): Uint8Array {
    return this.#size === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#size)
  }
}

/** Bytes that an unsigned LEB128 number takes. */
export const varintSize = (value: number): number => (value < 128 ? 1 : 1 + varintSize(Math.floor(value / 128)))

/** Reads a byte string; every failure names the offset in the container, where these bytes begin at `base`. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #base: number
  #at = 0

  constructor(bytes: Uint8Array, base: number) {
    this.#bytes = bytes
    this.#base = base
  }

  /** Offset of the next byte in the container. */
  get offset(): number {
    return this.#base + this.#at
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    const value = this.#bytes[this.#at]
    if (value === undefined) throw this.#short(1)
    this.#at++
    return value
  }

  u32(): number {
    const part = this.take(4)
    return new DataView(part.buffer, part.byteOffset).getUint32(0, true)
  }

  /** An unsigned LEB128 number of at most `most`. */
  varint(what: string, most = Number.MAX_SAFE_INTEGER): number {
    const { offset } = this
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8()
      value += (byte % 128) * scale
      if (value > most || scale > 2 ** 49) {
        throw damaged('cmpz.range', `${what} is too large`, {
          offset,
          expected: `at most ${most}`,
          found: `${value}`,
        })
      }
      if (byte < 128) return value
    }
  }

  /** A view of the next bytes. */
  take(count: number): Uint8Array {
    if (count > this.left) throw this.#short(count)
    const part = this.#bytes.subarray(this.#at, this.#at + count)
    this.#at += count
    return part
  }

  /** Throws when bytes are left over. */
  end(what: string): void {
    if (this.left === 0) return
    throw damaged('cmpz.left-over', `${what} has bytes left over`, {
      offset: this.offset,
      expected: 'the end of the block',
      found: `${this.left} more bytes`,
    })
  }

  #short(count: number) {
    return damaged('cmpz.truncated', 'a block ends too early', {
      offset: this.offset,
      expected: `${count} more bytes`,
      found: `${this.left}`,
    })
  }
}
