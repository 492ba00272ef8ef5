import type { GraphDiff, NodeStatus } from '../../../workers/protocol/studio.ts'
import type { Mark, Tone } from '../../graph/model.ts'

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

/** Marks the drawn nodes of one side; `rowOf` tells the place in the model's nodes of each. */
export function markOf(
  diff: GraphDiff,
  side: 'before' | 'after',
  rowOf: Int32Array,
): (nodes: readonly number[]) => Mark | undefined {
  const places = new Map(
    diff.nodes.flatMap((node) => (node[side] === undefined ? [] : [[node[side], node.status] as const])),
  )
  const status = (node: number) => places.get(rowOf[node] ?? -1)
  return (nodes) => {
    const found = new Set(nodes.map(status))
    const most = rank.find((one) => found.has(one))
    if (most === undefined || most === 'same') return undefined
    const count = nodes.filter((node) => status(node) === most).length
    const { tone, badge = '' } = statusMarks[most]
    return { tone, badge: nodes.length > 1 ? `${badge} ${count}` : badge }
  }
}
