import type { FieldType, Words } from '../../../workers/protocol/studio.ts'

/** A value to begin with, where a person adds a row or chooses another kind of value. */
export function emptyOf(type: FieldType): unknown {
  switch (type.kind) {
    case 'number':
      return type.min ?? (type.above === undefined ? (type.max ?? 0) : (type.max ?? type.above + 1))
    case 'boolean':
      return true
    case 'choice':
      return type.values[0]
    case 'text':
      return '*'
    case 'list':
      return Array.from({ length: type.min ?? 0 }, () => emptyOf(type.of))
    case 'table':
      return { '*': emptyOf(type.of) }
    case 'object':
      return Object.fromEntries(type.fields.filter(({ required }) => required).map((f) => [f.name, emptyOf(f.type)]))
    case 'union':
      return type.variants[0] ? emptyOf(type.variants[0].type) : undefined
  }
}

/** Whether a value is of the form of a type, as far as forms tell types apart. */
export function fits(type: FieldType, value: unknown): boolean {
  switch (type.kind) {
    case 'number':
      return typeof value === 'number'
    case 'boolean':
      return typeof value === 'boolean'
    case 'choice':
      return type.values.includes(value as string)
    case 'text':
      return typeof value === 'string'
    case 'list':
      return Array.isArray(value)
    case 'table':
      return isTable(value)
    case 'object':
      return isTable(value) && type.fields.every(({ name, required }) => !required || Object.hasOwn(value, name))
    case 'union':
      return type.variants.some((one) => fits(one.type, value))
  }
}

const isTable = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const variantOf = (types: readonly FieldType[], value: unknown): number =>
  types.findIndex((type) => fits(type, value))

/** What a kind of value is called: by its only field, or by what it is. */
export function variantName(type: FieldType): { readonly label: Words } | { readonly kind: FieldType['kind'] } {
  const only = type.kind === 'object' && type.fields.length === 1 ? type.fields[0] : undefined
  return only ? { label: only.label } : { kind: type.kind }
}
