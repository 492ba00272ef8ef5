import { z } from 'zod'
import type { Field, FieldType, MethodInfo, Methods } from '../protocol/studio.ts'
import { builtins } from './builtin.ts'
import { hintOf, labelOf } from './help/options.ts'
import { recipeTitles } from './help/recipes.ts'
import { pages, type MethodId, type MethodPage } from './help/index.ts'
import { openRecipe } from './recipe.ts'
import { steps } from './registry.ts'
import type { StepDescription } from './step.ts'

/** The part of JSON Schema (draft 2020-12) that zod writes for options. */
interface Schema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly (string | number | boolean)[]
  readonly const?: string | number | boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly multipleOf?: number
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
  readonly anyOf?: readonly Schema[]
}

/** Bounds that a person set, not those that every whole number has. */
function boundsOf(schema: Schema) {
  const { minimum: min, maximum: max, exclusiveMinimum: above, exclusiveMaximum: below, multipleOf } = schema
  const bounds = { min, max, above, below, multipleOf }
  const isSaid = (value: number | undefined) => value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER
  return Object.fromEntries(Object.entries(bounds).filter(([, value]) => isSaid(value)))
}

function unionOf(schemas: readonly Schema[]): FieldType {
  const variants = schemas.flatMap((schema) => schema.anyOf ?? schema)
  const constants = variants.flatMap((one) => one.const ?? [])
  if (constants.length === variants.length) return { kind: 'choice', values: constants }
  return {
    kind: 'union',
    variants: variants.map((one) => ({
      type: typeOf(one),
      ...(one.description === undefined ? {} : { hint: hintOf(one.description) }),
    })),
  }
}

function objectOf(schema: Schema): FieldType {
  const { properties, additionalProperties } = schema
  const others = typeof additionalProperties === 'object' ? additionalProperties : undefined
  if (!properties && others) return { kind: 'table', of: typeOf(others) }
  return { kind: 'object', fields: fieldsOf(schema, () => 'simple'), open: others !== undefined }
}

const kinds: Readonly<Record<string, (schema: Schema) => FieldType>> = {
  number: (schema) => ({ kind: 'number', integer: false, ...boundsOf(schema) }),
  integer: (schema) => ({ kind: 'number', integer: true, ...boundsOf(schema) }),
  boolean: () => ({ kind: 'boolean' }),
  string: () => ({ kind: 'text' }),
  array: ({ items = {}, minItems: min, maxItems: max }) => ({
    kind: 'list',
    of: typeOf(items),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
  }),
  object: objectOf,
}

function typeOf(schema: Schema): FieldType {
  if (schema.anyOf) return unionOf(schema.anyOf)
  const values = schema.enum ?? (schema.const === undefined ? undefined : [schema.const])
  if (values) return { kind: 'choice', values }
  return (kinds[schema.type ?? 'string'] ?? (() => ({ kind: 'text' })))(schema)
}

function fieldsOf(schema: Schema, level: (name: string) => Field['level']): readonly Field[] {
  return Object.entries(schema.properties ?? {}).map(([name, one]) => ({
    name,
    label: labelOf(name),
    ...(one.description === undefined ? {} : { hint: hintOf(one.description) }),
    level: level(name),
    required: (schema.required ?? []).includes(name),
    ...(one.default === undefined ? {} : { default: one.default }),
    type: typeOf(one),
  }))
}

/** The fields of a step's form, simple ones first and in the order in which its page names them. */
function formOf(options: z.ZodType, simple: readonly string[]): readonly Field[] {
  const schema = z.toJSONSchema(options, { io: 'input', unrepresentable: 'any' }) as Schema
  const place = (name: string) => (simple.includes(name) ? simple.indexOf(name) : simple.length)
  return fieldsOf(schema, (name) => (simple.includes(name) ? 'simple' : 'expert')).toSorted(
    (a, b) => place(a.name) - place(b.name),
  )
}

/** A method as forms, help pages and the command line show it. */
export function describeMethod({ id, family, source, options, preflight }: StepDescription): MethodInfo {
  const { simple, corrections = [], ...page }: MethodPage = pages[id as MethodId]
  return {
    id,
    family,
    ...page,
    corrections,
    source,
    preflight: preflight !== undefined,
    fields: formOf(options, simple),
  }
}

/** Every method and every recipe that comes with Alambic, in both languages. */
export async function describeAll(): Promise<Methods> {
  const recipes = Object.entries(builtins).map(async ([name, yaml]) => {
    const { title, steps: made } = await openRecipe(name)
    const titles = { en: title, 'zh-CN': recipeTitles[name] ?? title }
    return { name, title: titles, steps: made.map(({ description }) => description.id), yaml }
  })
  return { steps: Object.values(steps).map(describeMethod), recipes: await Promise.all(recipes) }
}
