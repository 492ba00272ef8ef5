import type { ModelInfo } from '../../../workers/protocol/studio.ts'
import type { Report } from '../../../workers/protocol/worker.ts'
import { numberOf } from '../../format/values.ts'

/** A step between a model and what was made of it, as the run measured it. */
export interface StepRow {
  readonly kind: 'step'
  readonly key: string
  readonly level: number
  readonly step: string
  readonly bytes?: number | undefined
  readonly packedBytes?: number | undefined
  readonly accuracy?: number | undefined
  readonly accuracyError?: number | undefined
  readonly latencyMs?: number | undefined
}

export interface ModelRow {
  readonly kind: 'model'
  readonly key: string
  readonly level: number
  readonly model: ModelInfo
  readonly packedBytes?: number | undefined
}

export type TreeRow = StepRow | ModelRow

/**
 * Models below what they were made from, oldest first, with the measured steps of the recipe between a model and its
 * parent. A parent that is gone leaves its children as roots; nothing is lost to a circle.
 */
export function versionTree(models: readonly ModelInfo[]): TreeRow[] {
  const known = new Set(models.map(({ model }) => model))
  const children = new Map<string | undefined, ModelInfo[]>()
  for (const model of models.toSorted((a, b) => a.added.localeCompare(b.added))) {
    const parent = model.parent !== undefined && known.has(model.parent) ? model.parent : undefined
    children.set(parent, [...(children.get(parent) ?? []), model])
  }
  const rows: TreeRow[] = []
  const seen = new Set<string>()
  const add = (model: ModelInfo, level: number): void => {
    if (seen.has(model.model)) return
    seen.add(model.model)
    const steps = level > 0 ? stepsOf(model, level) : []
    rows.push(...steps, { kind: 'model', key: model.model, level, model, packedBytes: packedOf(model) })
    for (const child of children.get(model.model) ?? []) add(child, level + 1)
  }
  for (const root of children.get(undefined) ?? []) add(root, 0)
  // Models whose parents are each other have no root.
  for (const model of models) add(model, 0)
  return rows
}

const stagesOf = ({ measured }: ModelInfo): readonly Report[] => {
  const stages = measured?.['stages']
  return Array.isArray(stages) ? (stages as readonly Report[]) : []
}

/** The last stage is the model itself, the first one its parent. */
function stepsOf(model: ModelInfo, level: number): StepRow[] {
  return stagesOf(model)
    .slice(1, -1)
    .map((stage, i) => ({
      kind: 'step',
      key: `${model.model} ${i}`,
      level,
      step: String(stage['step']),
      bytes: numberOf(stage['bytes']),
      packedBytes: numberOf(stage['packedBytes']),
      accuracy: numberOf(stage['accuracy']),
      accuracyError: numberOf(stage['accuracyError']),
      latencyMs: numberOf(stage['medianMs']),
    }))
}

const packedOf = (model: ModelInfo): number | undefined =>
  numberOf(model.measured?.['packedBytes']) ?? numberOf(stagesOf(model).at(-1)?.['packedBytes'])
