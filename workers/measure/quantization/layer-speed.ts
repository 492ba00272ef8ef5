import type { Graph, Node } from '../../graph/graph.ts'
import { extract } from '../../graph/rewrite.ts'
import { bindDims } from '../../ops/bind.ts'
import { inferTypes } from '../../ops/infer.ts'
import { planQuantization, prepareForQuantization, quantizeStatic } from '../../passes/index.ts'
import { openDims } from '../assess.ts'
import { timeInTurn, type SpeedOptions } from './speed.ts'

/** One layer alone, with float and with integer inputs and outputs: what it takes inside a run of its like. */
export interface LayerSpeed {
  readonly layer: string
  readonly floatMs: number
  readonly int8Ms: number
}

/**
 * Times every layer that multiplies by a weight, once in float (with the activation behind it) and once from codes to
 * codes. Layers that have no such form (no quantized output) are left out. Times are the least of the runs.
 */
export async function layerSpeeds(
  real: Graph,
  quantized: Graph,
  layers: readonly Node[],
  options: SpeedOptions,
  onLayer: (done: number) => void = () => undefined,
): Promise<readonly LayerSpeed[]> {
  const [left, right] = [bound(real), bound(quantized)]
  const speeds: LayerSpeed[] = []
  for (const [i, layer] of layers.entries()) {
    const pair = alone(left, right, layer)
    if (pair) {
      const [float, int8] = await timeInTurn(pair, { runs: 25, budgetMs: 400, ...options })
      speeds.push({ layer: layer.name, floatMs: float?.minMs ?? 0, int8Ms: int8?.minMs ?? 0 })
    }
    onLayer(i + 1)
  }
  return speeds
}

/**
 * Milliseconds that int8 kernels save on each layer, by the names of the nodes; negative where they are slower here.
 * Ranges are made up: how long integers take does not depend on them.
 */
export async function int8Savings(graph: Graph, options: SpeedOptions): Promise<ReadonlyMap<string, number>> {
  const plan = planQuantization(prepareForQuantization(graph))
  const ranges = new Map([...plan.activations.keys()].map((value) => [value, { min: -1, max: 1 }] as const))
  const { graph: quantized } = quantizeStatic(plan, { ranges })
  const layers = plan.weights.map((site) => site.node)
  const speeds = await layerSpeeds(plan.source, quantized, layers, options)
  return new Map(speeds.map(({ layer, floatMs, int8Ms }) => [layer, floatMs - int8Ms]))
}

const bound = (graph: Graph): Graph => {
  const sizes = openDims(graph)
  return inferTypes(Object.keys(sizes).length > 0 ? bindDims(graph, sizes) : graph)
}

/** The layer cut out of both graphs; the quantized one between the codes that it reads and those that it writes. */
function alone(real: Graph, quantized: Graph, layer: Node): readonly [Graph, Graph] | undefined {
  const [input = ''] = layer.inputs
  const [output = ''] = layer.outputs
  const node = quantized.nodes.find((n) => n.name === layer.name && n.op === layer.op)
  const from = quantized.producer(node?.inputs[0] ?? '')
  const to = quantized
    .uses(node?.outputs[0] ?? '')
    .find((use) => use.kind === 'node' && use.node.op === 'QuantizeLinear')
  if (from?.op !== 'DequantizeLinear' || to?.kind !== 'node') return undefined
  if (!real.type(input) || !real.type(output)) return undefined
  return [extract(real, [input], [output]), extract(quantized, [from.inputs[0] ?? ''], [to.node.outputs[0] ?? ''])]
}
