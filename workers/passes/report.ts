import type { Graph } from '../graph/graph.ts'
import type { PassReport, PassResult } from '../graph/pass.ts'

/** What a simplifying pass did, as lines for a person: `BatchNormalization "bn1" folded into "conv1"`. */
export interface ChangeReport extends PassReport {
  readonly changes: readonly string[]
}

export type ChangeResult = PassResult<ChangeReport>

export const resultOf = (graph: Graph, changes: readonly string[]): ChangeResult => ({
  graph,
  report: { modified: changes.length > 0, changes },
})
