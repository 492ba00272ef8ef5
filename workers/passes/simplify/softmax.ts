import type { Graph, Node } from '../../graph/graph.ts'
import { resultOf, type ChangeResult } from '../report.ts'
import { removeDead } from './dead.ts'

/** Nodes that only hand a Softmax's result on to the output. */
const passing = new Set(['Identity', 'Flatten', 'Reshape', 'Squeeze'])

/**
 * Cuts the Softmax off every output that ends in one, so that the output gives logits: a distillation loss softens
 * logits, and log(softmax(z))/T is not z/T. The output has the name of the logits where nothing stands between.
 */
export function removeFinalSoftmax(graph: Graph): ChangeResult {
  const changes: string[] = []
  let cut = graph
  for (const { name } of graph.outputs) {
    const chain = chainTo(cut, name)
    const softmax = chain[0]
    const [logits] = softmax?.inputs ?? []
    if (softmax === undefined || logits === undefined || (chain.length === 1 && cut.producer(logits) === undefined))
      continue
    cut = chain.length === 1 ? putOut(cut, name, logits) : rewire(cut, chain[1] as Node, logits)
    changes.push(`Softmax "${softmax.name}" before the output "${name}" removed`)
  }
  return changes.length > 0 ? resultOf(removeDead(cut).graph, changes) : resultOf(graph, [])
}

/** The nodes from a Softmax to an output, each read by the next only; empty when the output has no such end. */
function chainTo(graph: Graph, output: string): readonly Node[] {
  const chain: Node[] = []
  for (let value = output; ;) {
    const node = graph.producer(value)
    if (!node || node.domain !== '') return []
    chain.unshift(node)
    if (node.op === 'Softmax') return chain
    value = node.inputs[0] ?? ''
    if (!passing.has(node.op) || graph.uses(value).length > 1) return []
  }
}

/** The logits in the output's place; nothing in its place where they are an output already. */
function putOut(graph: Graph, output: string, logits: string): Graph {
  const known = graph.outputs.some((v) => v.name === logits)
  const outputs = graph.outputs.flatMap((v) => (v.name !== output ? [v] : known ? [] : [{ ...v, name: logits }]))
  return graph.with({ outputs })
}

function rewire(graph: Graph, reader: Node, logits: string): Graph {
  const nodes = graph.nodes.map((n) => (n === reader ? { ...n, inputs: [logits, ...n.inputs.slice(1)] } : n))
  return graph.with({ nodes })
}
