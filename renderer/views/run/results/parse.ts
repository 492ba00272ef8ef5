import { z } from 'zod'

// The page's policy allows no code from text, which zod would try to make to be faster.
z.config({ jitless: true })

export type Parsed<T> =
  | { readonly kind: 'none' }
  | { readonly kind: 'ok'; readonly value: T }
  /** `where` names the first field that does not fit, and what was expected there. */
  | { readonly kind: 'bad'; readonly where: string }

/** A report out of a run's folder, checked before anything is drawn from it. */
export function parseReport<T>(schema: z.ZodType<T>, report: unknown): Parsed<T> {
  if (report === undefined) return { kind: 'none' }
  const found = schema.safeParse(report)
  if (found.success) return { kind: 'ok', value: found.data }
  const [issue] = found.error.issues
  return { kind: 'bad', where: `${issue?.path.join('.') || 'report'}: ${issue?.message ?? ''}` }
}
