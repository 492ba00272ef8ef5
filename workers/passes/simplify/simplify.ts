import type { Graph } from '../../graph/graph.ts'
import { verify } from '../../graph/verify.ts'
import { resultOf, type ChangeResult } from '../report.ts'
import { resolveBranches } from './branches.ts'
import { constantsToInitializers } from './constants.ts'
import { removeDead } from './dead.ts'
import { removeDropout, removeIdentities } from './identity.ts'
import { foldShapes } from './shapes.ts'
import { unfuse } from './unfuse.ts'

export interface SimplifyOptions {
  /** Also take Dropout nodes away, which do nothing at inference; false unless told, so that a graph can be trained. */
  readonly dropout?: boolean
}

type Pass = (graph: Graph) => ChangeResult

/**
 * The plain form of a graph that other passes start from, the function unchanged: Constant nodes as initializers, no
 * Identity nodes, shape arithmetic folded, an If that it decides replaced by its branch, onnxruntime's fused operators written with standard ones, nothing dead.
 * Names of inputs, outputs and weights stay. The result of every pass is verified.
 */
export function simplify(graph: Graph, options: SimplifyOptions = {}): Graph {
  const passes: readonly Pass[] = [
    constantsToInitializers,
    resolveAllBranches,
    unfuse,
    removeIdentities,
    ...(options.dropout ? [removeDropout] : []),
    foldShapes,
    removeDead,
  ]
  return passes.reduce((simpler, pass) => {
    const { graph: next, report } = pass(simpler)
    if (report.modified) verify(next)
    return next
  }, graph)
}

/** How deep an If may lie inside the chosen branches of others. */
const MAX_DEPTH = 64

/** A branch may hold further ones that its own values decide. */
function resolveAllBranches(graph: Graph): ChangeResult {
  const changes: string[] = []
  let current = graph
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const { graph: next, report } = resolveBranches(current)
    if (!report.modified) break
    changes.push(...report.changes)
    current = next
  }
  return resultOf(current, changes)
}
