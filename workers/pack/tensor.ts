import type { ByteReader } from './bytes.ts'
import { ByteWriter, varintSize } from './bytes.ts'
import { damaged } from './failure.ts'
import { gapSymbols, MAX_INDEX_BITS, nonZeros, planGaps, positionsOf, type GapPlan } from './gaps.ts'
import { codebookOf, isPatternWidth, patternsOf, type Codebook, type Patterns } from './patterns.ts'
import { histogram, planSymbols, readSymbols, writeSymbols, type SymbolPlan } from './symbols.ts'

/** How the elements of a tensor were written, and what each part takes; bytes. */
export interface TensorReport {
  readonly elements: number
  readonly nonZeros: number
  readonly rawBytes: number
  readonly packedBytes: number
  /** `dense` or the number of index bits. */
  readonly positions: 'dense' | number
  readonly fillers: number
  readonly indexBytes: number
  /** Distinct values that have a place in the codebook; 0 where there is none. */
  readonly codebook: number
  readonly codebookBytes: number
  readonly valueBytes: number
}

export interface EncodedTensor {
  readonly payload: Uint8Array
  readonly report: TensorReport
}

export interface EncodeTensorOptions {
  /** Index bits of sparse tensors; the best of 1 … 11 unless told. */
  readonly indexBits?: number | undefined
}

/** Bits of the `form` byte. */
const SPARSE = 1
const SHARED = 2

/** The parts of the elements' values: a codebook with positions in it, or planes of bytes. */
interface Values {
  readonly size: number
  readonly codebook: number
  readonly codebookBytes: number
  write(out: ByteWriter): void
}

/**
 * Writes elements of `width` bytes (1, 2, 4 or 8): the positions of those that are not all zero bits, as gaps, where
 * that is smaller than to write all; their values by a codebook, where there are few, else byte by byte. Each part has
 * a Huffman code of its own. Bit-exact for any content.
 */
export function encodeTensor(bytes: Uint8Array, width: number, options: EncodeTensorOptions = {}): EncodedTensor {
  const elements = bytes.length / width
  const plans = [planDense(bytes, width), planSparse(bytes, width, options)]
  const best = plans.flatMap((p) => p ?? []).reduce((a, b) => (b.size < a.size ? b : a))
  const out = new ByteWriter(best.size + 32)
  out.u8(width).varint(elements)
  out.u8((best.gaps ? SPARSE : 0) | (best.values.codebook > 0 ? SHARED : 0))
  if (best.gaps) {
    out.varint(best.positions.length).u8(best.gaps.indexBits).varint(best.gaps.count)
    writeSymbols(out, gapSymbols(best.positions, best.gaps), best.gaps)
  }
  const indexBytes = out.size
  best.values.write(out)
  const payload = out.finish()
  return {
    payload,
    report: {
      elements,
      nonZeros: best.nonZeros,
      rawBytes: bytes.length,
      packedBytes: payload.length,
      positions: best.gaps?.indexBits ?? 'dense',
      fillers: best.gaps?.fillers ?? 0,
      indexBytes: best.gaps ? indexBytes : 0,
      codebook: best.values.codebook,
      codebookBytes: best.values.codebookBytes,
      valueBytes: payload.length - indexBytes - best.values.codebookBytes,
    },
  }
}

interface Plan {
  readonly size: number
  readonly nonZeros: number
  readonly gaps: GapPlan | undefined
  readonly positions: Uint32Array
  readonly values: Values
}

function planDense(bytes: Uint8Array, width: number): Plan {
  const values = planValues(bytes, width)
  return { size: values.size, nonZeros: bytes.length / width, gaps: undefined, positions: new Uint32Array(0), values }
}

/** Above this share of non-zeros their positions cost more than the zeros do. */
const DENSE = 0.8

function planSparse(bytes: Uint8Array, width: number, { indexBits }: EncodeTensorOptions): Plan | undefined {
  if (!isPatternWidth(width)) return undefined
  const patterns = patternsOf(bytes, width)
  const positions = nonZeros(patterns)
  if (positions.length > DENSE * patterns.length) return undefined
  const candidates = indexBits === undefined ? Array.from({ length: MAX_INDEX_BITS }, (_, i) => i + 1) : [indexBits]
  const gaps = candidates.map((bits) => planGaps(positions, bits)).reduce((a, b) => (b.size < a.size ? b : a))
  const kept = patterns.slice(0, positions.length)
  for (let i = 0; i < positions.length; i++) kept[i] = patterns[positions[i] as number] as number
  const values = planValues(new Uint8Array(kept.buffer), width)
  const size = varintSize(positions.length) + 1 + varintSize(gaps.count) + gaps.size + values.size
  return { size, nonZeros: positions.length, gaps, positions, values }
}

function planValues(bytes: Uint8Array, width: number): Values {
  const planes = planPlanes(bytes, width)
  const codebook = isPatternWidth(width) ? codebookOf(patternsOf(bytes, width)) : undefined
  if (!codebook || codebook.values.length === 0) return planes
  const shared = planShared(codebook, width)
  return shared.size < planes.size ? shared : planes
}

function planShared({ values, symbols }: Codebook, width: number): Values {
  const plan = planSymbols(histogram(symbols, values.length))
  const codebookBytes = varintSize(values.length) + width * values.length
  return {
    size: codebookBytes + plan.size,
    codebook: values.length,
    codebookBytes,
    write(out) {
      out.varint(values.length)
      for (const value of values) for (let b = 0; b < width; b++) out.u8((value >>> (8 * b)) & 255)
      writeSymbols(out, symbols, plan)
    },
  }
}

const STORED = 0
const CODED = 1

/** Byte 0 of all elements, then byte 1, …: the exponents of floats repeat, the low bits do not and stay as they are. */
function planPlanes(bytes: Uint8Array, width: number): Values {
  const planes = Array.from({ length: width }, (_, b) => {
    const plane = planeOf(bytes, width, b)
    const plan = planSymbols(histogram(plane, 256))
    return { plane, plan: plan.size < plane.length ? plan : undefined }
  })
  return {
    size: planes.reduce((sum, { plane, plan }) => sum + 1 + (plan?.size ?? plane.length), 0),
    codebook: 0,
    codebookBytes: 0,
    write(out) {
      for (const { plane, plan } of planes) writePlane(out, plane, plan)
    },
  }
}

function writePlane(out: ByteWriter, plane: Uint8Array, plan: SymbolPlan | undefined): void {
  out.u8(plan ? CODED : STORED)
  if (plan) writeSymbols(out, plane, plan)
  else out.bytes(plane)
}

function planeOf(bytes: Uint8Array, width: number, b: number): Uint8Array {
  if (width === 1) return bytes
  const plane = new Uint8Array(bytes.length / width)
  for (let i = 0, at = b; i < plane.length; i++, at += width) plane[i] = bytes[at] as number
  return plane
}

/** The elements of a payload, at most `most` bytes of them. Throws `cmpz.…` with the offset of what is wrong. */
export function decodeTensor(reader: ByteReader, most: number): Uint8Array {
  const start = reader.offset
  const width = reader.u8()
  if (![1, 2, 4, 8].includes(width)) {
    throw damaged('cmpz.width', 'the width of an element is none of the four', {
      offset: start,
      expected: '1, 2, 4 or 8 bytes',
      found: `${width}`,
    })
  }
  const elements = reader.varint('the number of elements', Math.floor(most / width))
  const form = oneOf(reader, 'the form of a tensor', 3)
  const gaps = form & SPARSE ? readGaps(reader, elements) : undefined
  const count = gaps?.length ?? elements
  const values = form & SHARED ? readShared(reader, count, width) : readPlanes(reader, count, width)
  return gaps ? scatter(values, gaps, elements, width) : values
}

function oneOf(reader: ByteReader, what: string, most: number): number {
  const { offset } = reader
  const value = reader.u8()
  if (value <= most) return value
  throw damaged('cmpz.form', `${what} is unknown`, { offset, expected: `0 … ${most}`, found: `${value}` })
}

function readGaps(reader: ByteReader, elements: number): Uint32Array {
  const { offset } = reader
  const count = reader.varint('the number of non-zeros', elements)
  const indexBits = reader.u8()
  if (indexBits < 1 || indexBits > MAX_INDEX_BITS) {
    throw damaged('cmpz.index-bits', 'the number of index bits is out of range', {
      offset,
      expected: `1 … ${MAX_INDEX_BITS}`,
      found: `${indexBits}`,
    })
  }
  const symbols = reader.varint('the number of gaps', count + Math.floor(elements / 2 ** indexBits))
  const gaps = readSymbols(reader, 2 ** indexBits + 1, symbolRoom(reader, symbols))
  const positions = positionsOf(gaps, indexBits, count, elements)
  if (positions) return positions
  throw damaged('cmpz.positions', 'the gaps do not give the positions that were announced', {
    offset,
    expected: `${count} positions below ${elements}`,
    found: 'others',
  })
}

/** Every symbol takes a bit at least: what would not fit in the rest of the block is not allocated. */
function symbolRoom(reader: ByteReader, count: number): Uint16Array {
  if (count <= 8 * reader.left) return new Uint16Array(count)
  throw damaged('cmpz.bits', 'there are fewer bits than symbols', {
    offset: reader.offset,
    expected: `at least ${Math.ceil(count / 8)} bytes`,
    found: `${reader.left}`,
  })
}

function readShared(reader: ByteReader, count: number, width: number): Uint8Array {
  const size = reader.varint('the size of the codebook', 2 ** 15)
  const codebook = reader.take(size * width)
  const symbols = readSymbols(reader, size, symbolRoom(reader, count))
  const out = new Uint8Array(count * width)
  if (isPatternWidth(width)) {
    const values = patternsOf(codebook, width)
    const elements = patternsOf(out, width)
    for (let i = 0; i < symbols.length; i++) elements[i] = values[symbols[i] as number] as number
    return out
  }
  symbols.forEach((symbol, i) => out.set(codebook.subarray(symbol * width, (symbol + 1) * width), i * width))
  return out
}

function readPlanes(reader: ByteReader, count: number, width: number): Uint8Array {
  const planes = Array.from({ length: width }, () => {
    if (oneOf(reader, 'the form of a plane', 1) === STORED) return reader.take(count)
    return readSymbols(reader, 256, byteRoom(reader, count))
  })
  const out = new Uint8Array(count * width)
  planes.forEach((plane, b) => {
    for (let i = 0, at = b; i < count; i++, at += width) out[at] = plane[i] as number
  })
  return out
}

const byteRoom = (reader: ByteReader, count: number): Uint8Array => {
  symbolRoom(reader, count)
  return new Uint8Array(count)
}

function scatter(values: Uint8Array, positions: Uint32Array, elements: number, width: number): Uint8Array {
  const out = new Uint8Array(elements * width)
  if (isPatternWidth(width)) {
    const [from, to]: readonly Patterns[] = [patternsOf(values, width), patternsOf(out, width)]
    if (from && to) for (let i = 0; i < positions.length; i++) to[positions[i] as number] = from[i] as number
    return out
  }
  positions.forEach((position, i) => out.set(values.subarray(i * width, (i + 1) * width), position * width))
  return out
}
