import { createHash } from 'node:crypto'
import { subgraphsOf, type Graph } from './graph.ts'
import { print } from './print.ts'
import type { Tensor } from './tensor.ts'
import { tensorHash } from './tensor-hash.ts'

export { tensorHash } from './tensor-hash.ts'

/**
 * SHA-256 (hex) of what a graph computes and how its values are called: the whole text with every constant by hash.
 * The order in which constants are listed, documentation, metadata and the known types of intermediates do not count.
 */
export const graphHash = (graph: Graph): string =>
  createHash('sha256')
    .update(print(graph, { weights: 'hash' }))
    .digest('hex')

/** All constants of a graph by hash, those in attributes and subgraphs too: what `parse` needs to read its text back. */
export function weightsOf(graph: Graph, weights = new Map<string, Tensor>()): Map<string, Tensor> {
  for (const tensor of graph.initializers.values()) weights.set(tensorHash(tensor), tensor)
  for (const node of graph.nodes) {
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === 'tensor') weights.set(tensorHash(attribute.value), attribute.value)
      else if (attribute.kind === 'tensors') for (const t of attribute.value) weights.set(tensorHash(t), t)
    }
    for (const inner of subgraphsOf(node)) weightsOf(inner, weights)
  }
  return weights
}
