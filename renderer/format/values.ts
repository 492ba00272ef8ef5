/** A number of a report; undefined for anything else. */
export const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)

/** A text or number of a report as text; undefined for anything else. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
