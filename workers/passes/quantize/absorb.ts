import { attributesOf } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import type { PassReport, PassResult } from '../../graph/pass.ts'
import { f32, sizeOf, type Tensor } from '../../graph/tensor.ts'
import { weightUseOf } from '../../ops/quant.ts'
import { FreshNames } from '../names.ts'
import { channelOf } from './equalize.ts'
import { layerName } from './plan.ts'
import { floatsOf } from './weights.ts'

/** Mean and standard deviation of each channel of a layer's output, before its activation. */
export interface Moments {
  readonly mean: readonly number[]
  readonly deviation: readonly number[]
}

export interface AbsorbReport extends PassReport {
  /** Channels that were lowered, by layer. */
  readonly absorbed: readonly { readonly layer: string; readonly channels: number }[]
}

/** What lies three deviations below the mean is as good as never there. */
const DEVIATIONS = 3

/**
 * Moves high biases on to the next layer: c = max(0, β − 3|γ|), b1 − c and b2 + W2·c (Nagel et al. 2019,
 * arXiv:1906.04721, section 4.2). Relu(x − c) + c is Relu(x) wherever x ≥ c, which holds for nearly all inputs. Layers
 * that pad with zeros are left alone: the border would not be compensated. Moments are by the layer's output value;
 * those of a folded batch normalization are β and |γ|.
 */
export function absorbHighBias(graph: Graph, moments: ReadonlyMap<string, Moments>): PassResult<AbsorbReport> {
  const initializers = new Map(graph.initializers)
  const names = new FreshNames(graph)
  const nodes = new Map<Node, Node>()
  const absorbed: { layer: string; channels: number }[] = []
  for (const first of graph.nodes) {
    const found = moments.get(first.outputs[0] ?? '')
    const second = found && afterRelu(graph, first)
    const bias = graph.initializers.get(first.inputs[2] ?? '')
    if (!second || bias?.dtype !== 'f32' || graph.uses(first.inputs[2] ?? '').length !== 1) continue
    const lowered = found.mean.map((mean, c) => Math.max(0, mean - DEVIATIONS * Math.abs(found.deviation[c] ?? 0)))
    const channels = lowered.filter((c) => c > 0).length
    if (channels === 0) continue
    const own = floatsOf(initializers.get(first.inputs[2] ?? '') as Tensor)
    initializers.set(
      first.inputs[2] ?? '',
      f32(
        own.map((b, c) => b - (lowered[c] ?? 0)),
        bias.dims,
      ),
    )
    const raised = raise(graph, nodes.get(second) ?? second, lowered, initializers, names)
    if (raised !== second) nodes.set(second, raised)
    absorbed.push({ layer: layerName(first), channels })
  }
  if (absorbed.length === 0) return { graph, report: { modified: false, absorbed } }
  const changed = graph.with({ initializers, nodes: graph.nodes.map((node) => nodes.get(node) ?? node) })
  return { graph: changed, report: { modified: true, absorbed } }
}

/** The layer behind a Relu that nothing else reads, where it pads nothing. */
function afterRelu(graph: Graph, first: Node): Node | undefined {
  const only = (value: string) => {
    const [use, ...more] = graph.uses(value)
    return use?.kind === 'node' && use.index === 0 && more.length === 0 ? use.node : undefined
  }
  const relu = only(first.outputs[0] ?? '')
  const second = relu?.op === 'Relu' ? only(relu.outputs[0] ?? '') : undefined
  if (!second || second.op === 'ConvTranspose' || !weightUseOf(second, graph)) return undefined
  const { pads = [], auto_pad: auto = 'NOTSET' } = attributesOf(second) as { pads?: number[]; auto_pad?: string }
  const padsNothing = pads.every((p) => p === 0) && (auto === 'NOTSET' || auto === 'VALID')
  return padsNothing && second.op !== 'MatMul' ? second : undefined
}

/** b2 + Σ W2·c for every output channel; a bias is made where there is none. */
function raise(
  graph: Graph,
  node: Node,
  lowered: readonly number[],
  initializers: Map<string, Tensor>,
  names: FreshNames,
): Node {
  const weight = initializers.get(node.inputs[1] ?? '') as Tensor
  const [into, out] = [channelOf(graph, node, 'input'), channelOf(graph, node, 'output')]
  const outputs = 1 + out(sizeOf(weight.dims) - 1)
  const sums = new Float64Array(outputs)
  floatsOf(weight).forEach((w, i) => (sums[out(i)] = (sums[out(i)] as number) + w * (lowered[into(i)] ?? 0)))
  const known = node.inputs[2] ?? ''
  const own = known === '' ? new Float32Array(outputs) : floatsOf(initializers.get(known) as Tensor)
  const isShared = known !== '' && graph.uses(known).length !== 1
  const name = known === '' || isShared ? names.take(`${node.inputs[1] ?? ''}.bias`) : known
  initializers.set(
    name,
    f32(
      own.map((b, c) => b + (sums[c] ?? 0)),
      [outputs],
    ),
  )
  return name === known ? node : { ...node, inputs: [node.inputs[0] ?? '', node.inputs[1] ?? '', name] }
}
