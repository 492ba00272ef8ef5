import { AlambicError } from '../protocol/errors.ts'
import { subgraphsOf, type LocalFunction, type Model, type Node } from '../graph/graph.ts'
import { beyond } from './context.ts'
import type { Limits } from './limits.ts'
import { quoted } from './wire/failure.ts'

type Callable = Pick<LocalFunction, 'domain' | 'name' | 'overload'>

const keyOf = ({ domain, name, overload }: Callable): string => JSON.stringify([domain, name, overload])
/** A local function as it appears in sentences. */
export const titleOf = ({ domain, name }: Pick<Callable, 'domain' | 'name'>): string =>
  `function ${quoted(domain === '' ? name : `${domain}.${name}`)}`

/**
 * Refuses functions that appear twice, that call themselves, or that call each other so often that a runtime which
 * replaces calls by bodies (onnxruntime does) would run out of memory.
 */
export function checkFunctions(model: Model, limits: Limits): void {
  const functions = new Map<string, LocalFunction>()
  for (const fn of model.functions) {
    const key = keyOf(fn)
    if (functions.has(key)) throw new AlambicError('onnx.duplicate-function', `${titleOf(fn)} is defined twice`)
    functions.set(key, fn)
  }
  if (functions.size === 0) return
  const sizes = new Map<string, number>()
  for (const fn of model.functions) measure(fn, functions, sizes, limits)
  const total = inlinedSize(model.graph.nodes, sizes)
  if (total > limits.inlinedNodes) throw beyond('inlinedNodes', 'nodes once functions are inlined', limits.inlinedNodes)
}

interface Visit {
  readonly fn: LocalFunction
  readonly calls: readonly LocalFunction[]
  next: number
}

/** Nodes of a function with all calls replaced by bodies. Without recursion: a chain of calls may be long. */
function measure(
  root: LocalFunction,
  functions: ReadonlyMap<string, LocalFunction>,
  sizes: Map<string, number>,
  limits: Limits,
): void {
  if (sizes.has(keyOf(root))) return
  const open = new Set<string>()
  const stack: Visit[] = []
  const enter = (fn: LocalFunction) => {
    open.add(keyOf(fn))
    stack.push({ fn, calls: callsIn(fn.nodes).flatMap((key) => functions.get(key) ?? []), next: 0 })
  }
  enter(root)
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const called = top.calls[top.next++]
    if (called === undefined) {
      const key = keyOf(top.fn)
      sizes.set(key, Math.min(inlinedSize(top.fn.nodes, sizes), limits.inlinedNodes + 1))
      open.delete(key)
      stack.pop()
    } else if (open.has(keyOf(called))) {
      throw new AlambicError('onnx.recursive-function', `${titleOf(called)} calls itself`, { subject: called.name })
    } else if (!sizes.has(keyOf(called))) enter(called)
  }
}

const callKey = (node: Node): string => keyOf({ domain: node.domain, name: node.op, overload: node.overload ?? '' })

const nodesWithin = (nodes: readonly Node[]): readonly Node[] =>
  nodes.flatMap((node) => [node, ...subgraphsOf(node).flatMap((graph) => nodesWithin(graph.nodes))])

const callsIn = (nodes: readonly Node[]): readonly string[] => [...new Set(nodesWithin(nodes).map(callKey))]

const inlinedSize = (nodes: readonly Node[], sizes: ReadonlyMap<string, number>): number =>
  nodesWithin(nodes).reduce((sum, node) => sum + (sizes.get(callKey(node)) ?? 1), 0)
