import { AlambicError } from '../../protocol/errors.ts'
import type { Graph } from '../../graph/graph.ts'
import { analyse } from '../prune/analysis.ts'
import { scoreGroup } from '../prune/criteria.ts'
import { cut } from '../prune/cut.ts'
import { groupsOf } from '../prune/groups.ts'
import { plan } from '../prune/plan.ts'
import type { Made } from './make.ts'

/**
 * The same net with a share of the width of every layer: each coupling group keeps its units with the largest weights,
 * so the student starts from the teacher's own (Fang et al. 2023, arXiv:2301.12900, §3.3).
 */
export function thin(graph: Graph, width: number): Made {
  const found = groupsOf(analyse(graph))
  const options = { criterion: 'l2', reduction: 'mean', normalizer: 'none', seed: 0, p: 2, members: 'all' } as const
  const scores = new Map(
    found.groups.flatMap((group) => {
      const score = scoreGroup(group, options)
      return score ? [[group.id, score] as const] : []
    }),
  )
  const planned = plan(found, scores, {
    ratio: 1 - width,
    scope: 'layer',
    roundTo: 1,
    minimum: 1,
    maxRatio: 1,
    rules: [],
  })
  if (planned.groups.length === 0) {
    throw new AlambicError('student.thin', 'no layer of this model can be made narrower', {
      expected: 'channels that can be cut',
      found: found.barriers.map((b) => `${b.node}: ${b.reason}`).join('; ') || 'no layers with weights',
      fix: 'Make a shallow or separable student, or choose a net of the zoo.',
    })
  }
  return {
    graph: cut(found, planned.removal),
    changes: planned.groups.map((g) => `${g.name}: ${g.before} → ${g.after} channels`),
    kept: found.barriers.map((b) => `${b.node}: ${b.reason}`),
  }
}
