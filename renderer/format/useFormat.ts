import { computed, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { createFormat, type Format } from './format.ts'

/** Numbers in the language of the screen; follows it when it is changed. */
export function useFormat(): ComputedRef<Format> {
  const { t, locale } = useI18n()
  return computed(() => createFormat(locale.value, (key, values = {}) => t(key, values)))
}
