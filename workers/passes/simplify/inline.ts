import { AlambicError } from '../../protocol/errors.ts'
import { identity, Graph, type LocalFunction, type Model, type Node } from '../../graph/graph.ts'
import { functionKey, withArguments } from '../../ops/infer/session.ts'
import { namesIn } from '../../graph/builder.ts'
import { renameAll, renamingOf } from '../../graph/rename.ts'
import { FreshNames, throughSubgraphs } from '../names.ts'
import { upgrade } from '../upgrade/upgrade.ts'

/** Calls inside calls beyond this depth are a function that calls itself. */
const maxDepth = 64

interface Inlining {
  readonly functions: ReadonlyMap<string, LocalFunction>
  readonly names: FreshNames
  readonly opset: number
}

/**
 * The graph of a model with every call of one of its own functions replaced by the function's nodes, also inside
 * subgraphs. Names inside a call begin with the call's. The default operator set is raised to the newest that the
 * graph or a function asks for.
 */
export function inlineFunctions(model: Model): Graph {
  const { graph, functions } = model
  if (functions.length === 0) return graph
  const table = new Map(functions.map((f) => [functionKey(f.domain, f.name, f.overload), f]))
  const opset = Math.max(graph.opset, ...functions.map((f) => f.opsets.get('') ?? f.opsets.get('ai.onnx') ?? 0))
  const inlining = { functions: table, names: new FreshNames(graph), opset }
  const inlined = inlineIn(upgrade(graph, opset), inlining, 0)
  return inlined.with({ opsets: mergedOpsets(inlined, functions) })
}

function inlineIn(graph: Graph, inlining: Inlining, depth: number): Graph {
  const initializers = new Map(graph.initializers)
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const called = inlining.functions.get(functionKey(node.domain, node.op, node.overload))
    if (!called) return [throughSubgraphs(node, (subgraph) => inlineIn(subgraph, inlining, depth))]
    if (depth >= maxDepth) throw recursive(node)
    const body = inlineIn(instantiate(called, node, inlining), inlining, depth + 1)
    for (const [name, tensor] of body.initializers) initializers.set(name, tensor)
    return body.nodes
  })
  return nodes.length === graph.nodes.length && nodes.every((node, i) => node === graph.nodes[i])
    ? graph
    : graph.with({ nodes, initializers })
}

const recursive = (node: Node): AlambicError =>
  new AlambicError('graph.recursive-function', `node "${node.name}" (${node.op}): the function calls itself`, {
    subject: node.name,
    expected: 'functions that call other functions only',
  })

/** The body of a function with a call's attributes, at the graph's opset, under names of its own. */
function instantiate(called: LocalFunction, call: Node, { names, opset }: Inlining): Graph {
  const given = { ...called.attributeDefaults, ...call.attributes }
  const body = new Graph({
    name: called.name,
    nodes: called.nodes.map((node) => withArguments(node, given)),
    outputs: called.outputs.map((name) => ({ name, type: { kind: 'unknown' } })),
    opsets: new Map([...called.opsets].map(([domain, version]) => [domain === 'ai.onnx' ? '' : domain, version])),
  })
  const upgraded = upgrade(body, opset)
  const renames = new Map<string, string>([['', '']])
  called.inputs.forEach((name, i) => renames.set(name, call.inputs[i] ?? ''))
  const prefix = call.name === '' ? (call.outputs[0] ?? call.op) : call.name
  const extra: Node[] = []
  called.outputs.forEach((name, i) => {
    const output = call.outputs[i] ?? ''
    if (output === '') return
    if (!renames.has(name)) renames.set(name, output)
    else extra.push(identity(renames.get(name) ?? '', output))
  })
  for (const name of namesIn(upgraded)) if (!renames.has(name)) renames.set(name, names.take(`${prefix}/${name}`))
  const inside = renameAll(upgraded, renamingOf(renames), (name) => `${prefix}/${name}`)
  return inside.with({ nodes: [...inside.nodes, ...extra] })
}

/** Other domains that only functions used, at the functions' versions. */
function mergedOpsets(graph: Graph, functions: readonly LocalFunction[]): ReadonlyMap<string, number> {
  const own = new Set(functions.map((f) => f.domain))
  const used = new Set(graph.nodes.map((node) => node.domain))
  const opsets = new Map([...graph.opsets].filter(([domain]) => !own.has(domain) || used.has(domain)))
  for (const { opsets: more } of functions) {
    for (const [domain, version] of more) {
      if (domain === '' || domain === 'ai.onnx' || !used.has(domain)) continue
      const present = opsets.get(domain)
      if (present !== undefined && present !== version) throw conflict(domain, present, version)
      opsets.set(domain, version)
    }
  }
  return opsets
}

const conflict = (domain: string, a: number, b: number): AlambicError =>
  new AlambicError('graph.opset-conflict', `the model's functions ask for two versions of the operators of ${domain}`, {
    subject: domain,
    expected: 'one version',
    found: `${a} and ${b}`,
  })
