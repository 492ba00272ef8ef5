import { attributesOf, toAttributes } from '../../../graph/attributes.ts'
import { removeDead } from '../../../graph/dead.ts'
import type { Graph, Node } from '../../../graph/graph.ts'
import { renameReads } from '../../../graph/rename.ts'
import { asTensor, staticShape } from '../../../graph/types.ts'
import { COMPOSITES } from '../../../ops/composites.ts'
import type { Emitter } from '../../../ops/emit.ts'
import type { Lowering } from '../lower.ts'
import { geometryOf, type Geometry } from './geometry.ts'

/**
 * onnxruntime's own blocked layout (NCHWc): channels in blocks of 8 or 16, so that a convolution reads and writes
 * whole vectors. Its optimizer uses it only where weights are constant; here they change with every step, so the
 * operators of that domain are written out, and the small weight is blocked anew each time: 1.5–2 times faster.
 */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc'

interface BlockedConv {
  readonly g: Emitter
  readonly block: number
  /** [N, I, H, W]. */
  readonly x: string
  /** [M, C, kh, kw]. */
  readonly w: string
  /** The convolution reads M channels and writes C, as the gradient of the input does; else the other way round. */
  readonly swapped?: boolean
  readonly bias?: string | undefined
  readonly relu?: boolean
  /** [N, O, Ho, Wo]. */
  readonly output: readonly number[]
  readonly geometry: Pick<Geometry, 'kernel' | 'strides' | 'dilations' | 'before' | 'after'>
}

/** Output channels must fill blocks; input channels too, or be fewer than one block (the image itself). */
export const isBlockable = (block: number | undefined, group: number, from: number, to: number): block is number =>
  block !== undefined && group === 1 && to % block === 0 && (from % block === 0 || from < block)

/** A 2-D convolution of float32 by a weight that is not constant, in the blocked layout and back. */
export function blockedConv({ g, block, x, w, swapped, bias, relu, output, geometry }: BlockedConv): string {
  const [m, c, kh, kw] = g.dims(w) as [number, number, number, number]
  const attributes = {
    kernel_shape: geometry.kernel,
    strides: geometry.strides,
    dilations: geometry.dilations,
    pads: [...geometry.before, ...geometry.after],
    group: 1,
    ...(relu ? { activation: 'Relu' } : {}),
  }
  const input = g.dims(x)[1] as number
  const wide = input >= block
  // To [O/b, I/b, kh, kw, I in block, O in block], or [O/b, I, kh, kw, O in block] when the input is not blocked. The
  // kernel reads the buffer; the shape that is declared stays that of a weight.
  const apart = swapped
    ? g.transpose(g.reshape(w, [m / block, block, c / block, block, kh, kw]), [2, 0, 4, 5, 1, 3])
    : wide
      ? g.transpose(g.reshape(w, [m / block, block, c / block, block, kh, kw]), [0, 2, 4, 5, 3, 1])
      : g.transpose(g.reshape(w, [m / block, block, c, kh, kw]), [0, 2, 3, 4, 1])
  const weight = g.reshape(apart, [...(swapped ? [c, m] : [m, c]), kh, kw])
  const data = wide ? toBlocked(g, x) : x
  return fromBlocked(g, blocked(g, 'Conv', [data, weight, ...(bias ? [bias] : [])], attributes, output))
}

/** [N, C, H, W] → the same elements as [N, C/b, H, W, b]; the shape that is declared stays [N, C, H, W]. */
export const toBlocked = (g: Emitter, x: string): string => blocked(g, 'ReorderInput', [x], {}, g.dims(x))

export const fromBlocked = (g: Emitter, x: string): string =>
  blocked(g, 'ReorderOutput', [x], { channels: g.dims(x)[1] as number }, g.dims(x))

/** Emits an operator of the blocked domain; `shape` is that of its output as [N, C, H, W]. */
export function blocked(
  g: Emitter,
  op: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, number | string | readonly number[]>>,
  shape: readonly number[],
): string {
  const [y = ''] = g.node(BLOCKED_DOMAIN, op, inputs, attributes)
  g.types.set(y, { kind: 'tensor', dtype: 'f32', shape })
  return y
}

/** A forward convolution whose weight is trained, with the Relu after it when nothing else reads what is between. */
const TRAINED_CONV = 'TrainedConv'

/** Marks the forward convolutions that `trainedConv` is to write. */
export function blockTrainedConvs(graph: Graph, block: number | undefined): Graph {
  const fused = new Set<Node>()
  const nodes = graph.nodes.map((node): Node => {
    if (!isTrainedConv(graph, node, block)) return node
    const relu = reluAfter(graph, node)
    if (relu) fused.add(relu)
    const attributes = { ...node.attributes, ...toAttributes(TRAINED_CONV, COMPOSITES, { relu: relu ? 1 : 0 }) }
    return { ...node, op: TRAINED_CONV, domain: COMPOSITES, attributes, outputs: relu?.outputs ?? node.outputs }
  })
  return graph.with({ nodes: nodes.filter((node) => !fused.has(node)) })
}

function isTrainedConv(graph: Graph, node: Node, block: number | undefined): boolean {
  const [x = '', w = ''] = node.inputs
  if (node.op !== 'Conv' || node.domain !== '' || graph.initializers.has(w)) return false
  const [from, to] = [asTensor(graph.type(x)), staticShape(graph.type(node.outputs[0] as string))]
  const channels = staticShape(graph.type(x))?.[1]
  if (from?.dtype !== 'f32' || to?.length !== 4 || channels === undefined) return false
  return isBlockable(block, Number(attributesOf(node)['group'] ?? 1), channels, to[1] as number)
}

function reluAfter(graph: Graph, conv: Node): Node | undefined {
  const [use, ...others] = graph.uses(conv.outputs[0] as string)
  return others.length === 0 && use?.kind === 'node' && use.node.op === 'Relu' && use.node.domain === ''
    ? use.node
    : undefined
}

export const trainedConv: Lowering = ({ g, node, attr, graph, block }) => {
  const [x = '', w = '', bias] = node.inputs
  const output = staticShape(graph.type(node.outputs[0] as string)) as readonly number[]
  const geometry = geometryOf(attr, g.dims(x), output, g.dims(w).slice(2))
  return [blockedConv({ g, block: block as number, x, w, bias, relu: attr['relu'] === 1, output, geometry })]
}

/**
 * Takes values that were brought into the plain layout from where they are blocked, instead of blocking them anew, and
 * blocks no value twice. What nobody reads then is dead.
 */
export function withoutRoundTrips(graph: Graph): Graph {
  const plain = new Map<string, string>()
  const blockedForm = new Map<string, string>()
  const renames = new Map<string, string>()
  const plainOf = (value: string) => plain.get(value) ?? value
  const nodes: Node[] = []
  for (const read of graph.nodes) {
    const node = renameReads(read, (name) => renames.get(name) ?? name)
    const [input = '', output = ''] = [node.inputs[0], node.outputs[0]]
    const isReorder = (op: string) => node.domain === BLOCKED_DOMAIN && node.op === op
    if (node.op === 'Identity' && node.domain === '') plain.set(output, plainOf(input))
    if (isReorder('ReorderOutput')) blockedForm.set(output, input)
    const known = isReorder('ReorderInput') ? blockedForm.get(plainOf(input)) : undefined
    if (known !== undefined) {
      renames.set(output, known)
      continue
    }
    if (isReorder('ReorderInput')) blockedForm.set(plainOf(input), output)
    nodes.push(node)
  }
  return removeDead(graph.with({ nodes }))
}
