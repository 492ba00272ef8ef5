import { computed, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import type { WireError } from '../../workers/protocol/worker.ts'
import { errorAreas, errorTexts } from '../locales/zh-CN/errors.ts'

/** An error as it is read on the screen. */
export interface ReadError {
  readonly message: string
  readonly fix?: string | undefined
  /** What the one who found it said, in English, where the message is a translation of its code. */
  readonly original?: string
}

/** Host and workers say what is wrong in English; in Chinese its code says it, and the English stays as a detail. */
export function readError({ code, message, subject, fix }: WireError, language: string): ReadError {
  if (language !== 'zh-CN') return { message, fix }
  const text = errorTexts[code]
  const [what, todo] = typeof text === 'object' ? text : [text ?? errorAreas[code.split('.')[0] ?? ''], undefined]
  if (what === undefined) return { message, fix }
  return {
    message: subject ? `${what}：${subject}` : what,
    fix: todo ?? fix,
    original: todo && fix ? `${message} ${fix}` : message,
  }
}

/** Errors in the language of the screen; follows it when it is changed. */
export function useErrors(): ComputedRef<(error: WireError) => ReadError> {
  const { locale } = useI18n()
  return computed(() => (error) => readError(error, locale.value))
}
