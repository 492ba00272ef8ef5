import { AlambicError } from '../protocol/errors.ts'
import type { Graph } from './graph.ts'
import { verify, type Problem, type VerifyOptions } from './verify.ts'

/** What every pass says of its work; most say more (what was removed, which groups, why not). */
export interface PassReport {
  /** False when the graph came back as it was. */
  readonly modified: boolean
}

export interface PassResult<Report extends PassReport = PassReport> {
  readonly graph: Graph
  readonly report: Report
}

/** A function from graph to graph, with what must hold before and what holds after. It never runs a model. */
export interface Pass<Report extends PassReport = PassReport> {
  readonly name: string
  readonly run: (graph: Graph) => PassResult<Report>
  /** What stands in the way of this pass; nothing may. */
  readonly requires?: (graph: Graph) => readonly Problem[]
  /** What the pass promises of its result and the result does not keep. */
  readonly ensures?: (graph: Graph) => readonly Problem[]
}

/**
 * Runs a pass between its conditions and verifies its result. Throws the code of the first problem, and
 * `graph.pass-report` when a pass that reports no change gives another graph back.
 */
export function runPass<Report extends PassReport>(
  pass: Pass<Report>,
  graph: Graph,
  options: VerifyOptions = {},
): PassResult<Report> {
  check(pass.name, 'cannot run', pass.requires?.(graph))
  const result = pass.run(graph)
  if (!result.report.modified && result.graph !== graph) {
    throw new AlambicError('graph.pass-report', `pass "${pass.name}" reports no change but returned another graph`, {
      subject: pass.name,
    })
  }
  verify(result.graph, options)
  check(pass.name, 'broke its promise', pass.ensures?.(result.graph))
  return result
}

function check(pass: string, what: string, problems: readonly Problem[] = []): void {
  const [first] = problems
  if (!first) return
  const { code, message, node, ...details } = first
  throw new AlambicError(code, `pass "${pass}" ${what}: ${message}`, { subject: node ?? pass, ...details })
}
