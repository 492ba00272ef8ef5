import { existsSync } from 'node:fs'
import { AlambicError } from '../protocol/errors.ts'
import type { Model } from '../graph/graph.ts'
import { inlineFunctions, renameShadowed } from '../passes/index.ts'
import { readModel } from '../onnx/index.ts'
import { buildZoo, zoo, type ZooId } from '../zoo/index.ts'

interface ZooReference {
  readonly id: ZooId
  /** Factor of every hidden layer's channels. */
  readonly width?: number
}

/** A zoo id, optionally with a width: `lenet-5`, `lenet-5@0.25`. A file of that name comes first. */
export function zooReference(reference: string): ZooReference | undefined {
  if (existsSync(reference)) return undefined
  const [id = '', width] = reference.split('@')
  if (!Object.hasOwn(zoo, id)) return undefined
  return { id: id as ZooId, ...(width === undefined ? {} : { width: Number(width) }) }
}

/**
 * Opens a model for a recipe, whose steps know only plain graphs: calls of the model's own functions are
 * inlined, and every name stands for one value.
 */
export async function openForRecipe(reference: string, seed: number): Promise<Model> {
  const model = await openModel(reference, seed)
  const { graph } = renameShadowed(inlineFunctions(model))
  return graph === model.graph ? model : { ...model, graph, functions: [] }
}

/** Opens a model: an ONNX file, or a net of the zoo with fresh weights from a seed. */
export const openModel = async (reference: string, seed = 42): Promise<Model> =>
  (await openWithFiles(reference, seed)).model

/** The same, with the names of the files beside it that its weights lie in. */
export async function openWithFiles(
  reference: string,
  seed = 42,
): Promise<{ readonly model: Model; readonly externalFiles: readonly string[] }> {
  const net = zooReference(reference)
  if (net) {
    const { id, ...options } = net
    return { model: buildZoo(id, { seed, ...options }), externalFiles: [] }
  }
  if (existsSync(reference)) return readModel(reference)
  throw new AlambicError('model.missing', `there is no model "${reference}"`, {
    subject: reference,
    expected: 'an ONNX file or a zoo id, such as lenet-5 or lenet-5@0.25',
    fix: `Check the path; the zoo has: ${Object.keys(zoo).join(', ')}.`,
  })
}
