import { readFile } from 'node:fs/promises'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { AlambicError } from '../protocol/errors.ts'
import { builtins } from './builtin.ts'
import { steps } from './registry.ts'
import type { StepDescription } from './step.ts'

/** What the result shall keep to. It is told whether it does; steps have options of their own that aim at it. */
export const Targets = z.strictObject({
  maxDrop: z.number().min(0).max(1).optional().describe('Largest accuracy that may be lost, 0 to 1'),
  latency: z.number().positive().optional().describe('Most milliseconds for one sample, by median, on this machine'),
  bytes: z.number().positive().optional().describe('Largest ONNX file'),
})
export type Targets = z.output<typeof Targets>

/** A recipe file, format 1: a name and steps in order, each with the step's own options beside its id. */
export const RecipeFile = z.strictObject({
  alambic: z.literal(1).describe('Version of the recipe format'),
  name: z.string().regex(/^[\w.-]+$/, 'letters, digits, dots and dashes'),
  title: z.string().default(''),
  /** The recipe that it was made from: a built-in's name, or a file beside it. */
  parent: z.string().optional(),
  targets: Targets.optional(),
  steps: z.array(z.looseObject({ step: z.string() })).min(1),
})

/** A step with its options checked and every default filled in. */
export interface RecipeStep {
  readonly description: StepDescription
  readonly options: unknown
}

export interface Recipe {
  readonly name: string
  readonly title: string
  readonly steps: readonly RecipeStep[]
  readonly targets: Targets
  /** The recipe as plain data with all defaults written out: what the run folder keeps, and what replays it. */
  readonly plain: Readonly<Record<string, unknown>>
}

/**
 * Opens a recipe: a built-in's name, a YAML file's path, or a plain value; `set` changes fields by dotted path
 * (`steps.0.epochs`) before it is checked.
 */
export async function openRecipe(
  source: string | Readonly<Record<string, unknown>>,
  set: Readonly<Record<string, unknown>> = {},
): Promise<Recipe> {
  const plain = typeof source === 'string' ? await readRecipe(source) : structuredClone(source)
  for (const [path, value] of Object.entries(set)) assign(plain, path, value)
  return checkRecipe(plain)
}

async function readRecipe(source: string): Promise<Record<string, unknown>> {
  const text = builtins[source] ?? (await readFile(source, 'utf8').catch(() => undefined))
  if (text === undefined) {
    throw new AlambicError('recipe.missing', `there is no recipe "${source}"`, {
      subject: source,
      expected: `a YAML file or one of: ${Object.keys(builtins).join(', ')}`,
    })
  }
  const document = parseDocument(text)
  const [problem] = document.errors
  if (problem) {
    throw new AlambicError('recipe.syntax', `the recipe "${source}" is not valid YAML: ${problem.message}`, {
      subject: source,
    })
  }
  return document.toJS() as Record<string, unknown>
}

/** Sets one field by its dotted path; list positions are numbers. */
function assign(target: Record<string, unknown>, path: string, value: unknown): void {
  const keys = path.split('.')
  const last = keys.pop() as string
  let at: unknown = target
  for (const key of keys) {
    at =
      at !== null && typeof at === 'object' && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined
  }
  if (at === null || typeof at !== 'object') {
    throw new AlambicError('recipe.path', `the recipe has nothing at "${keys.join('.')}"`, {
      subject: path,
      expected: 'a path such as steps.0.epochs',
    })
  }
  Object.defineProperty(at, last, { value, writable: true, enumerable: true, configurable: true })
}

export function checkRecipe(plain: unknown): Recipe {
  const file = check(RecipeFile, plain, 'recipe')
  const checked = file.steps.map(({ step: id, ...options }, i) => {
    const description = Object.hasOwn(steps, id) ? steps[id] : undefined
    if (!description) {
      throw new AlambicError('recipe.step', `step ${i} of the recipe is unknown: "${id}"`, {
        subject: `steps.${i}.step`,
        expected: `one of: ${Object.keys(steps).join(', ')}`,
        found: id,
      })
    }
    return { description, options: check(description.options, options, `steps.${i}`) }
  })
  const written = checked.map(({ description, options }) => ({ step: description.id, ...(options as object) }))
  const { name, title, targets = {} } = file
  return { name, title, steps: checked, targets, plain: { ...file, steps: written } }
}

function check<Schema extends z.ZodType>(schema: Schema, value: unknown, where: string): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const path = [where, ...(issue?.path ?? [])].join('.')
  throw new AlambicError('recipe.invalid', `${path}: ${issue?.message ?? 'not valid'}`, {
    subject: path,
    fix: 'Correct the field in the recipe, or by --set.',
  })
}
