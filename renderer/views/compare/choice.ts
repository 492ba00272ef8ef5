import type { RunSummary } from '../../../workers/protocol/studio.ts'

/** What is compared, by the ids of items: one baseline and what is pinned beside it, the baseline among them. */
export interface Choice {
  readonly baseline?: string | undefined
  readonly pins: readonly string[]
}

export const runItemId = (run: string): string => `run:${run}`
export const modelItemId = ({ project, model }: { readonly project: string; readonly model: string }): string =>
  `model:${project}/${model}`

/** A choice with a run in it; what the run began with is the baseline where there is none yet. */
export function withRun(
  choice: Choice,
  { run, project, model }: Pick<RunSummary, 'run' | 'project' | 'model'>,
): Choice {
  const id = runItemId(run)
  const source = model.model === undefined ? undefined : modelItemId({ project, model: model.model })
  const baseline = choice.baseline ?? source ?? id
  return { baseline, pins: [...new Set([...choice.pins, baseline, id])] }
}
