import { join } from 'node:path'
import type { Model } from '../graph/graph.ts'
import { withUniqueNodeNames } from '../graph/node-names.ts'
import { encodeChunks, encodeModel, MAX_FILE_BYTES } from './encode.ts'
import { writeModel } from './write.ts'

/**
 * A model as one self-contained file in memory for a native runtime: all weights inside, and nothing that a runtime
 * does not need (documentation, metadata, fields that are not modelled), since native parsers trust what they read.
 * Names of nodes are made unique, which onnxruntime asks for.
 * Throws `onnx.too-large` for 2 GiB and more; `stageForRuntime` has no such bound.
 */
export const encodeForRuntime = (model: Model): Uint8Array => encodeModel(loadable(model), { bare: true })

const loadable = (model: Model): Model => ({ ...model, graph: withUniqueNodeNames(model.graph) })

/**
 * What a native runtime can load of a model of any size: bytes below 2 GiB, else the path of a file written to
 * `folder`, with its weights beside it.
 */
export async function stageForRuntime(model: Model, folder: string): Promise<Uint8Array | string> {
  if (encodeChunks(loadable(model), { bare: true }).size <= MAX_FILE_BYTES) return encodeForRuntime(model)
  const path = join(folder, 'model.onnx')
  await writeModel(model, path)
  return path
}
