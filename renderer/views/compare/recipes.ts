import type { FieldValue } from '../../../workers/protocol/studio.ts'
import type { Item } from './items.ts'

/** One field of the recipes of several runs, side by side. */
export interface FieldRow {
  readonly name: string
  readonly values: readonly (FieldValue | undefined)[]
  readonly differs: boolean
}

/** All fields in the order in which the baseline has them, those of later items where they first appear. */
export function recipeRows(items: readonly Item[]): FieldRow[] {
  const names = new Set(items.flatMap(({ fields }) => Object.keys(fields)))
  return [...names].map((name) => {
    const values = items.map(({ fields }) => fields[name])
    return { name, values, differs: values.some((value) => value !== values[0]) }
  })
}
