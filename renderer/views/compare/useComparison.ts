import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import type { ModelInfo } from '../../../workers/protocol/studio.ts'
import { useSettings } from '../../stores/settings.ts'
import { useStudio } from '../../stores/studio.ts'
import { useUndo } from '../../stores/undo.ts'
import { comparisonOf } from './pin.ts'

/** Goes to the comparison with a model beside what it was made from. What was compared before comes back by undo. */
export function useComparison() {
  const { t } = useI18n()
  const router = useRouter()
  const settings = useSettings()
  const studio = useStudio()
  const undo = useUndo()

  return async (project: string, model: ModelInfo, models: readonly ModelInfo[]): Promise<void> => {
    const before = settings.layout<unknown>('compare', { pins: [] })
    const after = comparisonOf(project, model, models, studio.runs)
    const apply = (value: unknown) => settings.setLayout('compare', value)
    apply(after)
    undo.push({ what: t('compare.undo'), undo: () => apply(before), redo: () => apply(after) })
    await router.push({ name: 'compare' })
  }
}
