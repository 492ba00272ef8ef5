import { computed, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { languageFor } from './index.ts'
import { explain, explainUse } from './reasons.ts'

/** What rules and methods say of a model, in the language of the screen; follows it when it is changed. */
export function useReasons(): ComputedRef<{
  readonly why: (text: string) => string
  readonly use: (text: string) => string
}> {
  const { locale } = useI18n()
  return computed(() => {
    const language = languageFor(locale.value)
    return { why: (text) => explain(text, language), use: (text) => explainUse(text, language) }
  })
}
