import type { Graph, Node } from '../../graph/graph.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { asTensor, type Shape } from '../../graph/types.ts'
import type { Change, NodeStatus } from '../../protocol/studio.ts'
import { plainValueText } from './text.ts'

/** What a value holds when it is a constant, also one that is dequantized first. */
export function constantOf(graph: Graph, value: string): Tensor | undefined {
  const own = graph.initializers.get(value)
  if (own) return own
  const node = graph.producer(value)
  if (node?.op === 'Constant') {
    const attribute = node.attributes['value']
    return attribute?.kind === 'tensor' ? attribute.value : undefined
  }
  const passes = node?.op === 'DequantizeLinear' || node?.op === 'Cast' || node?.op === 'Identity'
  return passes ? constantOf(graph, node.inputs[0] ?? '') : undefined
}

export const shapeText = (shape: Shape | undefined): string =>
  shape ? (shape.length === 0 ? '1' : shape.join('×')) : '?'

/** All that differs between a node and its counterpart; nothing for nodes that are the same. */
export function changesOf(before: Graph, after: Graph, [a, b]: readonly [Node, Node], known: Counterparts): Change[] {
  const changes: Change[] = []
  if (a.op !== b.op) changes.push({ what: 'operator', name: a.name, before: a.op, after: b.op })
  else changes.push(...attributeChanges(a, b))
  changes.push(...weightChanges(before, after, a, b), ...inputChanges(before, after, [a, b], known))
  a.outputs.forEach((output, i) => {
    const [from, to] = [asTensor(before.type(output))?.shape, asTensor(after.type(b.outputs[i] ?? ''))?.shape]
    if (!from || !to || shapeText(from) === shapeText(to)) return
    changes.push({ what: 'output shape', name: output, before: shapeText(from), after: shapeText(to) })
  })
  return changes
}

export function statusOf(changes: readonly Change[]): NodeStatus {
  const kinds = new Set(changes.map(({ what }) => what))
  kinds.delete('output shape')
  if (kinds.size === 0) return changes.length > 0 ? 'reshaped' : 'same'
  return kinds.size === 1 && kinds.has('weight values') ? 'weights' : 'changed'
}

function attributeChanges(a: Node, b: Node): Change[] {
  const names = [...new Set([...Object.keys(a.attributes), ...Object.keys(b.attributes)])].toSorted()
  return names.flatMap((name): Change[] => {
    const [from, to] = [plainValueText(a.attributes[name]), plainValueText(b.attributes[name])]
    return from === to ? [] : [{ what: 'attribute', name, before: from, after: to }]
  })
}

/** Constants by the place that they are read at; operators of another kind may have them elsewhere. */
function weightChanges(before: Graph, after: Graph, a: Node, b: Node): Change[] {
  const right = b.inputs.flatMap((value) => constantOf(after, value) ?? [])
  let next = 0
  return a.inputs.flatMap((value, i): Change[] => {
    const from = constantOf(before, value)
    if (!from) return []
    const to =
      a.op === b.op
        ? constantOf(after, b.inputs[i] ?? '')
        : right.slice(next).find((t) => t.dims.length === from.dims.length)
    if (!to) return []
    next = Math.max(next, right.indexOf(to) + 1)
    return tensorChanges(value, from, to)
  })
}

function tensorChanges(name: string, from: Tensor, to: Tensor): Change[] {
  const changes: Change[] = []
  if (from.dtype !== to.dtype) changes.push({ what: 'weight type', name, before: from.dtype, after: to.dtype })
  if (shapeText(from.dims) !== shapeText(to.dims)) {
    changes.push({ what: 'weight shape', name, before: shapeText(from.dims), after: shapeText(to.dims) })
  } else if (changes.length === 0 && !sameBytes(from, to)) {
    changes.push({ what: 'weight values', name, before: nonZeroText(from), after: nonZeroText(to) })
  }
  return changes
}

const sameBytes = (a: Tensor, b: Tensor): boolean => {
  if (a.strings || b.strings) return JSON.stringify(a.strings) === JSON.stringify(b.strings)
  return Buffer.compare(a.bytes, b.bytes) === 0
}

/** How many elements are not zero, so that a pruned weight of one shape says what became of it. */
function nonZeroText({ bytes, dims }: Tensor): string {
  const size = dims.reduce((n, d) => n * d, 1)
  const width = size === 0 ? 0 : bytes.length / size
  if (!Number.isInteger(width) || width === 0) return `${size}`
  let zeros = 0
  for (let i = 0; i < size; i++) {
    let any = 0
    for (let k = 0; k < width; k++) any |= bytes[i * width + k] ?? 0
    if (any === 0) zeros++
  }
  return `${size - zeros} of ${size} not 0`
}

/** Nodes with their counterparts, both ways. */
export interface Counterparts {
  readonly forth: ReadonlyMap<Node, Node>
  readonly back: ReadonlyMap<Node, Node>
}

/** Inputs that come from another node than the counterpart's; what was put between does not count. */
function inputChanges(before: Graph, after: Graph, [a, b]: readonly [Node, Node], known: Counterparts): Change[] {
  if (a.op !== b.op) return []
  return a.inputs.flatMap((value, i): Change[] => {
    const [from, to] = [before.producer(value), after.producer(b.inputs[i] ?? '')]
    if (!from || !to || !known.forth.has(from) || known.forth.get(from) === to || !known.back.has(to)) return []
    return [{ what: 'input', name: value, before: from.name, after: to.name }]
  })
}
