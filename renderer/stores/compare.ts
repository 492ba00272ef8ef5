import { useI18n } from 'vue-i18n'
import type { Choice } from '../views/compare/choice.ts'
import { useSettings } from './settings.ts'
import { useUndo } from './undo.ts'

/** The choice, kept with the layout; every change can be undone. */
export function useChoice() {
  const { t } = useI18n()
  const settings = useSettings()
  const undo = useUndo()

  const now = (): Choice => settings.layout<Choice>('compare', { pins: [] })

  function set(after: Choice): void {
    const before = now()
    const apply = (value: Choice) => settings.setLayout('compare', value)
    apply(after)
    undo.push({ what: t('compare.undo'), undo: () => apply(before), redo: () => apply(after) })
  }

  return { now, set }
}
