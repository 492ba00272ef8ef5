import type { en } from './en.ts'

/** The same keys with any text: what a translation must have. */
export type Phrases<T> = { readonly [Key in keyof T]: T[Key] extends string ? string : Phrases<T[Key]> }

export type Messages = Phrases<typeof en>
