import type { Graph, Node } from '../../graph/graph.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { asTensor } from '../../graph/types.ts'
import { Knowledge } from '../../ops/infer/knowledge.ts'
import { Session } from '../../ops/infer/session.ts'
import { numbersIn } from '../../ops/shape/content.ts'
import { resultOf, type ChangeResult } from '../report.ts'
import { numberTensor } from '../scalar.ts'
import { removeDead } from './dead.ts'

const integers: ReadonlySet<string> = new Set(['i64', 'i32', 'i16', 'i8', 'u8', 'u16', 'u32', 'u64'])

/**
 * Turns shape arithmetic whose result inference knows (Shape of a static value, Gather, Concat, Mul … of such) into
 * constants. Integers only: they are exact. Nothing is executed, graph outputs stay computed.
 */
export function foldShapes(graph: Graph): ChangeResult {
  const known = knownConstants(graph)
  if (known.size === 0) return resultOf(graph, [])
  const initializers = new Map([...graph.initializers, ...known])
  const nodes = graph.nodes.filter((node) => !isFolded(node, known))
  const types = new Map([...graph.types].filter(([name]) => !known.has(name)))
  const changes = [...known.keys()].map((name) => `"${name}" became a constant`)
  return resultOf(removeDead(graph.with({ nodes, initializers, types })).graph, changes)
}

const isFolded = (node: Node, known: ReadonlyMap<string, Tensor>): boolean => node.outputs.some((o) => known.has(o))

/** What inference knows of every value of a graph: its type, and its elements where they follow from sizes. */
export function knowledgeOf(graph: Graph): Knowledge {
  const scope = new Knowledge(graph.initializers)
  for (const { name, type } of graph.inputs) scope.learn(name, type)
  const session = new Session({ functions: [], trustDeclared: true, onContradiction: () => {} })
  session.graph(graph, scope, graph.opsets)
  return scope
}

function knownConstants(graph: Graph): ReadonlyMap<string, Tensor> {
  const scope = knowledgeOf(graph)
  const outputs = new Set(graph.outputs.map((v) => v.name))
  const defaults = new Set(graph.inputs.map((v) => v.name))
  const known = new Map<string, Tensor>()
  for (const node of graph.nodes) {
    const found = node.outputs.map((name) => constantOf(scope, name))
    const whole = node.outputs.every((name, i) => found[i] && !outputs.has(name))
    const fixed = node.inputs.every((name) => !defaults.has(name) || node.op === 'Shape' || node.op === 'Size')
    if (whole && fixed) node.outputs.forEach((name, i) => known.set(name, found[i] as Tensor))
  }
  return known
}

function constantOf(scope: Knowledge, name: string): Tensor | undefined {
  const content = scope.content(name)
  const values = numbersIn(content)
  const dtype = asTensor(scope.type(name))?.dtype
  return content && values && dtype && integers.has(dtype) ? numberTensor(values, content.dims, dtype) : undefined
}
