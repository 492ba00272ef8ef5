import type { Limits } from '../limits.ts'

/** One crafted file and what must come of it. */
export interface Case {
  readonly bytes: Uint8Array
  /** `accepted`, then the codes of its warnings; or the error as `code: sentence`. */
  readonly outcome: string
  readonly limits?: Partial<Limits>
}

export type Cases = Readonly<Record<string, Case>>

export const accepted = (bytes: Uint8Array, ...warnings: string[]): Case => ({
  bytes,
  outcome: ['accepted', ...warnings].join(' '),
})

export const refused = (bytes: Uint8Array, outcome: string, limits?: Partial<Limits>): Case => ({
  bytes,
  outcome,
  ...(limits && { limits }),
})
