import { byteLength, dtypes, type DType } from './dtype.ts'
import {
  arrayOf,
  bfloatToNumber,
  halfToNumber,
  numbersOf,
  numberToBfloat,
  numberToHalf,
  packBits,
  sizeOf,
  type Tensor,
} from './tensor.ts'

/** How names, numbers and elements of tensors are written in the text of a graph; the printer and the parser share it. */

/** Words that mean something where a name may stand, so that a name spelled like them is quoted. */
const reserved = new Set(['_', 'const', 'doc', 'graph', 'meta', 'opset'])
const identifier = /^[A-Za-z_]\w*(?:\.\w+)*$/

/** Whether a name can stand in the text without quotes. */
export const isPlainName = (name: string): boolean => identifier.test(name) && !reserved.has(name)

/** Control and bidirectional characters that JSON leaves alone; a terminal would act on them. */
const invisible = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** A JSON string that is safe to show on a terminal. */
export const quote = (text: string): string =>
  JSON.stringify(text).replace(invisible, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** A name as it is, or quoted when it is not an identifier. */
export const nameText = (name: string): string => (isPlainName(name) ? name : quote(name))

/** The shortest decimal that `round` takes back to `value`, which `round` must leave as it is. */
function shortest(value: number, round: (v: number) => number, mostDigits: number): string {
  if (!Number.isFinite(value) || value === 0) return numberText(value)
  // More digits never come out farther from the value, so the least sufficient number of them is found by halving.
  let low = 1
  let high = mostDigits
  while (low < high) {
    const middle = (low + high) >> 1
    if (round(Number(value.toPrecision(middle))) === value) high = middle
    else low = middle + 1
  }
  return numberText(Number(value.toPrecision(low)))
}

const numberText = (value: number): string => {
  if (Number.isNaN(value)) return 'nan'
  if (Math.abs(value) === Infinity) return value > 0 ? 'inf' : '-inf'
  return Object.is(value, -0) ? '-0' : String(value)
}

/** A float32 number; nine digits always suffice. Doubles that are not float32 numbers keep all their digits. */
export const float32Text = (value: number): string =>
  Object.is(Math.fround(value), value) ? shortest(value, Math.fround, 9) : numberText(value)

/** The number that a word of the text stands for; NaN for words that stand for none, but for `nan` itself. */
export const numberOf = (word: string): number => {
  if (word === 'inf') return Infinity
  if (word === '-inf') return -Infinity
  return word === 'nan' || word === '' ? NaN : Number(word)
}

/** How the elements of a dtype are written. Dtypes without a row are written as base64. */
interface ElementFormat {
  readonly words: (tensor: Tensor) => readonly string[]
  /** Little-endian bytes, or undefined when a word is not a number of this dtype. */
  readonly bytes: (words: readonly string[]) => Uint8Array | undefined
}

const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength)

const isFloatWord = (word: string) => word === 'nan' || !Number.isNaN(numberOf(word))

const floats = (
  text: (value: number) => string,
  encode: (values: readonly number[]) => ArrayBufferView,
): ElementFormat => ({
  words: (tensor) => numbersOf(tensor).map(text),
  bytes: (words) => (words.every(isFloatWord) ? bytesOf(encode(words.map(numberOf))) : undefined),
})

const roundHalf = (value: number) => halfToNumber(numberToHalf(value))
const roundBfloat = (value: number) => bfloatToNumber(numberToBfloat(value))

const integers = (
  low: number,
  high: number,
  encode: (values: readonly number[]) => ArrayBufferView,
): ElementFormat => ({
  words: (tensor) => numbersOf(tensor).map(String),
  bytes: (words) => {
    const values = words.map(numberOf)
    const fits = values.every((v) => Number.isInteger(v) && v >= low && v <= high)
    return fits ? bytesOf(encode(values)) : undefined
  },
})

const isIntegerWord = (word: string) => /^-?\d+$/.test(word)

const bigints = (low: bigint, high: bigint, encode: (values: readonly bigint[]) => ArrayBufferView): ElementFormat => ({
  words: (tensor) => Array.from(arrayOf(tensor) as BigInt64Array, String),
  bytes: (words) => {
    if (!words.every(isIntegerWord)) return undefined
    const values = words.map(BigInt)
    return values.every((v) => v >= low && v <= high) ? bytesOf(encode(values)) : undefined
  },
})

const booleans: Readonly<Record<string, number>> = { true: 1, false: 0, 1: 1, 0: 0 }

const formats: Partial<Record<DType, ElementFormat>> = {
  f64: floats(numberText, (v) => Float64Array.from(v)),
  f32: floats(float32Text, (v) => Float32Array.from(v)),
  f16: floats(
    (v) => shortest(v, roundHalf, 5),
    (v) => Uint16Array.from(v, numberToHalf),
  ),
  bf16: floats(
    (v) => shortest(v, roundBfloat, 4),
    (v) => Uint16Array.from(v, numberToBfloat),
  ),
  i8: integers(-128, 127, (v) => Int8Array.from(v)),
  u8: integers(0, 255, (v) => Uint8Array.from(v)),
  i16: integers(-32768, 32767, (v) => Int16Array.from(v)),
  u16: integers(0, 65535, (v) => Uint16Array.from(v)),
  i32: integers(-(2 ** 31), 2 ** 31 - 1, (v) => Int32Array.from(v)),
  u32: integers(0, 2 ** 32 - 1, (v) => Uint32Array.from(v)),
  i64: bigints(-(2n ** 63n), 2n ** 63n - 1n, (v) => BigInt64Array.from(v)),
  u64: bigints(0n, 2n ** 64n - 1n, (v) => BigUint64Array.from(v)),
  i4: integers(-8, 7, (v) => packBits('i4', v)),
  u4: integers(0, 15, (v) => packBits('u4', v)),
  i2: integers(-2, 1, (v) => packBits('i2', v)),
  u2: integers(0, 3, (v) => packBits('u2', v)),
  bool: {
    words: (tensor) => Array.from(tensor.bytes, (byte) => (byte === 0 ? 'false' : 'true')),
    bytes: (words) => {
      const values = words.map((word) => booleans[word])
      return values.every((v) => v !== undefined) ? Uint8Array.from(values) : undefined
    },
  },
}

/** The bytes of elements given as words (`0.5`, `nan`, `true`), or undefined when one does not fit the dtype. */
export const elementBytes = (dtype: DType, words: readonly string[]): Uint8Array | undefined =>
  formats[dtype]?.bytes(words)

/**
 * The elements as words, or undefined when words would lose something: dtypes without a text form, NaNs with a
 * payload, booleans other than 0 and 1, set bits in the padding, too few or too many bytes.
 */
export function elementWords(tensor: Tensor): readonly string[] | undefined {
  if (tensor.dtype === 'string') return stringWords(tensor)
  const format = formats[tensor.dtype]
  if (!format || !hasDeclaredSize(tensor)) return undefined
  const words = format.words(tensor)
  const back = format.bytes(words)
  return back !== undefined && sameBytes(back, tensor.bytes) ? words : undefined
}

function stringWords({ strings, dims, bytes }: Tensor): readonly string[] | undefined {
  return strings?.length === sizeOf(dims) && bytes.byteLength === 0 ? strings.map(quote) : undefined
}

/** Whether a tensor has as many bytes (or strings) as its dims and dtype call for. */
export const hasDeclaredSize = ({ dtype, dims, bytes, strings }: Tensor): boolean =>
  dtype === 'string' ? strings?.length === sizeOf(dims) : bytes.byteLength === byteLength(dtype, sizeOf(dims))

/** The one element that fills a tensor of two or more, as a tensor of one; undefined when elements differ. */
export function uniformElement(tensor: Tensor): Tensor | undefined {
  const { dtype, dims, bytes } = tensor
  const width = dtypes[dtype].bits / 8
  if (width < 1 || sizeOf(dims) < 2 || !hasDeclaredSize(tensor)) return undefined
  for (let i = width; i < bytes.length; i++) if (bytes[i] !== bytes[i - width]) return undefined
  return { dtype, dims: [], bytes: bytes.subarray(0, width) }
}

const sameBytes = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0
