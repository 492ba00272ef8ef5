import type { Attribute, AttributeKind } from './attributes.ts'
import { byteLength, isDType, type DType } from './dtype.ts'
import type { Graph } from './graph.ts'
import type { Reader, Token } from './lexer.ts'
import { elementBytes, numberOf } from './literals.ts'
import { sizeOf, type Tensor } from './tensor.ts'
import type { Dim, ValueType } from './types.ts'
import { AlambicError } from '../protocol/errors.ts'

/** What the parser of values needs from outside of it. */
export interface ValueContext {
  readonly reader: Reader
  /** Constants that the text gives by hash only. */
  readonly weights: ReadonlyMap<string, Tensor>
  /** Reads a whole graph, for attributes that hold one. */
  readonly graph: () => Graph
}

/** Types that are written like a call: `seq(f32)`, `map(i64, f32)`. */
const typeReaders: Readonly<Record<string, (reader: Reader) => ValueType>> = {
  seq: (reader) => ({ kind: 'sequence', of: parseType(reader) }),
  optional: (reader) => ({ kind: 'optional', of: parseType(reader) }),
  sparse: (reader) => ({ kind: 'sparse', ...tensorParts(reader) }),
  map: (reader) => {
    const key = parseDType(reader)
    reader.expect(',', 'between the key and the value of a map')
    return { kind: 'map', key, of: parseType(reader) }
  },
}

/** Reads `f32[N,4]`, `f32` (rank unknown), `tensor[2]` (dtype unknown), `seq(f32)`, `?` and so on. */
export function parseType(reader: Reader): ValueType {
  if (reader.accept('?')) return { kind: 'unknown' }
  const { kind, text } = reader.peek()
  const compound = kind === 'name' && Object.hasOwn(typeReaders, text) ? typeReaders[text] : undefined
  if (!compound) return { kind: 'tensor', ...tensorParts(reader) }
  reader.next()
  reader.expect('(')
  const type = compound(reader)
  reader.expect(')')
  return type
}

function tensorParts(reader: Reader): { dtype?: DType; shape?: readonly Dim[] } {
  const dtype = reader.accept('tensor') ? {} : { dtype: parseDType(reader) }
  return reader.sees('[') ? { ...dtype, shape: reader.list('[', ']', () => parseDim(reader)) } : dtype
}

function parseDType(reader: Reader): DType {
  const { kind, text } = reader.peek()
  if (kind !== 'name' || !isDType(text)) reader.fail('a type (f32, i64, bool …)')
  reader.next()
  return text
}

function parseDim(reader: Reader): Dim {
  if (reader.accept('?')) return '?'
  const { kind, text } = reader.peek()
  if (kind !== 'number') return reader.name('a size: a number, a name or "?"')
  reader.next()
  return Number(text)
}

/** Reads `f32[2,3]`, the type of a constant: all sizes are numbers. */
export function parseTensorType(reader: Reader): { dtype: DType; dims: number[] } {
  const dtype = parseDType(reader)
  const dims = reader.list('[', ']', () => Number(reader.take('number', 'the size of a constant').text))
  return { dtype, dims }
}

const isElement = ({ kind, text }: Token, dtype: DType) =>
  dtype === 'string' ? kind === 'string' : kind === 'number' || (kind === 'name' && /^(inf|nan|true|false)$/.test(text))

/** Reads the elements of a tensor: a list, one word that fills it, `base64 "…"` or `sha256:…`. */
export function parseData(context: ValueContext, dtype: DType, dims: readonly number[]): Tensor {
  const { reader } = context
  const start = reader.peek()
  if (start.kind === 'hash') return weightByHash(context, dtype, dims)
  if (reader.accept('base64')) {
    const bytes = Uint8Array.from(Buffer.from(reader.take('string', 'a base64 string').text, 'base64'))
    return { dtype, dims, bytes }
  }
  const element = () => {
    const token = reader.peek()
    return isElement(token, dtype) ? reader.next().text : reader.fail(`an element of type ${dtype}`)
  }
  const count = sizeOf(dims)
  const words = reader.sees('[') ? reader.list('[', ']', element) : repeat(element(), count, reader, start)
  if (words.length !== count)
    reader.fail(`${count} elements for ${dtype}[${dims.join(',')}], not ${words.length}`, start)
  if (dtype === 'string') return { dtype, dims, bytes: new Uint8Array(0), strings: words }
  const bytes = elementBytes(dtype, words)
  return bytes ? { dtype, dims, bytes } : reader.fail(`elements that fit ${dtype}`, start)
}

/** A text of a few bytes must not ask for all the memory there is. */
const mostRepeated = 2 ** 28

function repeat(word: string, count: number, reader: Reader, start: Token): string[] {
  if (!(count <= mostRepeated)) reader.fail(`at most ${mostRepeated} equal elements, not ${count}`, start)
  return new Array<string>(count).fill(word)
}

function weightByHash({ reader, weights }: ValueContext, dtype: DType, dims: readonly number[]): Tensor {
  const token = reader.next()
  const found = weights.get(token.text) ?? [...weights].find(([hash]) => hash.startsWith(token.text))?.[1]
  const what = `the ${dtype}[${dims.join(',')}] constant sha256:${token.text}`
  if (!found) {
    throw new AlambicError('graph.unknown-weight', `the weights that came with the text lack ${what}`, {
      subject: token.text,
      fix: 'Give parse the weights of the graph, or print it with all of them.',
    })
  }
  const fits =
    dtype === 'string'
      ? found.strings?.length === sizeOf(dims)
      : found.bytes.byteLength === byteLength(dtype, sizeOf(dims))
  if (!fits) reader.fail(`as many bytes as ${what} takes, not ${found.bytes.byteLength}`, token)
  // A hash is of the bytes alone: the text says what they are.
  return found.dtype === dtype && String(found.dims) === String(dims) ? found : { ...found, dtype, dims }
}

const listKinds = {
  float: 'floats',
  int: 'ints',
  string: 'strings',
  tensor: 'tensors',
  graph: 'graphs',
  type: 'types',
} as const
type SingleKind = keyof typeof listKinds
const isListKind = (kind: string): boolean => (Object.values(listKinds) as string[]).includes(kind)

/** Words that say the kind where the value alone would not. */
const kindWords = new Set<string>(['int', 'float', ...Object.values(listKinds)])

/**
 * Reads the value of an attribute. `kind` is what the operator's schema calls for, which makes `alpha = 1` a float;
 * without it a number without point or exponent is an int.
 */
export function parseAttribute(context: ValueContext, kind: AttributeKind | undefined): Attribute {
  const { reader } = context
  const token = reader.peek()
  if (token.kind === 'number' || token.kind === 'string') return parseWord(reader, kind)
  if (reader.sees('[')) return parseList(context, kind)
  if (reader.accept('@')) {
    const value = reader.name('the name of an attribute')
    reader.expect(':', 'and the kind of the attribute')
    return { kind: 'reference', value, of: reader.name('the kind of the attribute') }
  }
  if (token.kind !== 'name') return reader.fail('the value of an attribute')
  if (kindWords.has(token.text)) {
    reader.next()
    return parseAttribute(context, token.text as AttributeKind)
  }
  return parseNamed(context, token, kind)
}

function parseNamed(context: ValueContext, token: Token, kind: AttributeKind | undefined): Attribute {
  const { reader } = context
  if (token.text === 'inf' || token.text === 'nan') return parseWord(reader, kind)
  if (token.text === 'graph') return { kind: 'graph', value: context.graph() }
  if (reader.accept('type')) {
    reader.expect('(')
    const value = parseType(reader)
    reader.expect(')')
    return { kind: 'type', value }
  }
  if (reader.accept('sparse')) {
    const text = reader.take('string', 'a base64 string').text
    return { kind: 'sparse', value: Uint8Array.from(Buffer.from(text, 'base64')) }
  }
  if (!isDType(token.text)) return reader.fail('the value of an attribute')
  const { dtype, dims } = parseTensorType(reader)
  return { kind: 'tensor', value: parseData(context, dtype, dims) }
}

function parseWord(reader: Reader, kind: AttributeKind | undefined): Attribute {
  const { kind: tokenKind, text } = reader.next()
  if (tokenKind === 'string') return { kind: 'string', value: text }
  if (!/^-?\d+$/.test(text) || kind === 'float') return { kind: 'float', value: Math.fround(numberOf(text)) }
  const value = Number(text)
  return { kind: 'int', value: Number.isSafeInteger(value) ? value : BigInt(text) }
}

function parseList(context: ValueContext, kind: AttributeKind | undefined): Attribute {
  const { reader } = context
  const start = reader.peek()
  const single = (Object.keys(listKinds) as SingleKind[]).find((k) => listKinds[k] === kind)
  const items = reader.list('[', ']', () => parseAttribute(context, single))
  const kinds = new Set(items.map((item) => item.kind))
  if (items.length === 0) return { kind: kind && isListKind(kind) ? kind : 'ints', value: [] } as Attribute
  // Whole numbers among others are floats: [1, 2.5].
  const isFloats = kinds.size === 2 && kinds.has('int') && kinds.has('float')
  const only = isFloats ? 'float' : [...kinds][0]
  if ((kinds.size > 1 && !isFloats) || only === undefined || !(only in listKinds)) {
    return reader.fail('values of one kind in a list', start)
  }
  const values = items.map(({ value }) => (isFloats ? Math.fround(Number(value)) : value))
  return { kind: listKinds[only as SingleKind], value: values } as Attribute
}
