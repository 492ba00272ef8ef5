import type { Graph } from '../../graph/graph.ts'
import { verify } from '../../graph/verify.ts'
import type { ChangeResult } from '../report.ts'
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
 * Identity nodes, shape arithmetic folded, onnxruntime's fused operators written with standard ones, nothing dead.
 * Names of inputs, outputs and weights stay. The result of every pass is verified.
 */
export function simplify(graph: Graph, options: SimplifyOptions = {}): Graph {
  const passes: readonly Pass[] = [
    constantsToInitializers,
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
