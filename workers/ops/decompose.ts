import { attributesOf, type LooseAttributes } from '../graph/attributes.ts'
import { namesIn } from '../graph/builder.ts'
import { identity, type Graph, type Node } from '../graph/graph.ts'
import { Emitter } from './emit.ts'
import { attention, isPlainAttention } from './decompose/attention.ts'
import { rotaryEmbedding } from './decompose/rotary.ts'
import { recurrentDecompositions } from './decompose/recurrent.ts'
import { normDecompositions } from './decompose/norm.ts'

export interface DecomposeContext {
  readonly g: Emitter
  readonly node: Node
  readonly attr: LooseAttributes
}

/** Writes what a node computes with simpler operators and returns the values that take the place of its outputs. */
export type Decomposition = (c: DecomposeContext) => readonly string[]

const decompositions: Readonly<Record<string, Decomposition>> = {
  ...normDecompositions,
  ...recurrentDecompositions,
  Attention: attention,
  RotaryEmbedding: rotaryEmbedding,
}

/** Operators that are only decomposed in some of their forms. */
const forms: Readonly<Record<string, (node: Node) => boolean>> = { Attention: isPlainAttention }

/** True for operators that `decompose` writes with simpler ones. */
export const isDecomposed = (node: Node): boolean =>
  node.domain === '' && node.op in decompositions && (forms[node.op]?.(node) ?? true)

/**
 * A graph in which compound operators (normalizations over axes, recurrent layers) are written with operators that
 * have gradient rules. Value names at their borders stay; shapes must be static along time axes.
 */
export function decompose(graph: Graph): Graph {
  if (!graph.nodes.some(isDecomposed)) return graph
  const g = new Emitter(graph.with({ nodes: [] }))
  g.reserve(namesIn(graph))
  for (const node of graph.nodes) {
    const rule = isDecomposed(node) ? decompositions[node.op] : undefined
    if (!rule) {
      g.append(node)
      continue
    }
    const results = rule({ g, node, attr: attributesOf(node) })
    node.outputs.forEach((output, i) => {
      const result = results[i]
      if (output === '' || result === undefined) return
      g.append(identity(result, output))
    })
  }
  return g.build()
}
