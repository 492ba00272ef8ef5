import type { ModelInfo, RunSummary } from '../../../workers/protocol/studio.ts'
import { modelItemId, runItemId } from './choice.ts'

/** Which item of the comparison a model is: its run's where a run has made it, else one of its own. */
export function itemOfModel(project: string, { model, origin }: ModelInfo, runs: readonly RunSummary[]): string {
  const run =
    origin.kind === 'run' ? runs.find(({ run: key, output }) => key === origin.run && output === model) : undefined
  return run ? runItemId(run.run) : modelItemId({ project, model })
}

/** A model beside what it was made from, which is the baseline; by itself where that is not there. */
export function comparisonOf(
  project: string,
  model: ModelInfo,
  models: readonly ModelInfo[],
  runs: readonly RunSummary[],
): { readonly baseline: string; readonly pins: readonly string[] } {
  const own = itemOfModel(project, model, runs)
  const parent = models.find((one) => one.model === model.parent)
  const baseline = parent ? itemOfModel(project, parent, runs) : own
  return { baseline, pins: [...new Set([baseline, own])] }
}
