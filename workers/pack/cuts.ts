import { dtypes, type DType } from '../graph/dtype.ts'
import { subgraphsOf, type Graph, type Model, type Node } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'

/** A stretch of a model's file that holds the elements of a tensor. */
export interface Cut {
  readonly name: string
  readonly start: number
  readonly end: number
  /** Bytes of one element; 1 for packed types. */
  readonly width: number
}

/** Smaller tensors stay where they are, in the skeleton: a block of their own would cost more than it saves. */
export const SMALLEST_CUT = 64

/**
 * Where the tensors of a model lie in the bytes that it was decoded from, in order, without overlaps. What the codec
 * had to copy (elements one field each) is not found and stays in the skeleton.
 */
export function cutsOf(model: Model, file: Uint8Array): readonly Cut[] {
  const found: Cut[] = []
  for (const [name, tensor] of tensorsIn(model)) {
    const { bytes } = tensor
    if (bytes.buffer !== file.buffer || bytes.length < SMALLEST_CUT) continue
    const start = bytes.byteOffset - file.byteOffset
    if (start < 0 || start + bytes.length > file.length) continue
    found.push({ name, start, end: start + bytes.length, width: widthOf(tensor.dtype) })
  }
  found.sort((a, b) => a.start - b.start || b.end - a.end)
  let end = 0
  return found.filter((cut) => {
    if (cut.start < end) return false
    end = cut.end
    return true
  })
}

function widthOf(dtype: DType): number {
  const bytes = dtypes[dtype].bits / 8
  return [1, 2, 4, 8].includes(bytes) ? bytes : 1
}

function* tensorsIn(model: Model): Generator<readonly [string, Tensor]> {
  yield* inGraph(model.graph)
  for (const fn of model.functions) yield* inNodes(fn.nodes)
}

function* inGraph(graph: Graph): Generator<readonly [string, Tensor]> {
  yield* graph.initializers
  yield* inNodes(graph.nodes)
}

function* inNodes(nodes: readonly Node[]): Generator<readonly [string, Tensor]> {
  for (const node of nodes) {
    const name = node.name || (node.outputs[0] ?? '')
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === 'tensor') yield [name, attribute.value]
      else if (attribute.kind === 'tensors') for (const tensor of attribute.value) yield [name, tensor]
    }
    for (const inner of subgraphsOf(node)) yield* inGraph(inner)
  }
}
