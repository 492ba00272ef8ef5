import type { ModelSheet, Texts } from '../../../workers/protocol/studio.ts'
import type { GraphData, GraphEdge, GraphNode } from '../../graph/model.ts'

/** A model as a graph to draw: its inputs, its nodes, its outputs. Constants are part of the nodes that read them. */
export interface Drawn {
  readonly graph: GraphData
  /** The row of the sheet of each drawn node; −1 for inputs and outputs. */
  readonly rowOf: Int32Array
  /** The drawn node of each row; −1 for rows that are not drawn. */
  readonly nodeOf: Int32Array
}

export const textAt = ({ values, index }: Texts, row: number): string => values[index[row] ?? 0] ?? ''

/** How a row is selected everywhere. */
export const idOfRow = (row: number): string => `n${row}`

/** The row that an id selects; undefined for groups, inputs and outputs. */
export const rowOfId = (id: string | undefined): number | undefined =>
  id !== undefined && /^n\d+$/.test(id) ? Number(id.slice(1)) : undefined

const linesOf = ({ values }: Texts): readonly (readonly string[])[] =>
  values.map((text) => (text === '' ? [] : text.split('\n')))

export function drawnOf(sheet: ModelSheet): Drawn {
  const nodes: GraphNode[] = []
  const rows: number[] = []
  const nodeOf = new Int32Array(sheet.count).fill(-1)
  const [attributes, weights] = [linesOf(sheet.attributes), linesOf(sheet.weights)]
  const add = (node: GraphNode, row: number): void => {
    if (row >= 0) nodeOf[row] = nodes.length
    nodes.push(node)
    rows.push(row)
  }
  sheet.inputs.forEach(({ name, type }, i) => add({ id: `in${i}`, label: type, name, kind: 'input' }, -1))
  for (let row = 0; row < sheet.count; row++) {
    const label = textAt(sheet.ops, row)
    if (label === 'Constant') continue
    add(
      {
        id: idOfRow(row),
        label,
        name: sheet.names[row] ?? '',
        attributes: attributes[sheet.attributes.index[row] ?? 0] ?? [],
        weights: weights[sheet.weights.index[row] ?? 0] ?? [],
      },
      row,
    )
  }
  const firstOutput = nodes.length
  sheet.outputs.forEach(({ name, type }, i) => add({ id: `out${i}`, label: type, name, kind: 'output' }, -1))
  const edges: GraphEdge[] = []
  const { from, to, types } = sheet.edges
  from.forEach((source, i) => {
    const target = to[i] ?? 0
    const edge = {
      from: source < 0 ? -1 - source : (nodeOf[source] ?? -1),
      to: target < 0 ? firstOutput - 1 - target : (nodeOf[target] ?? -1),
      label: textAt(types, i),
    }
    if (edge.from >= 0 && edge.to >= 0) edges.push(edge)
  })
  return { graph: { nodes, edges }, rowOf: Int32Array.from(rows), nodeOf }
}
