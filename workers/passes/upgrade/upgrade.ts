import { AlambicError } from '../../protocol/errors.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { FreshNames, throughSubgraphs } from '../names.ts'
import { adapters } from './adapters.ts'
import { Scope } from './context.ts'

/** The opsets that the upgrader reads and writes. */
export const oldestOpset = 7
export const newestOpset = 24

/**
 * The same function at a later version of the default operator set. Value names stay; constants and helper nodes are
 * added where an attribute became an input or a meaning changed. A graph that is at `toOpset` or later is returned as
 * it is. Types of values help (a Softmax on a known rank stays one node); run inference first where they are unknown.
 *
 * @throws AlambicError `upgrade.version` for versions before 7 or past 24, `upgrade.node` for a node whose old form has
 * no equivalent.
 */
export function upgrade(graph: Graph, toOpset: number): Graph {
  if (graph.opset >= toOpset) return graph
  if (graph.opset < oldestOpset || toOpset > newestOpset) {
    throw new AlambicError(
      'upgrade.version',
      `graph "${graph.name}" can not go from opset ${graph.opset} to ${toOpset}`,
      {
        subject: graph.name,
        expected: `opsets ${oldestOpset} to ${newestOpset}`,
        found: `${graph.opset} to ${toOpset}`,
        fix: 'Export the model again with a newer opset.',
      },
    )
  }
  const names = new FreshNames(graph)
  let upgraded = graph
  for (let version = graph.opset + 1; version <= toOpset; version++) upgraded = step(upgraded, version, names)
  return upgraded
}

/** One version up. */
function step(graph: Graph, version: number, names: FreshNames, outer?: Scope): Graph {
  const scope = new Scope(graph, names, outer)
  const nodes = graph.nodes.flatMap((node): Node | readonly Node[] => {
    const inner = throughSubgraphs(node, (subgraph) => step(subgraph, version, names, scope))
    const adapt = isDefault(node.domain) ? adapters[node.op]?.[version] : undefined
    return adapt ? adapt(inner, scope) : inner
  })
  const opsets = new Map(graph.opsets)
  const domain = opsets.has('') || !opsets.has('ai.onnx') ? '' : 'ai.onnx'
  opsets.set(domain, version)
  return graph.with({ nodes, initializers: scope.initializers, opsets })
}

const isDefault = (domain: string): boolean => domain === '' || domain === 'ai.onnx'
