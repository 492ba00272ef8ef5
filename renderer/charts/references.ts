import type { RunDetail } from '../../workers/protocol/studio.ts'

/** What a stage's accuracy is held against: a teacher only where one is followed, and one line of each name. */
export function referencesFor(run: RunDetail | undefined, stage: number): RunDetail['references'] {
  if (!run) return []
  const follows = run.stages[stage]?.id === 'distil'
  const names = follows ? (['teacher', 'baseline'] as const) : (['baseline'] as const)
  return names.flatMap((name) => run.references.find((reference) => reference.name === name) ?? [])
}
