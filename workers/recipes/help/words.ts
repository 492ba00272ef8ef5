import type { Words } from '../../protocol/studio.ts'

/** A text in both languages. */
export const words = (en: string, zh: string): Words => ({ en, 'zh-CN': zh })

/** What is said of a method, in both languages: the command line, forms and help pages read it here. */
export interface MethodPage {
  readonly title: Words
  /** One sentence. */
  readonly help: Words
  readonly does: Words
  readonly helps: readonly Words[]
  readonly not: readonly Words[]
  readonly corrections?: readonly Words[]
  readonly picture: Words
  /** Options that everybody sees; the others are for experts. */
  readonly simple: readonly string[]
  /** The option that says what is different for single layers, where there is one. */
  readonly layers?: string
}
