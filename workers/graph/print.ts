import type { Attribute } from './attributes.ts'
import { Graph, type Node, type Value } from './graph.ts'
import { elementWords, float32Text, isPlainName, nameText, quote, uniformElement } from './literals.ts'
import { attributeKindOf } from './schema.ts'
import { sizeOf, type Tensor } from './tensor.ts'
import { tensorHash } from './tensor-hash.ts'
import type { Dim, ValueType } from './types.ts'

export interface PrintOptions {
  /**
   * Which constants are written out. `small` (the default): those of up to 16 elements and those whose elements are
   * all equal; `all`: every one; `hash`: none. The others are given by their SHA-256.
   */
  readonly weights?: 'small' | 'all' | 'hash'
  /** Also the known types of intermediate values: `h: f32[N,2] = MatMul(x, w)`. */
  readonly types?: boolean
  /** Also documentation, and the metadata of graphs and nodes. */
  readonly doc?: boolean
}

/** More elements than these are given by hash. */
const inlineElements = 16
/** Hexadecimal digits of a hash in a text for people; 64 bits tell any two weights of a model apart. */
const shownDigits = 16
const lineWidth = 120

/**
 * The deterministic, diffable text of a graph, which `parse` reads back. Attributes are sorted by name; a node's name
 * stands only where it differs from its first output; types listed for inputs and constants are not repeated. What a
 * file holds beside the computation (denotations, unknown fields) has no text.
 */
export function print(graph: Graph, options: PrintOptions = {}): string {
  return graphLines(graph, options, undefined).join('\n')
}

/** A node as one statement of the text; several lines when it has subgraphs. */
export const printNode = (node: Node, options: PrintOptions = {}): string =>
  nodeLines(node, new Graph({}), options).join('\n')

/** A type as the text writes it: `f32[N,4]`, `i64[]`, `seq(f32)`, `?`. */
export function typeText(type: ValueType): string {
  switch (type.kind) {
    case 'unknown':
      return '?'
    case 'sequence':
      return `seq(${typeText(type.of)})`
    case 'optional':
      return `optional(${typeText(type.of)})`
    case 'map':
      return `map(${type.key}, ${typeText(type.of)})`
    case 'sparse':
      return `sparse(${typeText({ ...type, kind: 'tensor' })})`
    case 'tensor':
      return (type.dtype ?? 'tensor') + (type.shape ? `[${type.shape.map(dimText).join(',')}]` : '')
  }
}

const dimText = (dim: Dim): string => (typeof dim === 'number' ? String(dim) : dim === '?' ? '?' : nameText(dim))

function graphLines(graph: Graph, options: PrintOptions, parent: Graph | undefined): string[] {
  const body = [...constantLines(graph, options), ...graph.nodes.flatMap((node) => nodeLines(node, graph, options))]
  return [...headerLines(graph, options, parent), ...body.map(indent), '}']
}

const indent = (line: string) => `  ${line}`

function headerLines(graph: Graph, options: PrintOptions, parent: Graph | undefined): string[] {
  const start = `graph ${nameText(graph.name)} ${docText(graph.doc, options)}${metadataText(graph.metadata, options)}`
  const inputs = graph.inputs.map((v) => valueText(v, options))
  const outputs = graph.outputs.map((v) => valueText(v, options))
  // A subgraph has its parent's opsets.
  const end = parent ? '{' : `${opsetText(graph)} {`
  const oneLine = `${start}(${inputs.join(', ')}) -> (${outputs.join(', ')}) ${end}`
  if (oneLine.length <= lineWidth) return [oneLine]
  return [`${start}(`, ...perLine(inputs), ') -> (', ...perLine(outputs), `) ${end}`]
}

const perLine = (values: readonly string[]) => values.map((v, i) => indent(i < values.length - 1 ? `${v},` : v))

function valueText({ name, type, doc }: Value, options: PrintOptions): string {
  const declared = type.kind === 'unknown' ? '' : `: ${typeText(type)}`
  return `${nameText(name)}${declared}${doc === undefined ? '' : ` ${docText(doc, options)}`}`.trimEnd()
}

const docText = (doc: string | undefined, options: PrintOptions): string =>
  options.doc && doc !== undefined ? `doc ${quote(doc)} ` : ''

function opsetText({ opsets }: Graph): string {
  const entries = [...opsets].sort(([a], [b]) => (a < b ? -1 : 1))
  const listed = entries.map(([domain, version]) => (domain === '' ? `${version}` : `${nameText(domain)} ${version}`))
  return `opset ${listed.join(', ')}`.trimEnd()
}

function constantLines(graph: Graph, options: PrintOptions): string[] {
  const entries = [...graph.initializers]
  if (options.weights === 'hash') entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.map(
    ([name, tensor]) => `const ${nameText(name)}: ${tensorTypeText(tensor)} = ${dataText(tensor, options)}`,
  )
}

const tensorTypeText = ({ dtype, dims }: Tensor) => `${dtype}[${dims.join(',')}]`
const tensorText = (tensor: Tensor, options: PrintOptions) => `${tensorTypeText(tensor)} ${dataText(tensor, options)}`

/** The elements of a tensor: one word for a scalar or equal elements, else a list, base64 or a hash. */
function dataText(tensor: Tensor, options: PrintOptions): string {
  if (options.weights === 'hash') return `sha256:${tensorHash(tensor)}`
  const uniform = uniformElement(tensor)
  const word = uniform && elementWords(uniform)?.[0]
  if (word !== undefined) return word
  const count = tensor.strings?.length ?? sizeOf(tensor.dims)
  const isSmall = count <= inlineElements && tensor.bytes.byteLength <= 16 * inlineElements
  if (options.weights !== 'all' && !isSmall) return `sha256:${tensorHash(tensor).slice(0, shownDigits)}`
  const words = elementWords(tensor)
  if (words === undefined) return `base64 "${Buffer.from(tensor.bytes).toString('base64')}"`
  return tensor.dims.length === 0 ? (words[0] ?? '[]') : `[${words.join(', ')}]`
}

function nodeLines(node: Node, graph: Graph, options: PrintOptions): string[] {
  const targets = node.outputs.map((output) => targetText(output, graph, options)).join(', ')
  const head = `${targets === '' ? '()' : targets} = ${opText(node)}(${node.inputs.map(argumentText).join(', ')})`
  const tail = nodeTail(node, options)
  const attributes = Object.entries(node.attributes).sort(([a], [b]) => (a < b ? -1 : 1))
  if (attributes.length === 0) return [head + tail]
  const texts = attributes.map(([name, attribute]) => attributeLines(node, name, attribute, graph, options))
  if (texts.every((lines) => lines.length === 1)) return [`${head} {${texts.flat().join(', ')}}${tail}`]
  const separated = texts.flatMap((lines, i) => (i < texts.length - 1 ? endWith(lines, ',') : lines))
  return [`${head} {`, ...separated.map(indent), `}${tail}`]
}

const argumentText = (value: string) => (value === '' ? '_' : nameText(value))

function targetText(output: string, graph: Graph, options: PrintOptions): string {
  const type = options.types && output !== '' ? graph.types.get(output) : undefined
  return type ? `${nameText(output)}: ${typeText(type)}` : argumentText(output)
}

/** `Relu`, `com.microsoft.FusedMatMul`, `"odd domain"."Op"`, `Op:overload`. */
function opText({ op, domain, overload }: Node): string {
  const isWord = /^[A-Za-z_]\w*$/.test(op)
  const suffix = overload ? `:${nameText(overload)}` : ''
  if (domain === '') return (isWord ? op : quote(op)) + suffix
  return (isWord && isPlainName(domain) ? `${domain}.${op}` : `${quote(domain)}.${quote(op)}`) + suffix
}

function nodeTail(node: Node, options: PrintOptions): string {
  const name = node.name === (node.outputs[0] ?? '') ? '' : ` ${quote(node.name)}`
  return `${name} ${docText(node.doc, options)}${metadataText(node.metadata, options)}`.trimEnd()
}

function metadataText(metadata: ReadonlyMap<string, string> | undefined, options: PrintOptions): string {
  if (!options.doc || !metadata) return ''
  return `meta {${[...metadata].map(([key, value]) => `${quote(key)} = ${quote(value)}`).join(', ')}} `
}

function attributeLines(node: Node, name: string, attribute: Attribute, graph: Graph, options: PrintOptions): string[] {
  const start = `${nameText(name)} = ${kindPrefix(node, name, attribute)}`
  if (attribute.kind === 'graph') return startWith(start, graphLines(attribute.value, options, graph))
  if (attribute.kind !== 'graphs' || attribute.value.length === 0) return [start + attributeText(attribute, options)]
  const graphs = attribute.value.map((inner) => graphLines(inner, options, graph))
  return [
    `${start}[`,
    ...graphs.flatMap((lines, i) => (i < graphs.length - 1 ? endWith(lines, ',') : lines)).map(indent),
    ']',
  ]
}

const startWith = (text: string, [first, ...rest]: readonly string[]) => [text + (first ?? ''), ...rest]
const endWith = (lines: readonly string[], text: string) => [...lines.slice(0, -1), (lines.at(-1) ?? '') + text]

/** Says the kind where the value alone would be read as another one. */
function kindPrefix(node: Node, name: string, { kind, value }: Attribute): string {
  if (Array.isArray(value) && value.length === 0) return `${kind} `
  const known = attributeKindOf(node.op, node.domain, name)
  const misread = (kind === 'int' && known === 'float') || (kind === 'ints' && known === 'floats')
  return misread ? `${kind} ` : ''
}

function attributeText(attribute: Exclude<Attribute, { kind: 'graph' }>, options: PrintOptions): string {
  switch (attribute.kind) {
    case 'float':
      return floatText(attribute.value)
    case 'int':
      return String(attribute.value)
    case 'string':
      return quote(attribute.value)
    case 'tensor':
      return tensorText(attribute.value, options)
    case 'type':
      return `type(${typeText(attribute.value)})`
    case 'floats':
      return list(attribute.value, floatText)
    case 'ints':
      return list(attribute.value, String)
    case 'strings':
      return list(attribute.value, quote)
    case 'tensors':
      return list(attribute.value, (tensor) => tensorText(tensor, options))
    case 'types':
      return list(attribute.value, (type) => `type(${typeText(type)})`)
    case 'graphs':
      return '[]'
    case 'sparse':
      return `sparse "${Buffer.from(attribute.value).toString('base64')}"`
    case 'reference':
      return `@${nameText(attribute.value)}: ${nameText(attribute.of)}`
  }
}

const list = <T>(items: readonly T[], text: (item: T) => string) => `[${items.map(text).join(', ')}]`

/** Always with a point or an exponent, which tells it from an int. */
function floatText(value: number): string {
  const text = float32Text(value)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}
