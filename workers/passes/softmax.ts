import type { Graph } from '../graph/graph.ts'

/**
 * Cuts a classifier before its final Softmax, so that its logits come out: a softened softmax is one of logits/T, and
 * cross-entropy brings its own. Says whether there was one.
 */
export function removeFinalSoftmax(graph: Graph): { graph: Graph; report: { modified: boolean } } {
  const [output] = graph.outputs
  const node = output && graph.producer(output.name)
  if (!output || node?.op !== 'Softmax' || node.domain !== '') return { graph, report: { modified: false } }
  const [logits = ''] = node.inputs
  const only = graph.uses(output.name).length === 1
  const nodes = only ? graph.nodes.filter((n) => n !== node) : graph.nodes
  const outputs = [{ ...output, name: logits }, ...graph.outputs.slice(1)]
  return { graph: graph.with({ nodes, outputs }), report: { modified: true } }
}
