import { createI18n } from 'vue-i18n'
import { en } from './en.ts'
import type { Messages } from './phrases.ts'
import { zhCN } from './zh-CN.ts'

export const languages = ['en', 'zh-CN'] as const
export type Language = (typeof languages)[number]

/** What people call the languages, each in itself. */
export const languageNames: Readonly<Record<Language, string>> = { en: 'English', 'zh-CN': '简体中文' }

/** The language that suits a BCP 47 tag: Chinese of any kind reads Simplified Chinese here, everybody else English. */
export const languageFor = (tag: string): Language => (/^zh\b/i.test(tag) ? 'zh-CN' : 'en')

export const i18n = createI18n({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  messages: { en, 'zh-CN': zhCN } satisfies Record<Language, Messages>,
})
