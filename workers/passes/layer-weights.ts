import { AlambicError } from '../protocol/errors.ts'
import type { Graph, Node } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'

/** A weight that a layer multiplies with: of a convolution or a matrix product, float32, of rank 2 at least. */
export interface LayerWeight {
  readonly name: string
  readonly tensor: Tensor
  /** The first node that reads it. */
  readonly node: Node
  readonly kind: 'conv' | 'dense'
}

/** Where operators have such a weight. */
const positions: Readonly<Record<string, { readonly kind: LayerWeight['kind']; readonly inputs: readonly number[] }>> =
  {
    Conv: { kind: 'conv', inputs: [1] },
    ConvTranspose: { kind: 'conv', inputs: [1] },
    Gemm: { kind: 'dense', inputs: [0, 1] },
    MatMul: { kind: 'dense', inputs: [0, 1] },
  }

/** The weights of all layers in the order of the graph; one that several nodes share comes once. */
export function layerWeights(graph: Graph): readonly LayerWeight[] {
  const found = new Map<string, LayerWeight>()
  const inputs = new Set(graph.inputs.map((v) => v.name))
  for (const node of graph.nodes) {
    const row = node.domain === '' ? positions[node.op] : undefined
    for (const index of row?.inputs ?? []) {
      const name = node.inputs[index] ?? ''
      const tensor = graph.initializers.get(name)
      if (!row || tensor?.dtype !== 'f32' || tensor.dims.length < 2 || inputs.has(name) || found.has(name)) continue
      found.set(name, { name, tensor, node, kind: row.kind })
    }
  }
  return [...found.values()]
}

/** Whether a layer is meant by a pattern: the name of its weight or its node, `*` for any characters. */
export function isNamedBy(pattern: string, { name, node }: LayerWeight): boolean {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
  const whole = new RegExp(`^${escaped}$`)
  return whole.test(name) || whole.test(node.name)
}

/**
 * The value that a table of patterns gives a layer, the first match; undefined where none fits. Throws
 * `model.no-layer` for a pattern that fits none of `layers`.
 */
export function byPattern<T>(
  table: Readonly<Record<string, T>>,
  layers: readonly LayerWeight[],
): (layer: LayerWeight) => T | undefined {
  const entries = Object.entries(table)
  const idle = entries.find(([pattern]) => !layers.some((layer) => isNamedBy(pattern, layer)))
  if (idle) {
    throw new AlambicError('model.no-layer', `no layer is called "${idle[0]}"`, {
      subject: idle[0],
      expected: `one of: ${layers.map((l) => l.name).join(', ')}; * stands for any characters`,
      found: idle[0],
    })
  }
  return (layer) => entries.find(([pattern]) => isNamedBy(pattern, layer))?.[1]
}
