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
    const ending = endingOf(cut, name)
    if (!ending) continue
    const { chain, logits } = ending
    const [softmax, reader] = chain
    if (reader === undefined && cut.producer(logits) === undefined) continue
    cut = reader === undefined ? putOut(cut, name, logits) : rewire(cut, reader, logits)
    changes.push(`Softmax "${softmax?.name}" before the output "${name}" removed`)
  }
  return changes.length > 0 ? resultOf(removeDead(cut).graph, changes) : resultOf(graph, [])
}

interface Ending {
  /** From the node whose result is the probabilities to the one that writes the output. */
  readonly chain: readonly Node[]
  readonly logits: string
}

/** The nodes from a Softmax to an output, each read by the next only; undefined when the output has no such end. */
function endingOf(graph: Graph, output: string): Ending | undefined {
  const chain: Node[] = []
  for (let value = output; ;) {
    const node = graph.producer(value)
    if (!node || node.domain !== '') return undefined
    chain.unshift(node)
    const logits = node.op === 'Softmax' ? node.inputs[0] : spelledOut(graph, node)
    if (logits !== undefined) return { chain, logits }
    value = node.inputs[0] ?? ''
    if (!passing.has(node.op) || graph.uses(value).length > 1) return undefined
  }
}

/** What brings a sum or a maximum over classes back to the shape of what it was taken of. */
const carrying = new Set(['Identity', 'Reshape', 'Expand', 'Squeeze', 'Unsqueeze', 'Cast', 'Max'])

/** The node of type `op` that a value comes from through carriers. */
function reduction(graph: Graph, value: string, op: string): Node | undefined {
  for (let node = graph.producer(value); node?.domain === '';) {
    if (node.op === op) return node
    if (!carrying.has(node.op)) return undefined
    // A Max with a constant bounds the maximum from below, wherever that stands.
    const inputs = node.op === 'Max' ? node.inputs.filter((x) => !graph.initializers.has(x)) : node.inputs.slice(0, 1)
    if (inputs.length !== 1) return undefined
    node = graph.producer(inputs[0] ?? '')
  }
  return undefined
}

/**
 * The logits of e^l / Σ e^l, as tools that have no Softmax write it: l, or what l is a difference of when the maximum
 * was taken off it, which changes no probability. Undefined for any other quotient.
 */
function spelledOut(graph: Graph, { op, inputs }: Node): string | undefined {
  const [numerator = '', denominator = ''] = inputs
  const exponential = graph.producer(numerator)
  if (op !== 'Div' || exponential?.op !== 'Exp') return undefined
  if (reduction(graph, denominator, 'ReduceSum')?.inputs[0] !== numerator) return undefined
  const [shifted = ''] = exponential.inputs
  const difference = graph.producer(shifted)
  const [logits = '', most = ''] = difference?.op === 'Sub' ? difference.inputs : []
  return logits !== '' && reduction(graph, most, 'ReduceMax')?.inputs[0] === logits ? logits : shifted
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
