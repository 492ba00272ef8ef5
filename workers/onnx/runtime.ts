import { join } from 'node:path'
import type { Graph, Model, Node } from '../graph/graph.ts'
import { mapSubgraphs } from '../graph/rename.ts'
import { encodeChunks, encodeModel, MAX_FILE_BYTES } from './encode.ts'
import { writeModel } from './write.ts'

/**
 * A model as one self-contained file in memory for a native runtime: all weights inside, and nothing that a runtime
 * does not need (documentation, metadata, fields that are not modelled), since native parsers trust what they read.
 * Throws `onnx.too-large` for 2 GiB and more; `stageForRuntime` has no such bound.
 */
export const encodeForRuntime = (model: Model): Uint8Array =>
  encodeModel({ ...model, graph: withUniqueNodeNames(model.graph) }, { bare: true })

/** onnxruntime refuses two nodes of one name in a graph, which the format allows: later ones get a number. */
export function withUniqueNodeNames(graph: Graph): Graph {
  const taken = new Set<string>()
  const nodes = graph.nodes.map((node): Node => {
    const attributes = mapSubgraphs(node, withUniqueNodeNames)
    let { name } = node
    for (let i = 2; name !== '' && taken.has(name); i++) name = `${node.name}#${i}`
    taken.add(name)
    return name === node.name && attributes === node.attributes ? node : { ...node, name, attributes }
  })
  return nodes.some((node, i) => node !== graph.nodes[i]) ? graph.with({ nodes }) : graph
}

/**
 * What a native runtime can load of a model of any size: bytes below 2 GiB, else the path of a file written to
 * `folder`, with its weights beside it.
 */
export async function stageForRuntime(model: Model, folder: string): Promise<Uint8Array | string> {
  if (encodeChunks(model, { bare: true }).size <= MAX_FILE_BYTES) return encodeForRuntime(model)
  const path = join(folder, 'model.onnx')
  await writeModel(model, path)
  return path
}
