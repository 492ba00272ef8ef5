import type { Attribute, Attributes } from './attributes.ts'
import { Graph, type Node, type Value } from './graph.ts'
import { Reader } from './lexer.ts'
import { parseAttribute, parseData, parseTensorType, parseType, type ValueContext } from './parse-values.ts'
import { attributeKindOf, isDefaultDomain } from './schema.ts'
import type { Tensor } from './tensor.ts'
import type { ValueType } from './types.ts'

export interface ParseOptions {
  /** Constants that the text gives by hash, by their SHA-256 in hex (`weightsOf` collects them). */
  readonly weights?: ReadonlyMap<string, Tensor>
}

/** Opset of the default domain when the text names none. */
const defaultOpset = 17

/**
 * Reads the text that `print` writes, and looser text for tests:
 *
 *     graph (x: f32[N,4], w: f32[4,2]) -> (y) { h = MatMul(x, w)  y = Relu(h) }
 *
 * The name (`main`), types and opsets (17; other domains 1) may be left out; statements are separated by white space
 * or `;`; `#` begins a comment; an absent input is `_` or nothing; one word fills a constant (`const b: f32[8] = 0`).
 * The graph is not verified. Throws `graph.syntax` with line and column, and `graph.unknown-weight`.
 */
export function parse(text: string, options: ParseOptions = {}): Graph {
  const reader = new Reader(text)
  const graph = parseGraph({ reader, weights: options.weights ?? new Map() }, undefined)
  if (reader.peek().kind !== 'end') reader.fail('the end of the text after the graph')
  return graph
}

interface Source {
  readonly reader: Reader
  readonly weights: ReadonlyMap<string, Tensor>
}

/** The operator sets of a graph; `isOpen` ones were not declared and take in the domains that nodes use. */
interface Opsets {
  readonly versions: Map<string, number>
  readonly isOpen: boolean
}

/** What a graph's statements fill. */
interface Body extends ValueContext {
  readonly opsets: Opsets
  readonly nodes: Node[]
  readonly initializers: Map<string, Tensor>
  readonly types: Map<string, ValueType>
}

function parseGraph(source: Source, outer: Opsets | undefined): Graph {
  const { reader } = source
  reader.expect('graph')
  const isNamed = !['(', 'doc', 'meta'].some((word) => reader.sees(word))
  const name = isNamed ? reader.name('a name for the graph or "("') : 'main'
  const extras = { ...parseDoc(reader), ...parseMetadata(reader) }
  const inputs = reader.list('(', ')', () => parseValue(reader))
  reader.expect('->', 'and the outputs of the graph')
  const outputs = reader.list('(', ')', () => parseValue(reader))
  const opsets = parseOpsets(reader, outer)
  const body: Body = {
    ...source,
    opsets,
    nodes: [],
    initializers: new Map(),
    types: new Map(),
    graph: () => parseGraph(source, opsets),
  }
  reader.expect('{', 'and the nodes of the graph')
  while (!reader.accept('}')) if (!reader.accept(';')) parseStatement(body)
  const { nodes, initializers, types } = body
  return new Graph({ name, inputs, outputs, nodes, initializers, types, opsets: opsets.versions, ...extras })
}

/** A keyword is a bare word (`sees` ignores quoted ones): a value called `doc` is written `"doc"`. */
function parseDoc(reader: Reader): { doc?: string } {
  if (!reader.sees('doc')) return {}
  reader.next()
  return { doc: reader.take('string', 'documentation in quotes').text }
}

function parseValue(reader: Reader): Value {
  const name = reader.name('the name of a value')
  const type: ValueType = reader.accept(':') ? parseType(reader) : { kind: 'unknown' }
  return { name, type, ...parseDoc(reader) }
}

function parseOpsets(reader: Reader, outer: Opsets | undefined): Opsets {
  if (outer) return outer
  if (!reader.accept('opset')) return { versions: new Map([['', defaultOpset]]), isOpen: true }
  const versions = new Map<string, number>()
  while (!reader.sees('{')) {
    const domain =
      reader.peek().kind === 'number' ? '' : reader.name('an operator set: a version, or a domain and a version')
    versions.set(domain, Number(reader.take('number', 'the version of an operator set').text))
    if (!reader.sees('{')) reader.expect(',', 'or "{"')
  }
  return { versions, isOpen: false }
}

function parseStatement(body: Body): void {
  const { reader } = body
  if (reader.sees('const')) return parseConstant(body)
  const outputs = parseTargets(body)
  reader.expect('=')
  const { op, domain, overload } = parseOperator(reader)
  const { versions, isOpen } = body.opsets
  if (isOpen && !isDefaultDomain(domain) && !versions.has(domain)) versions.set(domain, 1)
  const inputs = parseArguments(reader)
  const attributes = reader.sees('{') ? parseAttributes(body, op, domain) : {}
  const name = seesNodeName(reader) ? reader.next().text : (outputs[0] ?? '')
  const node = { name, op, domain, inputs, outputs, attributes, ...overload }
  body.nodes.push({ ...node, ...parseDoc(reader), ...parseMetadata(reader) })
}

function parseConstant(body: Body): void {
  const { reader } = body
  reader.expect('const')
  const token = reader.peek()
  const name = reader.name('the name of a constant')
  if (body.initializers.has(name)) reader.fail('every constant once', token)
  reader.expect(':', 'and the type of the constant')
  const { dtype, dims } = parseTensorType(reader)
  reader.expect('=')
  body.initializers.set(name, parseData(body, dtype, dims))
}

/** `y`, `y: f32[N], _, mask`, or `()` for a node without outputs. */
function parseTargets({ reader, types }: Body): string[] {
  if (reader.accept('(')) {
    reader.expect(')')
    return []
  }
  const outputs: string[] = []
  do {
    const isAbsent = reader.sees('_')
    const name = reader.name('a statement: "const", or outputs, "=" and an operator')
    outputs.push(isAbsent ? '' : name)
    if (reader.accept(':')) types.set(name, parseType(reader))
  } while (reader.accept(','))
  return outputs
}

/** `Relu`, `com.microsoft.FusedMatMul`, `"odd domain"."Op"`, each with `:overload` where there is one. */
function parseOperator(reader: Reader): { op: string; domain: string; overload: { overload?: string } } {
  const { kind, text } = reader.peek()
  const first = reader.name('an operator')
  const dot = kind === 'name' ? text.lastIndexOf('.') : -1
  const [domain, op] = reader.accept('.')
    ? [first, reader.name('an operator')]
    : dot < 0
      ? ['', first]
      : [first.slice(0, dot), first.slice(dot + 1)]
  return { op, domain, overload: reader.accept(':') ? { overload: reader.name('an overload') } : {} }
}

/** `(x, _, ratio)`: a comma separates two inputs, so that `(x, , ratio)` has an absent one in the middle. */
function parseArguments(reader: Reader): string[] {
  reader.expect('(', 'and the inputs of the operator')
  if (reader.accept(')')) return []
  const inputs: string[] = []
  do {
    const isEmpty = reader.sees(',') || reader.sees(')')
    const isAbsent = isEmpty || reader.sees('_')
    const name = isEmpty ? '' : reader.name('an input, "," or ")"')
    inputs.push(isAbsent ? '' : name)
  } while (reader.accept(','))
  reader.expect(')', 'or ","')
  return inputs
}

function parseAttributes(body: Body, op: string, domain: string): Attributes {
  const { reader } = body
  const seen = new Set<string>()
  const entries = reader.list('{', '}', (): [string, Attribute] => {
    const token = reader.peek()
    const name = reader.name('the name of an attribute')
    if (seen.has(name)) reader.fail('every attribute once', token)
    seen.add(name)
    reader.expect('=')
    return [name, parseAttribute(body, attributeKindOf(op, domain, name))]
  })
  return Object.fromEntries(entries)
}

/** A string after a call is the node's name, unless it begins the next statement. */
function seesNodeName(reader: Reader): boolean {
  if (reader.peek().kind !== 'string') return false
  return !['=', ',', ':'].some((mark) => reader.sees(mark, 1))
}

function parseMetadata(reader: Reader): { metadata?: ReadonlyMap<string, string> } {
  if (!reader.sees('meta')) return {}
  reader.next()
  const entries = reader.list('{', '}', (): [string, string] => {
    const key = reader.name('a metadata key')
    reader.expect('=')
    return [key, reader.take('string', 'a string').text]
  })
  return { metadata: new Map(entries) }
}
