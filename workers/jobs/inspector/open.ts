import { stat } from 'node:fs/promises'
import { AlambicError } from '../../protocol/errors.ts'
import type { Graph, Model, Node } from '../../graph/graph.ts'
import { bindDims } from '../../ops/bind.ts'
import { inferTypes } from '../../ops/infer.ts'
import { openModel } from '../../recipes/open.ts'
import { openDims } from '../../measure/assess.ts'

/** A model that is being looked at, with the types of its values. */
export interface Opened {
  readonly model: Model
  readonly graph: Graph
}

let last: { readonly key: string; readonly opened: Opened } | undefined

/** Opens a model; the one that was looked at last stays open, so that a question about one layer is answered at once. */
export async function openToInspect(reference: string): Promise<Opened> {
  const found = await stat(reference).catch(() => undefined)
  const key = `${reference} ${found?.size ?? 0} ${found?.mtimeMs ?? 0}`
  if (last?.key === key) return last.opened
  last = undefined
  const model = await openModel(reference)
  const opened = { model, graph: inferTypes(model.graph, { functions: model.functions }) }
  last = { key, opened }
  return opened
}

/** The graph for one sample: every open size is 1. */
export function oneSample({ graph, model }: Opened): Graph {
  const sizes = openDims(graph)
  return Object.keys(sizes).length > 0 ? bindDims(graph, sizes, { functions: model.functions }) : graph
}

export function nodeAt({ graph }: Opened, index: number): Node {
  const node = graph.nodes[index]
  if (node) return node
  throw new AlambicError('model.no-node', `the model has no node ${index}`, {
    expected: `0 to ${graph.nodes.length - 1}`,
    found: String(index),
  })
}

/** How a node is told apart on a screen. */
export const titleOf = (node: Node): string => node.name || (node.outputs.find((name) => name !== '') ?? '')
