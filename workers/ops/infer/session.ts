import type { Attribute, Attributes } from '../../graph/attributes.ts'
import type { Graph } from '../../graph/graph.ts'
import type { LocalFunction, Node } from '../../graph/graph.ts'
import type { ValueType } from '../../graph/types.ts'
import { AlambicError } from '../../protocol/errors.ts'
import { applyRule, knownRuleOf, typeRuleOf } from '../shape.ts'
import { Call, type BodyTypes, type OutputTypes, type Scope } from '../shape/call.ts'
import type { Content } from '../shape/content.ts'
import { complete, Knowledge, refine, saysSomething } from './knowledge.ts'

/** How often nodes of subgraphs and local functions may be looked at: nests of loops and calls could explode. */
const BODY_BUDGET = 200_000
const MAX_DEPTH = 64

export interface SessionOptions {
  readonly functions: readonly LocalFunction[]
  /** Whether declared types of intermediate values fill what the rules leave open. */
  readonly trustDeclared: boolean
  /** A rule found that no tensor fits; may throw. */
  readonly onContradiction: (node: Node, error: AlambicError) => void
  /** A rule's result, beside what the graph declares of the same value. */
  readonly onOutput?: (node: Node, value: string, inferred: ValueType, declared: ValueType | undefined) => void
}

/** What one node gives: types and known elements of its outputs, and itself with its subgraphs typed. */
interface NodeResult {
  readonly types: OutputTypes
  readonly contents: readonly (Content | undefined)[]
  readonly node: Node
}

type Opsets = ReadonlyMap<string, number>
const NOTHING: readonly undefined[] = []

export const functionKey = (domain: string, name: string, overload = ''): string => `${domain}\0${name}\0${overload}`

/** Version of a domain's operators; the default domain has two spellings. */
export const opsetOf = (opsets: Opsets, domain: string): number =>
  opsets.get(domain) ?? (domain === '' ? opsets.get('ai.onnx') : domain === 'ai.onnx' ? opsets.get('') : undefined) ?? 1

/** One run of inference over a graph with all that is inside it. */
export class Session {
  readonly #options: SessionOptions
  readonly #functions: ReadonlyMap<string, LocalFunction>
  #budget = BODY_BUDGET
  #depth = 0
  /** Branches being looked at that may never run: what does not fit there is no fault of the graph. */
  #branches = 0

  constructor(options: SessionOptions) {
    this.#options = options
    this.#functions = new Map(options.functions.map((f) => [functionKey(f.domain, f.name, f.overload), f]))
  }

  /** Types every node of a graph; inputs must be known to `scope` already. Returns the nodes with typed subgraphs. */
  nodes(
    nodes: readonly Node[],
    scope: Knowledge,
    opsets: Opsets,
    declared: (value: string) => ValueType | undefined,
  ): Node[] {
    return nodes.map((node) => {
      const result = this.#node(node, scope, opsets)
      for (const [i, output] of node.outputs.entries()) {
        if (output === '') continue
        const inferred = result.types[i]
        const stated = declared(output)
        if (inferred) this.#options.onOutput?.(node, output, inferred, stated)
        const type = this.#options.trustDeclared ? refine(inferred, stated) : inferred
        scope.learn(output, saysSomething(type) ? type : undefined, result.contents[i])
      }
      return result.node
    })
  }

  #node(node: Node, scope: Scope, opsets: Opsets): NodeResult {
    const local = this.#functions.get(functionKey(node.domain, node.op, node.overload))
    if (local) return { ...this.#call(local, node, scope), node }
    const rule = typeRuleOf(node.op, node.domain)
    if (!rule) return { types: NOTHING, contents: NOTHING, node }
    const bodies = new Map<string, Graph>()
    const call = new Call(node, opsetOf(opsets, node.domain), scope, (name, body, inputs) => {
      const branch = node.op === 'If' ? 1 : 0
      this.#branches += branch
      const typed = this.#body(body, inputs, scope, opsets)
      this.#branches -= branch
      bodies.set(name, typed.graph)
      return typed
    })
    try {
      const types = applyRule(rule, call)
      const contents = knownRuleOf(node.op, node.domain)?.(call) ?? NOTHING
      return { types, contents, node: bodies.size > 0 ? withBodies(node, bodies) : node }
    } catch (error) {
      if (!(error instanceof AlambicError)) throw error
      if (this.#branches === 0) this.#options.onContradiction(node, error)
      return { types: NOTHING, contents: NOTHING, node }
    }
  }

  /** True while deeper graphs may still be looked into; counts their nodes. */
  #mayEnter(size: number): boolean {
    this.#budget -= size + 1
    return this.#budget > 0 && this.#depth < MAX_DEPTH
  }

  #body(body: Graph, given: OutputTypes, outer: Scope, opsets: Opsets): BodyTypes & { readonly graph: Graph } {
    if (!this.#mayEnter(body.nodes.length)) return { outputs: NOTHING, contents: NOTHING, graph: body }
    this.#depth++
    const scope = new Knowledge(body.initializers, outer)
    body.inputs.forEach((input, i) => scope.learn(input.name, given[i] ?? input.type))
    const graph = this.graph(body, scope, opsets)
    this.#depth--
    return {
      outputs: graph.outputs.map((v) => refine(scope.type(v.name), v.type)),
      contents: graph.outputs.map((v) => scope.content(v.name)),
      graph,
    }
  }

  /** A graph with every type that could be found; its inputs must be known to `scope` already. */
  graph(graph: Graph, scope: Knowledge, opsets: Opsets): Graph {
    const outputs = new Map(graph.outputs.map((v) => [v.name, v.type]))
    const nodes = this.nodes(graph.nodes, scope, opsets, (value) => graph.types.get(value) ?? outputs.get(value))
    const types = new Map<string, ValueType>()
    const made = new Set(graph.inputs.map((v) => v.name))
    for (const [name, type] of scope.types) if (!outputs.has(name) && !made.has(name)) types.set(name, type)
    return graph.with({
      nodes,
      types,
      inputs: graph.inputs.map((v) => ({ ...v, type: complete(v.type, scope.type(v.name)) })),
      outputs: graph.outputs.map((v) => ({ ...v, type: complete(v.type, scope.type(v.name)) })),
    })
  }

  /** The outputs of a call of one of the model's own functions, found by going through its nodes. */
  #call(local: LocalFunction, node: Node, outer: Scope): Omit<NodeResult, 'node'> {
    if (!this.#mayEnter(local.nodes.length)) return { types: NOTHING, contents: NOTHING }
    this.#depth++
    const scope = new Knowledge(new Map())
    local.inputs.forEach((name, i) => {
      const given = node.inputs[i]
      if (given) scope.learn(name, outer.type(given), outer.content(given))
    })
    const attributes = { ...local.attributeDefaults, ...node.attributes }
    const body = local.nodes.map((inner) => withArguments(inner, attributes))
    this.nodes(body, scope, local.opsets, (value) => local.types.get(value))
    this.#depth--
    return {
      types: local.outputs.map((name) => scope.type(name)),
      contents: local.outputs.map((name) => scope.content(name)),
    }
  }
}

const withBodies = (node: Node, bodies: ReadonlyMap<string, Graph>): Node => ({
  ...node,
  attributes: {
    ...node.attributes,
    ...Object.fromEntries([...bodies].map(([name, value]): [string, Attribute] => [name, { kind: 'graph', value }])),
  },
})

/** A node of a function's body with references to the function's attributes replaced by their values. */
export function withArguments(node: Node, given: Attributes): Node {
  const entries = Object.entries(node.attributes)
  if (!entries.some(([, a]) => a.kind === 'reference' || a.kind === 'graph')) return node
  const attributes = entries.flatMap(([name, attribute]): [string, Attribute][] => {
    if (attribute.kind === 'graph') {
      const nodes = attribute.value.nodes.map((inner) => withArguments(inner, given))
      return [[name, { kind: 'graph', value: attribute.value.with({ nodes }) }]]
    }
    if (attribute.kind !== 'reference') return [[name, attribute]]
    const value = Object.hasOwn(given, attribute.value) ? given[attribute.value] : undefined
    return value ? [[name, value]] : []
  })
  return { ...node, attributes: Object.fromEntries(attributes) }
}
