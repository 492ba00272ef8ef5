import { AlambicError } from '../protocol/errors.ts'
import { attributeKindOf, schemaOf, type OpType, type schemas } from './schema.ts'
import type { Tensor } from './tensor.ts'
import type { Graph, Node } from './graph.ts'
import type { ValueType } from './types.ts'

/** Integers beyond 2^53 stay bigint so that files round-trip; `ints()` and friends saturate them to numbers. */
export type Int = number | bigint

/** An attribute as ONNX knows it: the kind travels with the value. */
export type Attribute = AttributeValue & {
  /** Fields of the file's AttributeProto that Alambic does not model (documentation), byte for byte. */
  readonly unknownFields?: readonly Uint8Array[]
}

type AttributeValue =
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'int'; readonly value: Int }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'graph'; readonly value: Graph }
  | { readonly kind: 'type'; readonly value: ValueType }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'ints'; readonly value: readonly Int[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensors'; readonly value: readonly Tensor[] }
  | { readonly kind: 'graphs'; readonly value: readonly Graph[] }
  | { readonly kind: 'types'; readonly value: readonly ValueType[] }
  /** Sparse tensors, kept as the AttributeProto fields that hold them (22, or any number of 23). */
  | { readonly kind: 'sparse'; readonly value: Uint8Array }
  /** Inside a local function: the value of the function's attribute `value`, which is of kind `of` (`''`: unsaid). */
  | { readonly kind: 'reference'; readonly value: string; readonly of: string }

export type AttributeKind = Attribute['kind']
export type Attributes = Readonly<Record<string, Attribute>>

interface PlainValues {
  float: number
  int: number
  string: string
  tensor: Tensor
  graph: Graph
  type: ValueType
  floats: readonly number[]
  ints: readonly number[]
  strings: readonly string[]
  tensors: readonly Tensor[]
  graphs: readonly Graph[]
  types: readonly ValueType[]
  sparse: Uint8Array
  reference: string
}

/** The attributes of an operator as plain values: `{ group?: number, pads?: readonly number[], … }`. */
export type PlainAttributes<Op extends OpType> = {
  readonly [A in keyof (typeof schemas)[Op]['attributes']]?: PlainValues[(typeof schemas)[Op]['attributes'][A] &
    AttributeKind]
}

/** Attributes by plain value, for operators that are only known at run time. */
export type LooseAttributes = Readonly<Record<string, PlainValues[AttributeKind] | undefined>>

/** The attributes of a node as plain values, typed by its operator. Absent ones are undefined: defaults are the rule's. */
export function attributesOf<Op extends OpType>(node: Node, op: Op): PlainAttributes<Op>
export function attributesOf(node: Node): LooseAttributes
export function attributesOf(node: Node): LooseAttributes {
  return Object.fromEntries(Object.entries(node.attributes).map(([name, attribute]) => [name, plainValue(attribute)]))
}

function plainValue(attribute: Attribute): PlainValues[AttributeKind] {
  if (attribute.kind === 'int') return Number(attribute.value)
  if (attribute.kind === 'ints') return attribute.value.map(Number)
  return attribute.value
}

/**
 * Plain values as ONNX attributes. The kind comes from the operator's schema; for operators without one, from the
 * value: integers are `int`, other numbers `float`. Floats are rounded to float32, which is what a file holds, so that
 * a graph equals itself after it was written and read. Throws `graph.unknown-attribute` and `graph.attribute-kind`.
 */
export function toAttributes(op: string, domain: string, plain: LooseAttributes): Attributes {
  const kinds = schemaOf(op, domain)?.attributes
  const entries = Object.entries(plain).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    entries.map(([name, value]) => {
      const kind = kinds ? attributeKindOf(op, domain, name) : kindOf(value)
      if (kind === undefined) {
        throw new AlambicError('graph.unknown-attribute', `operator ${op} has no attribute "${name}"`, {
          subject: op,
          expected: `one of: ${Object.keys(kinds ?? {}).join(', ')}`,
          found: name,
        })
      }
      return [name, toAttribute(op, name, kind, value)]
    }),
  )
}

function toAttribute(op: string, name: string, kind: AttributeKind, value: unknown): Attribute {
  const fits = checks[kind]
  if (!fits(value)) {
    throw new AlambicError('graph.attribute-kind', `operator ${op}: attribute "${name}" is not of kind ${kind}`, {
      subject: op,
      expected: kind,
      found: Array.isArray(value) ? `[${value.join(', ')}]` : String(value),
    })
  }
  if (kind === 'float') return { kind, value: Math.fround(value as number) }
  if (kind === 'floats') return { kind, value: (value as readonly number[]).map(Math.fround) }
  return { kind, value } as Attribute
}

const isNumber = (value: unknown) => typeof value === 'number'
const isInt = (value: unknown) => typeof value === 'bigint' || Number.isInteger(value)
const isString = (value: unknown) => typeof value === 'string'
const isObject = (value: unknown) => typeof value === 'object' && value !== null
const isTensor = (value: unknown) => isObject(value) && 'dims' in value && 'bytes' in value
const isGraph = (value: unknown) => isObject(value) && 'nodes' in value
const listOf = (fits: (item: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(fits)

/** Whether a plain value can be an attribute of a kind. */
const checks: Readonly<Record<AttributeKind, (value: unknown) => boolean>> = {
  float: isNumber,
  int: isInt,
  string: isString,
  tensor: isTensor,
  graph: isGraph,
  type: isObject,
  floats: listOf(isNumber),
  ints: listOf(isInt),
  strings: listOf(isString),
  tensors: listOf(isTensor),
  graphs: listOf(isGraph),
  types: listOf(isObject),
  sparse: (value) => value instanceof Uint8Array,
  reference: () => false,
}

/** The kinds that a value can show by itself, the likeliest first: a whole number is an int, an empty list ints. */
const guesses = [
  'int',
  'float',
  'string',
  'ints',
  'floats',
  'strings',
  'tensor',
  'graph',
  'sparse',
  'tensors',
  'graphs',
  'types',
] as const

const kindOf = (value: unknown): AttributeKind => guesses.find((kind) => checks[kind](value)) ?? 'type'
