import { createHash } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'
import { BlockReader, type Block, type BlockKind } from './blocks.ts'
import { ByteReader } from './bytes.ts'
import { damaged } from './failure.ts'
import { decodeTensor } from './tensor.ts'

export interface UnpackOptions {
  /** The largest model that may come out; 2 GiB, which is the most an ONNX file can have, unless told. */
  readonly maxBytes?: number
}

const MAX_BYTES = 2 ** 31 - 1

/**
 * Decodes a container as its bytes come in; the pieces of the ONNX file come out in order. Holds one block and the
 * skeleton. Nothing that came out may be used before `finish` returned: only there the checksum of the whole is known
 * to be right.
 */
export class Unpacker {
  readonly #blocks: BlockReader
  readonly #maxBytes: number
  readonly #hash = createHash('sha256')
  #skeleton: ByteReader | undefined
  #size = 0
  #done = 0
  #ended = false
  /** What the container says of itself. */
  metadata: Readonly<Record<string, unknown>> | undefined

  constructor({ maxBytes = MAX_BYTES }: UnpackOptions = {}) {
    this.#maxBytes = maxBytes
    // No payload is longer than a few bytes more than what it stands for.
    this.#blocks = new BlockReader(2 * maxBytes + 2 ** 16)
  }

  /** Pieces of the model that these bytes complete. Throws `cmpz.…`. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    for (const block of this.#ended ? [] : this.#blocks.push(bytes)) {
      for (const part of this.#decode(block)) {
        if (part.length === 0) continue
        this.#hash.update(part)
        this.#done += part.length
        yield part
      }
      if (block.kind !== 'end') continue
      this.#checkEnd(block)
      bytes = bytes.subarray(bytes.length - this.#blocks.left)
      break
    }
    if (this.#ended && bytes.length > 0) throw trailing(this.#blocks.offset, bytes.length)
  }

  /** Throws `cmpz.truncated` unless the container was complete. */
  finish(): void {
    if (this.#ended) return
    throw damaged('cmpz.truncated', 'the container ends too early', {
      offset: this.#blocks.offset + this.#blocks.left,
      expected: 'an end block',
      found: 'the end of the file',
    })
  }

  #decode(block: Block): readonly Uint8Array[] {
    if (block.kind === 'metadata') this.metadata = metadataOf(block)
    else if (block.kind === 'skeleton') this.#open(block)
    else {
      const skeleton = this.#skeleton
      if (!skeleton) throw unexpected(block, 'a skeleton block')
      if (block.kind === 'end') return [skeleton.take(skeleton.left)]
      return this.#tensor(block, skeleton)
    }
    return []
  }

  #open(block: Block): void {
    if (this.#skeleton) throw unexpected(block, 'a tensor or end block')
    const reader = new ByteReader(block.payload, block.offset)
    this.#size = reader.varint('the size of the model', this.#maxBytes)
    const size = reader.varint('the size of the skeleton', this.#size)
    const { offset } = reader
    const deflated = reader.u8() === 1
    const bytes = reader.take(reader.left)
    const skeleton = deflated ? inflate(bytes, size, offset) : bytes
    if (skeleton.length !== size) {
      throw damaged('cmpz.skeleton', 'the skeleton has not its announced size', {
        offset,
        expected: `${size} bytes`,
        found: `${skeleton.length}`,
      })
    }
    this.#skeleton = new ByteReader(skeleton, block.offset)
  }

  #tensor(block: Block, skeleton: ByteReader): readonly Uint8Array[] {
    const reader = new ByteReader(block.payload, block.offset)
    const lead = reader.varint('the bytes of the skeleton before a tensor', skeleton.left)
    const before = skeleton.take(lead)
    const elements = decodeTensor(reader, this.#size - this.#done - lead - skeleton.left)
    reader.end('a tensor')
    return [before, elements]
  }

  #checkEnd(block: Block): void {
    const { offset, payload } = block
    if (this.#done !== this.#size) {
      throw damaged('cmpz.size', 'the decoded model has not its announced size', {
        offset,
        expected: `${this.#size} bytes`,
        found: `${this.#done}`,
      })
    }
    const found = this.#hash.digest('hex')
    const expected = Buffer.from(payload).toString('hex')
    if (found !== expected) {
      throw damaged('cmpz.hash', 'the decoded model is not the one that was packed', {
        offset,
        expected: `SHA-256 ${expected}`,
        found,
      })
    }
    this.#ended = true
  }
}

/** The whole model from a whole container. */
export function unpack(container: Uint8Array, options: UnpackOptions = {}): Uint8Array {
  const unpacker = new Unpacker(options)
  const parts = [...unpacker.push(container)]
  unpacker.finish()
  return Buffer.concat(parts)
}

function inflate(bytes: Uint8Array, size: number, offset: number): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: Math.max(1, size) })
  } catch (cause) {
    throw damaged('cmpz.skeleton', 'the skeleton cannot be inflated', {
      offset,
      expected: `a deflate stream (RFC 1951) of ${size} bytes`,
      found: cause instanceof Error ? cause.message : String(cause),
    })
  }
}

function metadataOf({ payload, offset }: Block): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
    if (value !== null && typeof value === 'object') return value as Record<string, unknown>
  } catch {
    // Reported below, like JSON that is no object.
  }
  throw damaged('cmpz.metadata', 'the metadata is no JSON object', {
    offset,
    expected: 'a JSON object in UTF-8',
    found: 'something else',
  })
}

const unexpected = ({ kind, offset }: { kind: BlockKind; offset: number }, expected: string) =>
  damaged('cmpz.order', `a ${kind} block is in the wrong place`, { offset, expected, found: `a ${kind} block` })

const trailing = (offset: number, left: number) =>
  damaged('cmpz.left-over', 'there is something behind the end block', {
    offset,
    expected: 'the end of the file',
    found: `${left} more bytes`,
  })
