import { AlambicError } from '../protocol/errors.ts'

/** What is wrong with a container, at which byte of it. */
export interface Damage {
  /** Byte offset in the container. */
  readonly offset: number
  readonly expected: string
  readonly found: string
}

/** A container that cannot be decoded; `code` is `cmpz.…`. */
export const damaged = (code: string, what: string, { offset, expected, found }: Damage): AlambicError =>
  new AlambicError(code, `the container is damaged at byte ${offset}: ${what}`, {
    subject: `byte ${offset}`,
    expected,
    found,
    fix: 'Copy or download the file again, or pack the model anew.',
  })
