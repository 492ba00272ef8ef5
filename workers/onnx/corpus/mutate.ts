import type { Random } from '../../graph/random.ts'
import { AlambicError } from '../../protocol/errors.ts'
import { Reader, wires } from '../wire/reader.ts'
import { blob, cat } from './proto.ts'

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array

const upTo = (n: number, random: Random): number => Math.floor(random() * n)
const spliced = (bytes: Uint8Array, at: number, removed: number, ...put: number[]): Uint8Array =>
  Uint8Array.from([...bytes.subarray(0, at), ...put, ...bytes.subarray(at + removed)])

function withByte(bytes: Uint8Array, random: Random, change: (byte: number) => number): Uint8Array {
  const copy = bytes.slice()
  const at = upTo(bytes.length, random)
  copy[at] = change(copy[at] ?? 0)
  return copy
}

/** Bytes at which parsers of protobuf tend to break: ends of varints, all ones, tags of the other wire types. */
const nasty = [0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, 0x0a, 0x0b, 0x0c, 0x09, 0x0d]

const mutations: readonly Mutation[] = [
  (bytes, random) => withByte(bytes, random, (byte) => byte ^ (1 << upTo(8, random))),
  (bytes, random) => withByte(bytes, random, () => nasty[upTo(nasty.length, random)] as number),
  (bytes, random) => withByte(bytes, random, () => upTo(256, random)),
  (bytes, random) => spliced(bytes, upTo(bytes.length, random), 1 + upTo(8, random)),
  (bytes, random) => spliced(bytes, upTo(bytes.length, random), 0, upTo(256, random), upTo(256, random)),
  /** A length or a number becomes enormous. */
  (bytes, random) => spliced(bytes, upTo(bytes.length, random), 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
  (bytes, random) => bytes.slice(0, upTo(bytes.length, random)),
  /** A stretch appears twice. */
  (bytes, random) => {
    const at = upTo(bytes.length, random)
    return spliced(bytes, at, 0, ...bytes.subarray(at, at + 1 + upTo(40, random)))
  },
]

function flat(bytes: Uint8Array, random: Random): Uint8Array {
  let result = bytes
  for (let changes = 1 + upTo(3, random); changes > 0 && result.length > 0; changes--) {
    result = (mutations[upTo(mutations.length, random)] as Mutation)(result, random)
  }
  return result
}

interface Part {
  readonly field: number
  readonly start: number
  readonly end: number
  readonly payload: Uint8Array
}

/** The length-delimited fields of what may be a message; none where it is not. */
function partsOf(bytes: Uint8Array): readonly Part[] {
  const reader = new Reader(bytes)
  const parts: Part[] = []
  try {
    while (reader.next()) {
      const { field, fieldStart: start } = reader
      if (reader.wire === wires.bytes) parts.push({ field, payload: reader.take(), start, end: reader.pos })
      else reader.skip()
    }
  } catch (error) {
    if (!(error instanceof AlambicError)) throw error
    return []
  }
  return parts
}

/** Changes something inside a message and corrects the lengths around it, so that the change is found far inside. */
function inside(bytes: Uint8Array, random: Random): Uint8Array {
  const parts = partsOf(bytes)
  const part = parts[upTo(parts.length, random)]
  if (!part || random() < 0.2) return flat(bytes, random)
  return cat(bytes.subarray(0, part.start), blob(part.field, inside(part.payload, random)), bytes.subarray(part.end))
}

/** A file with a few random changes; the same for the same random numbers. */
export const mutated = (bytes: Uint8Array, random: Random): Uint8Array =>
  random() < 0.3 ? flat(bytes, random) : inside(bytes, random)
