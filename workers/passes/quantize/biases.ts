import type { Graph, Node } from '../../graph/graph.ts'
import { arrayOf, f32, tensorOf, type Tensor, sizeOf } from '../../graph/tensor.ts'
import { weightUseOf } from '../../ops/quant.ts'
import { FreshNames } from '../names.ts'
import { channelOf } from './equalize.ts'
import { roundHalfEven } from './affine.ts'

/** Gives every Conv and Gemm without a bias one of zeros, so that there is something to correct. */
export function withBiases(graph: Graph): Graph {
  const initializers = new Map(graph.initializers)
  const names = new FreshNames(graph)
  const nodes = graph.nodes.map((node) => {
    const use = weightUseOf(node, graph)
    if (!use || (node.op !== 'Conv' && node.op !== 'Gemm') || (node.inputs[2] ?? '') !== '') return node
    const out = channelOf(graph, node, 'output')
    const dims = graph.initializers.get(use.name)?.dims ?? []
    const channels = 1 + out(sizeOf(dims) - 1)
    const name = names.take(`${use.name}.bias`)
    initializers.set(name, f32(new Float32Array(channels)))
    return { ...node, inputs: [node.inputs[0] ?? '', node.inputs[1] ?? '', name] }
  })
  return initializers.size === graph.initializers.size ? graph : graph.with({ nodes, initializers })
}

/**
 * A quantized graph with numbers added to the bias of a layer: to its int32 codes in units of their scale, or to its
 * floats. Undefined where the layer has no bias of its own.
 */
export function withShiftedBias(graph: Graph, layer: Node, shift: readonly number[]): Graph | undefined {
  const node = graph.nodes.find((n) => n.name === layer.name && n.op === layer.op)
  const bias = node?.inputs[2] ?? ''
  const producer = graph.producer(bias)
  const set = (name: string, tensor: Tensor) =>
    graph.with({ initializers: new Map([...graph.initializers, [name, tensor]]) })
  if (producer?.op === 'DequantizeLinear') {
    const [codes, scale] = producer.inputs.map((name) => graph.initializers.get(name))
    if (codes?.dtype !== 'i32' || !scale) return undefined
    const scales = arrayOf(scale) as Float32Array
    const moved = (arrayOf(codes) as Int32Array).map(
      (q, c) => q + roundHalfEven((shift[c] ?? 0) / (scales[scales.length === 1 ? 0 : c] ?? 1)),
    )
    return set(producer.inputs[0] ?? '', tensorOf('i32', codes.dims, moved))
  }
  const own = graph.initializers.get(bias)
  if (own?.dtype !== 'f32') return undefined
  return set(
    bias,
    f32(
      (arrayOf(own) as Float32Array).map((b, c) => b + (shift[c] ?? 0)),
      own.dims,
    ),
  )
}
