import { AlambicError } from '../protocol/errors.ts'
import type { Graph } from './graph.ts'
import { nameProblems } from './verify-names.ts'
import { nodeProblems } from './verify-nodes.ts'
import { typeProblems } from './verify-types.ts'

/** One thing that is wrong with a graph. */
export interface Problem {
  /** `graph.dangling-input`, `graph.cycle`, … */
  readonly code: string
  /** The name of the node that it is about, when it is about one. */
  readonly node?: string
  readonly message: string
  readonly expected?: string
  readonly found?: string
  readonly fix?: string
}

export interface VerifyOptions {
  /** Further checks, such as the agreement of types and shapes with inference; made when nothing else is wrong. */
  readonly types?: (graph: Graph) => readonly Problem[]
}

/**
 * Everything that is wrong with a graph, subgraphs included:
 *
 * - names: `graph.dangling-input`, `graph.missing-output`, `graph.duplicate-value` (every value is defined once),
 *   `graph.shadowed-value` (a subgraph defines a name of a graph around it), `graph.duplicate-output`,
 *   `graph.empty-name`
 * - order: `graph.cycle`, `graph.unsorted`
 * - nodes against the schemas of the default domain: `graph.input-count`, `graph.output-count`,
 *   `graph.absent-input`, `graph.unknown-attribute`, `graph.attribute-kind`, `graph.missing-opset`,
 *   `graph.operator-too-new`
 * - constants and declarations: `graph.tensor-size`, `graph.type-mismatch`
 *
 * Names of nodes need not be unique (ONNX asks for nothing of them), and operators that are unknown here are left
 * alone. Linear in the size of the graph.
 */
export function problemsOf(graph: Graph, options: VerifyOptions = {}): readonly Problem[] {
  const problems = [...nameProblems(graph), ...nodeProblems(graph), ...typeProblems(graph)]
  return problems.length === 0 && options.types ? options.types(graph) : problems
}

/** Throws the first of `problemsOf` as an AlambicError with the problem's code. */
export function verify(graph: Graph, options: VerifyOptions = {}): void {
  const problems = problemsOf(graph, options)
  const [first] = problems
  if (!first) return
  const { code, message, node, ...details } = first
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more problems in graph "${graph.name}")` : ''
  throw new AlambicError(code, message + more, { subject: node ?? graph.name, ...details })
}
