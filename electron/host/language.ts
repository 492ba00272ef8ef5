/** The languages of the studio. */
export type Language = 'en' | 'zh-CN'

/** BCP 47 tag of the person's system. */
export const systemLanguage = (): string => Intl.DateTimeFormat().resolvedOptions().locale

/** What a person chose, else what suits the tag of their system: Chinese of any kind reads Simplified Chinese here. */
export const languageOf = (chosen: string, tag = systemLanguage()): Language =>
  chosen === 'en' || chosen === 'zh-CN' ? chosen : /^zh\b/i.test(tag) ? 'zh-CN' : 'en'
