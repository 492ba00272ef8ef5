import type { Attribute, LooseAttributes } from '../../graph/attributes.ts'
import { toAttributes } from '../../graph/attributes.ts'
import type { DType } from '../../graph/dtype.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { i64, type Tensor } from '../../graph/tensor.ts'
import { asTensor, type TensorType } from '../../graph/types.ts'
import type { FreshNames } from '../names.ts'
import { scalarOf } from '../scalar.ts'

/**
 * What an adapter knows of the graph around its node, and how it adds constants to it. Scopes nest: a subgraph sees
 * the values of the graphs around it.
 */
export class Scope {
  readonly initializers: Map<string, Tensor>
  readonly #graph: Graph
  readonly #outer: Scope | undefined
  readonly #names: FreshNames

  constructor(graph: Graph, names: FreshNames, outer?: Scope) {
    this.#graph = graph
    this.#outer = outer
    this.#names = names
    this.initializers = new Map(graph.initializers)
  }

  fresh(hint: string): string {
    return this.#names.take(hint)
  }

  type(value: string): TensorType | undefined {
    return asTensor(this.#graph.type(value)) ?? this.#outer?.type(value)
  }

  /** The element type; float32 where nothing is known of the value. */
  dtype(value: string): DType {
    return this.type(value)?.dtype ?? 'f32'
  }

  constantOf(value: string): Tensor | undefined {
    return this.initializers.get(value) ?? this.#outer?.constantOf(value)
  }

  isRead(value: string | undefined): boolean {
    return value !== undefined && value !== '' && this.#graph.uses(value).length > 0
  }

  /** A 1-D int64 constant. */
  ints(hint: string, values: readonly number[]): string {
    return this.constant(hint, i64(values))
  }

  /** A 0-D int64 constant. */
  int(hint: string, value: number): string {
    return this.constant(hint, i64([value], []))
  }

  scalar(hint: string, value: number, dtype: DType): string {
    return this.constant(hint, scalarOf(value, dtype))
  }

  constant(hint: string, tensor: Tensor): string {
    const name = this.fresh(hint)
    this.initializers.set(name, tensor)
    return name
  }
}

/** Writes a node of one version as nodes of the next. What it returns must put out all outputs that are read. */
export type Adapter = (node: Node, scope: Scope) => Node | readonly Node[]

/** A node like another but for some parts; attributes set to undefined are dropped. */
export function rewrite(
  node: Node,
  parts: { op?: string; inputs?: readonly string[]; outputs?: readonly string[]; attributes?: LooseAttributes },
): Node {
  const op = parts.op ?? node.op
  const changed = parts.attributes ?? {}
  const kept: Record<string, Attribute> = {}
  for (const [name, attribute] of Object.entries(node.attributes)) if (!(name in changed)) kept[name] = attribute
  const attributes = { ...kept, ...toAttributes(op, '', changed) }
  return { ...node, op, inputs: parts.inputs ?? node.inputs, outputs: parts.outputs ?? node.outputs, attributes }
}

/** A node beside the one that is rewritten. Runtimes want node names to be unique, so it is named by its output. */
export function helper(op: string, inputs: readonly string[], output: string, attributes: LooseAttributes = {}): Node {
  const name = `${output}/${op}`
  return { name, op, domain: '', inputs, outputs: [output], attributes: toAttributes(op, '', attributes) }
}

/** Drops trailing inputs that are left out: `[x, '', '']` is `[x]`. */
export function trimmed(inputs: readonly string[]): readonly string[] {
  let end = inputs.length
  while (end > 0 && inputs[end - 1] === '') end--
  return inputs.slice(0, end)
}
