import { AlambicError } from '../protocol/errors.ts'
import { schemaOf } from '../graph/schema.ts'
import type { Graph } from '../graph/graph.ts'

/** Opset 18 changed only element types of these, or added inputs and attributes with the old meaning as default. */
const sameIn18: ReadonlySet<string> = new Set([
  'Resize',
  'Pad',
  'Split',
  'Col2Im',
  'ScatterElements',
  'ScatterND',
  'LpPool',
])

/**
 * Raises a graph to a later opset. From 17 to 18 only the axes of the Reduce operators moved, and those are refused by
 * name; below 17 an operator must be unchanged between the two versions.
 */
export function upgrade(graph: Graph, to: number): Graph {
  const from = graph.opset
  if (from >= to) return graph
  const changed = graph.nodes.find((node) => {
    const since = schemaOf(node.op, node.domain)?.since ?? []
    return (
      since.some((version) => version > Math.max(from, 13) && version <= to) &&
      !sameIn18.has(node.op) &&
      !isTypeOnly(node.op)
    )
  })
  if (changed || from < 13) {
    throw new AlambicError(
      'onnx.opset',
      `the model is at opset ${from}${changed ? `, and node "${changed.name}" (${changed.op}) means something else at ${to}` : ''}`,
      {
        subject: changed?.name,
        expected: `opset ${to}, or a model whose operators did not change since ${from}`,
        found: `opset ${from}`,
        fix: `Export the model at opset ${to}.`,
      },
    )
  }
  return graph.with({ opsets: new Map([...graph.opsets, ['', to]]) })
}

/** Operators whose versions between 13 and 18 only allow more element types, or add an optional training output. */
const isTypeOnly = (op: string): boolean =>
  [
    'Add',
    'Sub',
    'Mul',
    'Div',
    'Relu',
    'Reshape',
    'Identity',
    'BatchNormalization',
    'CumSum',
    'Shape',
    'Pow',
    'Where',
  ].includes(op)
