import { Builder } from '../../graph/builder.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { resultOf, type ChangeResult } from '../report.ts'

/**
 * Max-pools before a Relu instead of behind it: max(relu(x)) = relu(max(x)), and the gradients are the same too, since
 * a window without a positive element passes none on. The Relu and its gradient then touch a window's share of the
 * elements. For training: at inference a Relu costs nothing in the convolution that it follows.
 */
export function poolBeforeRelu(graph: Graph): ChangeResult {
  const pools = new Map<Node, Node>()
  for (const relu of graph.nodes) {
    const pool = relu.op === 'Relu' && relu.domain === '' ? onlyPoolOf(graph, relu) : undefined
    if (pool) pools.set(pool, relu)
  }
  if (pools.size === 0) return resultOf(graph, [])
  const names = new Builder(graph)
  const relus = new Set(pools.values())
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (relus.has(node)) return []
    const relu = pools.get(node)
    if (!relu) return [node]
    const between = names.fresh(`${node.outputs[0] ?? ''}.before_relu`)
    return [
      { ...node, inputs: relu.inputs, outputs: [between] },
      { ...relu, inputs: [between], outputs: node.outputs },
    ]
  })
  const gone = new Set([...relus].flatMap((relu) => relu.outputs))
  const types = new Map([...graph.types].filter(([name]) => !gone.has(name)))
  return resultOf(
    graph.with({ nodes, types }),
    [...pools].map(([pool, relu]) => `MaxPool "${pool.name}" before Relu "${relu.name}"`),
  )
}

/** The max-pool that alone reads a Relu, when its indices are not asked for. */
function onlyPoolOf(graph: Graph, relu: Node): Node | undefined {
  const [use, ...others] = graph.uses(relu.outputs[0] ?? '')
  if (others.length > 0 || use?.kind !== 'node') return undefined
  const { op, domain, outputs } = use.node
  return op === 'MaxPool' && domain === '' && (outputs[1] ?? '') === '' ? use.node : undefined
}
