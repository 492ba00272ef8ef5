import type { Builder, InferOutputs } from '../graph/builder.ts'
import { nodeLabel, type Graph, type LocalFunction, type Node } from '../graph/graph.ts'
import { typeText } from '../graph/print.ts'
import type { Tensor } from '../graph/tensor.ts'
import { contradicts, type ValueType } from '../graph/types.ts'
import type { Problem } from '../graph/verify.ts'
import { AlambicError } from '../protocol/errors.ts'
import { Knowledge } from './infer/knowledge.ts'
import { Session } from './infer/session.ts'
import { applyRule, knownRuleOf, notCovered, typeRuleOf } from './shape.ts'
import { Call, type Scope } from './shape/call.ts'
import { contentOf, type Content } from './shape/content.ts'

export interface InferOptions {
  /** Throw at the first contradiction (true) or leave what it concerns unknown (false, the default). */
  readonly strict?: boolean
  /** The model's own functions: calls of them are followed. */
  readonly functions?: readonly LocalFunction[]
  /** Whether declared types of intermediate values fill what the rules leave open; true unless told. */
  readonly trustDeclared?: boolean
  /** Elements of inputs that are known beforehand, as if they were constants. */
  readonly knownInputs?: ReadonlyMap<string, Tensor>
}

/**
 * The graph with the dtype and shape of every value that can be known without running it: rules per operator,
 * symbolic sizes, constant propagation through shape arithmetic, subgraphs and local functions. What cannot be known
 * stays open. Declared types of inputs and outputs are kept, their open parts filled. Time is linear in the nodes.
 *
 * Throws `ops.contradiction` with the node, the expected and the found when `strict`.
 */
export function inferTypes(graph: Graph, options: InferOptions = {}): Graph {
  return run(graph, options, (_, error) => {
    if (options.strict) throw error
  })
}

function run(
  graph: Graph,
  options: InferOptions,
  onContradiction: (node: Node, error: AlambicError) => void,
  onOutput?: (node: Node, value: string, inferred: ValueType, declared: ValueType | undefined) => void,
): Graph {
  const session = new Session({
    functions: options.functions ?? [],
    trustDeclared: options.trustDeclared ?? true,
    onContradiction,
    ...(onOutput && { onOutput }),
  })
  const scope = new Knowledge(graph.initializers)
  for (const { name, type } of graph.inputs) {
    const tensor = options.knownInputs?.get(name)
    scope.learn(name, type, tensor && contentOf(tensor))
  }
  return session.graph(graph, scope, graph.opsets)
}

/**
 * Where declared types contradict the rules, and where inputs contradict each other. A symbolic size contradicts
 * nothing. The verifier takes it as its `types` check.
 */
export function typeProblems(graph: Graph, functions: readonly LocalFunction[] = []): readonly Problem[] {
  const problems = new Map<string, Problem>()
  const add = (problem: Problem) => problems.set(`${problem.node}\0${problem.message}`, problem)
  run(
    graph,
    { functions },
    (node, error) => {
      const { code, message, expected, found } = error
      add({ code, node: node.name, message, ...(expected && { expected }), ...(found && { found }) })
    },
    (node, value, inferred, declared) => {
      if (!declared || !contradicts(declared, inferred)) return
      const message = `${nodeLabel(node)}: its output "${value}" is declared as another type than it has`
      add({
        code: 'ops.declared-type',
        node: node.name,
        message,
        expected: typeText(inferred),
        found: typeText(declared),
      })
    },
  )
  return [...problems.values()]
}

/** Why the outputs of an operator stay of unknown type; undefined for one that has a rule. */
export function whyUnknown(node: Node): string | undefined {
  if (typeRuleOf(node.op, node.domain)) return undefined
  const reason =
    node.domain === '' && Object.hasOwn(notCovered, node.op)
      ? notCovered[node.op as keyof typeof notCovered]
      : undefined
  return reason ?? `operator ${node.domain ? `${node.domain}::` : ''}${node.op} is unknown here`
}

// --- the builder's hook ------------------------------------------------------------------------------------------

/** What a builder knows, with the elements of small tensors that follow from its constants. */
class BuilderScope implements Scope {
  readonly #builder: Builder
  readonly #contents = new Map<string, Content | undefined>()
  readonly #inputs = new Map<string, ValueType>()

  constructor(builder: Builder) {
    this.#builder = builder
  }

  type(value: string): ValueType | undefined {
    for (const input of this.#builder.inputs.slice(this.#inputs.size)) this.#inputs.set(input.name, input.type)
    return this.#builder.types.get(value) ?? this.#inputs.get(value) ?? this.#builder.type(value)
  }

  content(value: string): Content | undefined {
    if (this.#contents.has(value)) return this.#contents.get(value)
    const constant = this.#builder.initializers.get(value)
    const content = constant && contentOf(constant)
    if (constant) this.#contents.set(value, content)
    return content
  }

  /** Works out the elements of a node's outputs, where they follow from known ones. */
  learn(node: Node, call: Call<unknown>): void {
    const rule = knownRuleOf(node.op, node.domain)
    if (!rule) return
    const contents = rule(call)
    node.outputs.forEach((output, i) => contents[i] && this.#contents.set(output, contents[i]))
  }
}

const scopes = new WeakMap<Builder, BuilderScope>()

function scopeOf(builder: Builder): BuilderScope {
  const existing = scopes.get(builder)
  if (existing) return existing
  const scope = new BuilderScope(builder)
  scopes.set(builder, scope)
  // All nodes but the one being added were there before the builder was first asked.
  for (const node of builder.nodes.slice(0, -1)) tolerant(() => scope.learn(node, callOf(node, builder, scope)))
  return scope
}

const callOf = (node: Node, builder: Builder, scope: Scope): Call =>
  new Call(node, builder.opsets.get(node.domain) ?? 1, scope)

const tolerant = <T>(f: () => T): T | undefined => {
  try {
    return f()
  } catch (error) {
    if (error instanceof AlambicError) return undefined
    throw error
  }
}

/**
 * Output types of a node that a builder has just been given, from what the builder knows: its `InferOutputs` hook.
 * Constant time per node but for the first, which reads the graph that the builder started from. Subgraphs are not
 * looked into (`inferTypes` does). Throws `ops.contradiction` where the inputs do not fit each other.
 */
export const inferOutputs: InferOutputs = (node, builder) => {
  const rule = typeRuleOf(node.op, node.domain)
  const scope = scopeOf(builder)
  if (!rule) return []
  const call = callOf(node, builder, scope)
  const types = applyRule(rule, call)
  scope.learn(node, call)
  return types
}
