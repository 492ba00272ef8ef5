import { crc32 } from 'node:zlib'
import { ByteWriter } from './bytes.ts'
import { damaged } from './failure.ts'

/** "CMPZ" and the version of the format. */
export const SIGNATURE: Uint8Array = Uint8Array.of(0x43, 0x4d, 0x50, 0x5a, 1)

/** Kinds of blocks, as the letters that they begin with. */
export const kinds = { metadata: 0x4d, skeleton: 0x53, tensor: 0x54, end: 0x45 } as const
export type BlockKind = keyof typeof kinds

export interface Block {
  readonly kind: BlockKind
  readonly payload: Uint8Array
  /** Offset of the payload in the container. */
  readonly offset: number
}

/** Kind, size, payload (the parts in a row), and the CRC-32 of all three. */
export function writeBlock(kind: BlockKind, ...parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0)
  const head = new ByteWriter().u8(kinds[kind]).varint(size).finish()
  const block = new Uint8Array(head.length + size + 4)
  let at = 0
  for (const part of [head, ...parts]) {
    block.set(part, at)
    at += part.length
  }
  new DataView(block.buffer).setUint32(at, crc32(block.subarray(0, at)), true)
  return block
}

/** Longest head of a block: a kind and a varint below 2^35. */
const HEAD = 6

/** Takes a container apart as its bytes come in; holds no more than one block. */
export class BlockReader {
  #pending: Uint8Array = new Uint8Array(0)
  /** What came in since, not looked at before there is as much of it as the block at hand needs. */
  #waiting: Uint8Array[] = []
  #needed = 0
  /** Offset of the first pending byte in the container. */
  #offset = 0
  #begun = false
  readonly #largest: number

  /** @param largest bytes that a block may have. */
  constructor(largest: number) {
    this.#largest = largest
  }

  /** The blocks that these bytes complete. Throws `cmpz.signature`, `cmpz.kind`, `cmpz.range`, `cmpz.checksum`. */
  *push(bytes: Uint8Array): Generator<Block> {
    this.#waiting.push(bytes)
    if (this.left < this.#needed) return
    this.#pending = joined([this.#pending, ...this.#waiting])
    this.#waiting = []
    this.#needed = 0
    if (!this.#begun && !this.#begin()) return
    for (let block = this.#next(); block; block = this.#next()) yield block
  }

  /** Bytes that belong to no whole block yet. */
  get left(): number {
    return this.#waiting.reduce((sum, bytes) => sum + bytes.length, this.#pending.length)
  }

  get offset(): number {
    return this.#offset
  }

  #begin(): boolean {
    const wrong = SIGNATURE.findIndex((byte, i) => i < this.#pending.length && this.#pending[i] !== byte)
    if (wrong >= 0) {
      const version = wrong === SIGNATURE.length - 1
      throw damaged('cmpz.signature', version ? 'this version of the format is unknown' : 'this is no .cmpz file', {
        offset: wrong,
        expected: version ? 'version 1' : 'the bytes 43 4D 50 5A ("CMPZ")',
        found: version ? `version ${this.#pending[wrong]}` : hex(this.#pending.subarray(0, 4)),
      })
    }
    if (this.#pending.length < SIGNATURE.length) return false
    this.#drop(SIGNATURE.length)
    return (this.#begun = true)
  }

  #drop(count: number): void {
    this.#pending = this.#pending.subarray(count)
    this.#offset += count
  }

  #next(): Block | undefined {
    const head = this.#head()
    if (!head) return undefined
    const { kind, start, size } = head
    this.#needed = start + size + 4
    if (this.#pending.length < this.#needed) return undefined
    this.#needed = 0
    const whole = this.#pending.subarray(0, start + size)
    const stored = this.#pending.subarray(start + size, start + size + 4)
    const expected = new DataView(stored.buffer, stored.byteOffset).getUint32(0, true)
    const found = crc32(whole)
    if (found !== expected) {
      throw damaged('cmpz.checksum', `the checksum of a ${kind} block is wrong`, {
        offset: this.#offset,
        expected: `CRC-32 ${expected.toString(16).padStart(8, '0')}`,
        found: found.toString(16).padStart(8, '0'),
      })
    }
    const block = { kind, payload: whole.subarray(start), offset: this.#offset + start }
    this.#drop(start + size + 4)
    return block
  }

  /** Kind and size of the next block as soon as they are there. */
  #head(): { kind: BlockKind; start: number; size: number } | undefined {
    const [letter] = this.#pending
    if (letter === undefined) return undefined
    const kind = (Object.keys(kinds) as BlockKind[]).find((k) => kinds[k] === letter)
    if (!kind) {
      throw damaged('cmpz.kind', 'a block is of no known kind', {
        offset: this.#offset,
        expected: 'M, S, T or E',
        found: hex(this.#pending.subarray(0, 1)),
      })
    }
    let size = 0
    for (let i = 1; i < HEAD; i++) {
      const byte = this.#pending[i]
      if (byte === undefined) return undefined
      size += (byte % 128) * 128 ** (i - 1)
      if (byte < 128) return this.#sized(kind, i + 1, size)
    }
    return this.#sized(kind, HEAD, Infinity)
  }

  #sized(kind: BlockKind, start: number, size: number): { kind: BlockKind; start: number; size: number } {
    if (size <= this.#largest) return { kind, start, size }
    throw damaged('cmpz.range', `the size of a ${kind} block is too large`, {
      offset: this.#offset + 1,
      expected: `at most ${this.#largest} bytes`,
      found: `${size}`,
    })
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const filled = parts.filter((part) => part.length > 0)
  return filled.length === 1 ? (filled[0] as Uint8Array) : Buffer.concat(filled)
}

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((b) => b.toString(16).toUpperCase().padStart(2, '0')).join(' ') || 'nothing'
