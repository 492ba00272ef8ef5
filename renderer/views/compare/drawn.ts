import type { GraphDiff, ModelSheet, NodeStatus } from '../../../workers/protocol/studio.ts'
import type { GraphData, Mark, Tone } from '../../graph/model.ts'

/** A model's columns as a graph to draw: its inputs come first, then its nodes, then its outputs. */
export function drawnGraph(sheet: ModelSheet): GraphData {
  const { inputs, outputs, names, ops, types, weights, edges } = sheet
  const end = inputs.length + sheet.count
  const place = (index: number, isSource: boolean): number =>
    index >= 0 ? inputs.length + index : isSource ? -1 - index : end + (-1 - index)
  const said = (texts: { readonly values: readonly string[]; readonly index: Uint32Array }, i: number) =>
    texts.values[texts.index[i] ?? 0] ?? ''
  return {
    nodes: [
      ...inputs.map(({ name, type }) => ({
        id: `in ${name}`,
        label: name,
        name,
        kind: 'input' as const,
        lines: [type],
      })),
      ...names.map((name, i) => ({
        id: nodeId(i),
        label: said(ops, i),
        name,
        lines: [said(types, i), said(weights, i)].filter((line) => line !== ''),
      })),
      ...outputs.map(({ name, type }) => ({
        id: `out ${name}`,
        label: name,
        name,
        kind: 'output' as const,
        lines: [type],
      })),
    ],
    edges: Array.from(edges.from, (from, i) => ({
      from: place(from, true),
      to: place(edges.to[i] ?? 0, false),
      label: said(edges.types, i),
    })),
  }
}

export const nodeId = (index: number): string => `node ${index}`

export const indexOfId = (id: string | undefined): number | undefined =>
  id?.startsWith('node ') ? Number(id.slice('node '.length)) : undefined

/** How each status is drawn; a badge says the same without colour. */
export const statusMarks: Readonly<Record<NodeStatus, Mark & { readonly tone: Tone }>> = {
  same: { tone: 'none' },
  reshaped: { tone: 'none', badge: '⇢' },
  weights: { tone: 'info', badge: '≈' },
  changed: { tone: 'warn', badge: 'Δ' },
  added: { tone: 'good', badge: '+' },
  removed: { tone: 'bad', badge: '−' },
}

/** What is most worth seeing among the nodes of a closed box. */
const rank: readonly NodeStatus[] = ['changed', 'removed', 'added', 'weights', 'reshaped', 'same']

/** Marks the drawn nodes of one side; `offset` drawn nodes come before the first. */
export function markOf(
  diff: GraphDiff,
  side: 'before' | 'after',
  offset: number,
): (nodes: readonly number[]) => Mark | undefined {
  const status = new Map(
    diff.nodes.flatMap((node) => (node[side] === undefined ? [] : [[node[side] + offset, node.status] as const])),
  )
  return (nodes) => {
    const found = new Set(nodes.flatMap((node) => status.get(node) ?? []))
    const most = rank.find((one) => found.has(one))
    if (most === undefined || most === 'same') return undefined
    const count = nodes.filter((node) => status.get(node) === most).length
    const { tone, badge } = statusMarks[most]
    return { tone, badge: nodes.length > 1 ? `${badge ?? ''} ${count}` : (badge ?? '') }
  }
}
