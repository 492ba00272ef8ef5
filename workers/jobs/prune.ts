import type { z } from 'zod'
import type { PruneRequest, Report } from '../protocol/worker.ts'
import type { Executor } from '../executors/executor.ts'
import type { Model } from '../graph/graph.ts'
import { assess } from '../measure/assess.ts'
import { writeModel } from '../onnx/index.ts'
import { analyse } from '../passes/prune/analysis.ts'
import { groupsOf } from '../passes/prune/groups.ts'
import { groupFacts, printGroups } from '../passes/prune/print.ts'
import { pruneWithoutData } from '../recipes/prune/choose.ts'
import type { PruneOptions } from '../recipes/prune/options.ts'
import { openForRecipe } from '../recipes/open.ts'
import { openRecipe } from '../recipes/recipe.ts'

/** What of a model can be pruned: groups and barriers, as data and as text. */
export function groupsReport(model: Model): Report {
  const found = groupsOf(analyse(model.graph))
  return { groups: found.groups.map(groupFacts), whole: found.barriers, text: printGroups(found) }
}

/** Prunes a bare model: no data, no training. The step's own schema checks the options. */
export async function pruneCall(
  request: z.output<typeof PruneRequest>,
  { executor }: { readonly executor: () => Promise<Executor> },
): Promise<Report> {
  const recipe = await openRecipe({ alambic: 1, name: 'prune', steps: [{ ...request.options, step: 'prune' }] })
  const options = recipe.steps[0]?.options as PruneOptions
  const source = await openForRecipe(request.model, request.seed)
  const { model, report } = pruneWithoutData(source, options, request.seed)
  const written = await writeModel(model, request.output)
  const measured = await assess(request.output, undefined, { executor: await executor(), threads: request.threads })
  return { output: request.output, sha256: written.sha256, pruning: report, ...measured }
}
