import type { Targets } from '../recipes/recipe.ts'

/** Whether a result keeps to what a recipe wants: the limit, what was measured, and the answer. */
export interface TargetMet {
  readonly target: keyof Targets
  readonly limit: number
  /** Absent where it could not be measured. */
  readonly value?: number
  readonly met?: boolean
}

interface Measured {
  readonly accuracy?: number
  readonly bytes: number
  readonly latency: { readonly medianMs: number }
}

/** `before` is the accuracy of the model that the run was given. */
export function targetsMet(targets: Targets, before: number | undefined, after: Measured): readonly TargetMet[] {
  const { accuracy, bytes, latency } = after
  const values: Readonly<Record<keyof Targets, number | undefined>> = {
    maxDrop: before === undefined || accuracy === undefined ? undefined : before - accuracy,
    latency: latency.medianMs,
    bytes,
  }
  return (Object.keys(values) as (keyof Targets)[]).flatMap((target) => {
    const [limit, value] = [targets[target], values[target]]
    if (limit === undefined) return []
    return [{ target, limit, ...(value === undefined ? {} : { value, met: value <= limit }) }]
  })
}
