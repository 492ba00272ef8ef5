import type { Field, FieldType } from '../../../workers/protocol/studio.ts'

/** A layer by the names that a recipe may call it: that of its weight, that of its node. */
export interface NamedLayer {
  readonly node: string
  readonly weight?: string | undefined
}

/**
 * How a field says what is different for single layers: a list of their names, a list of rules that each name layers, or
 * a table from names to values.
 */
export type RuleForm =
  | { readonly kind: 'names' }
  | { readonly kind: 'list'; readonly key: string; readonly of: Extract<FieldType, { kind: 'object' }> }
  | { readonly kind: 'table'; readonly of: FieldType }

/** What a field says of a layer, and the pattern that it says it by. */
export interface LayerRule {
  readonly pattern: string
  /** True for a list of names. */
  readonly value: unknown
}

/** Members of a rule that say which layers it is for. */
const KEYS: ReadonlySet<string> = new Set(['layer', 'names'])

export function ruleForm(type: FieldType): RuleForm | undefined {
  if (type.kind === 'table') return { kind: 'table', of: type.of }
  if (type.kind === 'union') {
    return type.variants.map((one) => ruleForm(one.type)).find((form) => form !== undefined)
  }
  if (type.kind !== 'list') return undefined
  if (type.of.kind === 'text') return { kind: 'names' }
  if (type.of.kind !== 'object') return undefined
  const key = type.of.fields.find(({ name }) => KEYS.has(name))
  if (!key) return undefined
  return { kind: 'list', key: key.name, of: { ...type.of, fields: type.of.fields.filter((field) => field !== key) } }
}

const asPattern = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`)

const fits = (pattern: string, { node, weight }: NamedLayer): boolean => {
  const whole = asPattern(pattern)
  return whole.test(node) || (weight !== undefined && whole.test(weight))
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** All rules of a field, the one that counts last for a list, first for a table: as the steps read them. */
function rulesOf(form: RuleForm, value: unknown): readonly LayerRule[] {
  if (form.kind === 'table') {
    return isObject(value) ? Object.entries(value).map(([pattern, own]) => ({ pattern, value: own })) : []
  }
  const rows: readonly unknown[] = Array.isArray(value) ? value : []
  if (form.kind === 'names') return rows.map((name) => ({ pattern: String(name), value: true }))
  return rows.flatMap((row) => {
    if (!isObject(row)) return []
    const { [form.key]: pattern, ...rest } = row
    return [{ pattern: String(pattern), value: rest }]
  })
}

/** The rule of a layer; undefined where it has none of its own. */
export function ruleFor(form: RuleForm, value: unknown, layer: NamedLayer): LayerRule | undefined {
  const found = rulesOf(form, value).filter(({ pattern }) => fits(pattern, layer))
  return form.kind === 'list' ? found.at(-1) : found[0]
}

/**
 * The field's value with another rule for some layers, by their own names; `undefined` takes their rules away. What the
 * field says of others, by names or patterns, stays as it is. Undefined when nothing is left.
 */
export function withRule(
  { type, name: field }: Pick<Field, 'type' | 'name'>,
  value: unknown,
  layers: readonly NamedLayer[],
  rule: unknown,
): unknown {
  const form = ruleForm(type)
  if (!form) return value
  const wanted = new Set(layers.map((layer) => nameFor(field, layer)))
  const own = (pattern: string) =>
    wanted.has(pattern) || layers.some(({ node, weight }) => [node, weight].includes(pattern))
  const left = rulesOf(form, value).filter(({ pattern }) => !own(pattern))
  const made = rule === undefined ? [] : [...wanted].map((pattern) => ({ pattern, value: rule }))
  // One value for all becomes the last line of the table: the first that fits counts.
  const rest = form.kind === 'table' && value !== undefined && !isObject(value) ? [{ pattern: '*', value }] : []
  if (made.length === 0 && rest.length > 0) return value
  return written(form, form.kind === 'table' ? [...made, ...left, ...rest] : [...left, ...made])
}

function written(form: RuleForm, rules: readonly LayerRule[]): unknown {
  if (rules.length === 0) return undefined
  const [only] = rules
  if (form.kind === 'table') {
    return Object.fromEntries(rules.map(({ pattern, value }) => [pattern, value]))
  }
  if (form.kind === 'names') return rules.map(({ pattern }) => pattern)
  return only && rules.map(({ pattern, value }) => ({ [form.key]: pattern, ...(isObject(value) ? value : {}) }))
}

/** Fields that go by the names of nodes; all others know a layer by its weight. */
const BY_NODE: ReadonlySet<string> = new Set(['exclude'])

export const nameFor = (field: string, { node, weight }: NamedLayer): string =>
  BY_NODE.has(field) ? node : (weight ?? node)
