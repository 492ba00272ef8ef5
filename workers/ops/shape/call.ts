import { attributesOf, type LooseAttributes, type PlainAttributes } from '../../graph/attributes.ts'
import type { DType } from '../../graph/dtype.ts'
import { nodeLabel, type Graph, type Node } from '../../graph/graph.ts'
import { schemaOf, schemas, type OperatorSchema, type OpType } from '../../graph/schema.ts'
import { asTensor, tensorType, type Dim, type Shape, type ValueType } from '../../graph/types.ts'
import { AlambicError } from '../../protocol/errors.ts'
import { numbersIn, type Content } from './content.ts'

/** What inference knows of the values around a node. */
export interface Scope {
  type(value: string): ValueType | undefined
  content(value: string): Content | undefined
}

/** Types of a node's outputs, in order; undefined for one of which nothing is known. */
export type OutputTypes = readonly (ValueType | undefined)[]

/** The types (and known elements) that go into a subgraph, and its results. */
export interface BodyTypes {
  readonly outputs: OutputTypes
  readonly contents: readonly (Content | undefined)[]
}
/** Infers one subgraph of a node, given what is known of the subgraph's own inputs. */
export type InferBody = (attribute: string, body: Graph, inputs: OutputTypes) => BodyTypes

/** One operator call as a rule sees it: attributes by plain value, inputs by position. */
export class Call<A = LooseAttributes> {
  readonly node: Node
  /** Version of the operator set that the node belongs to. */
  readonly opset: number
  readonly attr: A
  readonly #scope: Scope
  readonly #inferBody: InferBody | undefined

  constructor(node: Node, opset: number, scope: Scope, inferBody?: InferBody, like?: OpType) {
    this.node = node
    this.opset = opset
    this.attr = wellTypedAttributes(node, like ? schemas[like] : schemaOf(node.op, node.domain)) as A
    this.#scope = scope
    this.#inferBody = inferBody
  }

  /** Whether input `i` is given: optional ones may be missing or empty. */
  has(i: number): boolean {
    return (this.node.inputs[i] ?? '') !== ''
  }

  /** The positions of all given inputs from `first` on. */
  inputsFrom(first: number): number[] {
    return this.node.inputs.flatMap((name, i) => (i >= first && name !== '' ? [i] : []))
  }

  /** The type of input `i`, without its denotation: what it stands for is not what a result stands for. */
  valueType(i: number): ValueType | undefined {
    const name = this.node.inputs[i]
    const type = name ? this.#scope.type(name) : undefined
    return type?.kind === 'tensor' && type.denotation ? tensorType(type.dtype, type.shape) : type
  }

  dtype(i: number): DType | undefined {
    return asTensor(this.valueType(i))?.dtype
  }

  shape(i: number): Shape | undefined {
    return asTensor(this.valueType(i))?.shape
  }

  rank(i: number): number | undefined {
    return this.shape(i)?.length
  }

  /** One dimension of input `i`, counted from the end when negative; `'?'` when unknown. */
  dim(i: number, axis: number): Dim {
    return this.shape(i)?.at(axis) ?? '?'
  }

  content(i: number): Content | undefined {
    const name = this.node.inputs[i]
    return name ? this.#scope.content(name) : undefined
  }

  /** The elements of input `i` as numbers, when every one is known. */
  numbers(i: number): readonly number[] | undefined {
    return numbersIn(this.content(i))
  }

  /** The elements of input `i` as sizes, some perhaps symbolic. */
  sizes(i: number): readonly Dim[] | undefined {
    return this.content(i)?.values.map((v) => (typeof v === 'number' && !Number.isFinite(v) ? '?' : v))
  }

  /** The single element of input `i`, when it is a known number. */
  number(i: number): number | undefined {
    const values = this.numbers(i)
    return values?.length === 1 ? values[0] : undefined
  }

  body(attribute: string, inputs: OutputTypes): BodyTypes {
    const graph = this.node.attributes[attribute]
    if (graph?.kind !== 'graph' || !this.#inferBody) return { outputs: [], contents: [] }
    return this.#inferBody(attribute, graph.value, inputs)
  }

  /** The same call with its attributes read as those of another operator, which this one extends. */
  as<Op extends OpType>(op: Op): Call<PlainAttributes<Op>> {
    return new Call(this.node, this.opset, this.#scope, this.#inferBody, op)
  }

  /** An attribute of an operator without a schema, when it is a number. */
  int(name: string): number | undefined {
    const attribute = this.node.attributes[name]
    return attribute?.kind === 'int' || attribute?.kind === 'float' ? Number(attribute.value) : undefined
  }

  /** An attribute of an operator without a schema, when it is a list of integers. */
  ints(name: string): readonly number[] | undefined {
    const attribute = this.node.attributes[name]
    return attribute?.kind === 'ints' ? attribute.value.map(Number) : undefined
  }

  /** The first output has this dtype and shape. */
  out(dtype: DType | undefined, shape: Shape | undefined): OutputTypes {
    return [tensorType(dtype, shape)]
  }

  /** A contradiction: `node "conv3" (Conv): group=3 does not divide 16 output channels`. */
  contradiction(sentence: string, expected?: string, found?: string): AlambicError {
    return new AlambicError('ops.contradiction', `${nodeLabel(this.node)}: ${sentence}`, {
      subject: this.node.name,
      expected,
      found,
    })
  }
}

/** A shape as error messages write it: `[N, 3, 224, 224]`. */
export const spellShape = (shape: Shape | undefined): string => (shape ? `[${shape.join(', ')}]` : 'an unknown shape')

/** Attributes whose kind is what the schema says; others are as good as absent (the verifier reports them). */
function wellTypedAttributes(node: Node, schema: OperatorSchema | undefined): LooseAttributes {
  const plain = attributesOf(node)
  if (!schema) return plain
  const right = (name: string) => node.attributes[name]?.kind === schema.attributes[name]
  const names = Object.keys(plain)
  return names.every(right) ? plain : Object.fromEntries(names.filter(right).map((name) => [name, plain[name]]))
}

/** What an operator's outputs are, given its inputs. Throws `c.contradiction(…)` where no tensor could fit. */
export type TypeRule<A = LooseAttributes> = (c: Call<A>) => OutputTypes

/** Rules of one family of operators, each seeing its own operator's attributes. */
export type TypeRules = { readonly [Op in OpType]?: TypeRule<PlainAttributes<Op>> }
/** Rules of operators of other domains, whose attributes have no schema here. */
export type LooseTypeRules = Readonly<Record<string, TypeRule>>

// --- rules that many operators share ------------------------------------------------------------------------------

/** Output 0 has the type of input 0. */
export const likeInput = <A>(c: Call<A>): OutputTypes => [c.valueType(0)]

/** Output 0 has the shape of input 0 and this dtype. */
export const likeInputAs =
  (dtype: DType) =>
  <A>(c: Call<A>): OutputTypes =>
    c.out(dtype, c.shape(0))

/** An axis counted from the front; undefined when it is out of range. */
export function axisOf(axis: number, rank: number): number | undefined {
  const at = axis < 0 ? axis + rank : axis
  return Number.isInteger(at) && at >= 0 && at < rank ? at : undefined
}

/** An axis counted from the front, or a contradiction that names the node. */
export function requireAxis<A>(c: Call<A>, axis: number, rank: number): number {
  const at = axisOf(axis, rank)
  if (at === undefined) {
    throw c.contradiction(
      `axis ${axis} does not exist in a tensor of rank ${rank}`,
      `-${rank} … ${rank - 1}`,
      `${axis}`,
    )
  }
  return at
}

/** A shape with one dimension replaced. */
export const withDim = (shape: Shape, axis: number, dim: Dim): Shape => shape.map((d, i) => (i === axis ? dim : d))
