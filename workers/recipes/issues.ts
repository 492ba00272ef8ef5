import type { z } from 'zod'
import type { Model } from '../graph/graph.ts'
import { asAlambicError } from '../protocol/errors.ts'
import type { RecipeIssue } from '../protocol/studio.ts'
import { isNamedBy, layerWeights } from '../passes/layer-weights.ts'
import { orderProblems } from './order.ts'
import { checkRecipe, RecipeFile } from './recipe.ts'
import { steps } from './registry.ts'

type Path = RecipeIssue['path']

/** What a recipe is looked at with; what is absent is not checked. */
export interface Surroundings {
  readonly model?: Model | undefined
  /** Samples by split. */
  readonly samples?: Readonly<Record<string, number>> | undefined
}

const error = (path: Path, code: string, message: string): RecipeIssue => ({ severity: 'error', path, code, message })
const warning = (path: Path, code: string, message: string): RecipeIssue => ({
  severity: 'warning',
  path,
  code,
  message,
})

/** Everything that is wrong with a recipe, and what is odd about it, each at its field; nothing is run. */
export function recipeIssues(plain: unknown, { model, samples }: Surroundings = {}): readonly RecipeIssue[] {
  const wrong = schemaIssues(plain)
  if (wrong.length > 0) return wrong
  const recipe = checkRecipe(plain)
  const made = recipe.steps.map(({ description, options }, i) => ({ at: ['steps', i] as const, description, options }))
  return [
    ...(samples ? made.flatMap(({ at, options }) => dataIssues(at, options as Training, samples)) : []),
    ...(model ? modelIssues(recipe.steps[0], model) : []),
    ...(model ? made.flatMap(({ at, options }) => patternIssues(at, options as Patterns, model)) : []),
    ...orderProblems(made.map(({ description }) => description.id)).map(({ first, then, why }) =>
      warning(['steps', then, 'step'], 'recipe.order', `after step ${first + 1}: ${why}`),
    ),
  ]
}

/** What the schemas refuse, all of it. */
function schemaIssues(plain: unknown): readonly RecipeIssue[] {
  const file = RecipeFile.safeParse(plain)
  if (!file.success) return issuesOf(file, [])
  return file.data.steps.flatMap(({ step: id, ...options }, i) => {
    const description = Object.hasOwn(steps, id) ? steps[id] : undefined
    if (!description) return [error(['steps', i, 'step'], 'recipe.step', `there is no step "${id}"`)]
    return issuesOf(description.options.safeParse(options), ['steps', i])
  })
}

function issuesOf(result: z.ZodSafeParseResult<unknown>, at: Path): readonly RecipeIssue[] {
  return (result.error?.issues ?? []).map((issue) => {
    const path = [...at, ...issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key))]
    // A key that is not known is marked itself, not what holds it.
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined
    return error(unknown === undefined ? path : [...path, unknown], 'recipe.invalid', issue.message)
  })
}

interface Training {
  readonly epochs?: number
  readonly batch?: number
  readonly validation?: number
}

/** A step that trains needs a training split with one batch at least. */
function dataIssues(at: Path, { epochs = 0, batch, validation = 0 }: Training, samples: Record<string, number>) {
  if (epochs === 0 || batch === undefined) return []
  const train = samples['train'] ?? 0
  if (train === 0) {
    return [error([...at, 'epochs'], 'data.no-train', 'the step trains, and the data has no training samples')]
  }
  const held = samples['validation'] === undefined ? (validation < 1 ? validation * train : validation) : 0
  if (held >= train) {
    return [error([...at, 'validation'], 'data.validation', `only ${train} training samples are there`)]
  }
  return batch > train - held
    ? [error([...at, 'batch'], 'train.too-few', `the batch is larger than the ${Math.floor(train - held)} samples`)]
    : []
}

/** Only the first step's model is known before a run; later ones are checked when they start. */
function modelIssues(first: ReturnType<typeof checkRecipe>['steps'][number] | undefined, model: Model) {
  try {
    const sentences = first?.description.preflight?.(model, first.options) ?? []
    return sentences.map((text) => error(['steps', 0, 'step'], 'recipe.preflight', text))
  } catch (thrown) {
    const { code, message } = asAlambicError(thrown)
    return [error(['steps', 0, 'step'], code, message)]
  }
}

/** Fields that name layers by patterns. */
interface Patterns {
  readonly rules?: readonly { readonly layer: string }[]
  readonly exclude?: readonly string[]
  readonly layers?: readonly string[] | Readonly<Record<string, unknown>>
  readonly bits?: Readonly<Record<string, unknown>> | number
  readonly keep?: Readonly<Record<string, unknown>> | number
}

/** A pattern that fits no layer of the model is a slip of the pen, or means a layer that a step before it makes. */
function patternIssues(at: Path, { rules = [], exclude = [], layers, bits, keep }: Patterns, model: Model) {
  const listed = Array.isArray(layers) ? (layers as readonly string[]) : []
  const keyed = { layers: Array.isArray(layers) ? undefined : layers, bits, keep }
  const named: [Path, string][] = [
    ...rules.map(({ layer }, i): [Path, string] => [['rules', i, 'layer'], layer]),
    ...exclude.map((name, i): [Path, string] => [['exclude', i], name]),
    ...listed.map((name, i): [Path, string] => [['layers', i], name]),
    ...Object.entries(keyed).flatMap(([field, table]) =>
      typeof table === 'object' ? Object.keys(table).map((name): [Path, string] => [[field, name], name]) : [],
    ),
  ]
  if (named.length === 0) return []
  const weights = layerWeights(model.graph)
  return named.flatMap(([path, pattern]) => {
    const text = pattern.replaceAll('?', '*')
    if (weights.some((weight) => isNamedBy(text, weight))) return []
    return [warning([...at, ...path], 'model.no-layer', `no layer of the model is called "${pattern}"`)]
  })
}
