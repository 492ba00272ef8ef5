import type { ByteReader, ByteWriter } from './bytes.ts'
import { varintSize } from './bytes.ts'
import { damaged } from './failure.ts'
import { codedBits, codeLengths, decodeSymbols, decodeTable, encodeSymbols } from './huffman.ts'

/** A sequence of symbols below `alphabet`, ready to be written: canonical Huffman, lengths of the code words first. */
export interface SymbolPlan {
  readonly lengths: Uint8Array
  readonly bits: number
  /** Bytes of the whole stream: table, size and symbols. */
  readonly size: number
}

/** How often each symbol occurs. */
export function histogram(symbols: ArrayLike<number>, alphabet: number): Uint32Array {
  const counts = new Uint32Array(alphabet)
  for (let i = 0; i < symbols.length; i++) {
    const symbol = symbols[i] as number
    counts[symbol] = (counts[symbol] as number) + 1
  }
  return counts
}

export function planSymbols(frequencies: Uint32Array): SymbolPlan {
  const lengths = codeLengths(frequencies)
  const bits = codedBits(frequencies, lengths)
  const bytes = Math.ceil(bits / 8)
  return { lengths, bits, size: tableSize(lengths.length) + varintSize(bytes) + bytes }
}

/** Four bits for each symbol of the alphabet. */
const tableSize = (alphabet: number): number => (alphabet + 1) >> 1

/** Lengths as nibbles, the first symbol's in the high one; the number of bytes; the code words. */
export function writeSymbols(out: ByteWriter, symbols: ArrayLike<number>, { lengths, bits }: SymbolPlan): void {
  for (let s = 0; s < lengths.length; s += 2) out.u8(((lengths[s] as number) << 4) | (lengths[s + 1] ?? 0))
  const coded = encodeSymbols(symbols, lengths, bits)
  out.varint(coded.length).bytes(coded)
}

export function readSymbols<Out extends Uint8Array | Uint16Array>(
  reader: ByteReader,
  alphabet: number,
  into: Out,
): Out {
  const { offset } = reader
  const nibbles = reader.take(tableSize(alphabet))
  const lengths = Uint8Array.from({ length: alphabet }, (_, s) => {
    const byte = nibbles[s >> 1] as number
    return s % 2 === 0 ? byte >> 4 : byte & 15
  })
  const size = reader.varint('the size of a stream of symbols', reader.left)
  const start = reader.offset
  const bytes = reader.take(size)
  if (into.length > 8 * size) {
    throw damaged('cmpz.bits', 'there are fewer bits than symbols', {
      offset: start,
      expected: `at least ${Math.ceil(into.length / 8)} bytes`,
      found: `${size}`,
    })
  }
  if (into.length === 0 && size === 0) return into
  return decodeSymbols(bytes, decodeTable(lengths, offset), into, start)
}
