import { stat } from 'node:fs/promises'
import { stringify } from 'yaml'
import type { z } from 'zod'
import { asAlambicError } from '../protocol/errors.ts'
import type { CheckRequest, DescribeRequest, PlanRequest, Report, WireError } from '../protocol/worker.ts'
import { openDataset } from '../datasets/index.ts'
import { dimsOf } from '../datasets/types.ts'
import type { Model } from '../graph/graph.ts'
import { openForRecipe } from '../recipes/open.ts'
import { layerWeights } from '../passes/layer-weights.ts'
import { recipeIssues } from '../recipes/issues.ts'
import { openRecipe, type Recipe } from '../recipes/recipe.ts'

/** Of a zoo net's fresh weights; which they are makes no difference here. */
const SEED = 42

/** A recipe with all defaults written out, and what would stop it from running on a model: before anything runs. */
export async function planCall(request: z.output<typeof PlanRequest>): Promise<Report> {
  const recipe = await openRecipe(request.recipe, request.set)
  const problems: WireError[] = []
  let bytes = 0
  try {
    if (request.model !== undefined) {
      const model = await openForRecipe(request.model, SEED)
      bytes = weightBytes(model)
      problems.push(...preflight(recipe, model))
    }
  } catch (thrown) {
    problems.push(asWireError(thrown))
  }
  return {
    name: recipe.name,
    title: recipe.title,
    plain: recipe.plain,
    yaml: stringify(recipe.plain),
    stages: recipe.steps.map(({ description: { id, title } }) => ({ id, title })),
    problems,
    // Per training stage: weights, two moments, the best weights; two newest checkpoints and the best, one being
    // written; then the models of the stages and the result, metrics and the journal.
    diskBytes: recipe.steps.length * bytes * 17 + bytes + 64e6,
  }
}

/** Everything that is wrong with a recipe, each at its field. A model that can't be opened is one more problem. */
export async function checkCall(request: z.output<typeof CheckRequest>): Promise<Report> {
  const { recipe, samples } = request
  try {
    const model = request.model === undefined ? undefined : await openForRecipe(request.model, SEED)
    const layers = model ? layerWeights(model.graph).map(({ name }) => name) : []
    return { issues: recipeIssues(recipe, { model, samples }), layers }
  } catch (thrown) {
    const { code, message } = asAlambicError(thrown)
    return {
      issues: [{ severity: 'error', path: [], code, message }, ...recipeIssues(recipe, { samples })],
      layers: [],
    }
  }
}

const asWireError = (thrown: unknown): WireError => asAlambicError(thrown).toJSON() as unknown as WireError

/** Only the first stage's model is known before a run; later stages are checked when they start. */
function preflight(recipe: Recipe, model: Model): WireError[] {
  const first = recipe.steps[0]
  const sentences = first?.description.preflight?.(model, first.options) ?? []
  return sentences.map((message) => ({ code: 'recipe.preflight', message }))
}

const weightBytes = (model: Model): number =>
  [...model.graph.initializers.values()].reduce((sum, { bytes }) => sum + bytes.byteLength, 0)

/** What a data set holds. */
export async function describeCall({ data, limit }: z.output<typeof DescribeRequest>): Promise<Report> {
  const opened = await openDataset(data, { limit })
  const size = await stat(data).catch(() => undefined)
  return {
    id: opened.id,
    title: opened.title,
    kind: opened.kind,
    classes: opened.classes,
    shape: dimsOf(opened.sample),
    samples: Object.fromEntries(Object.entries(opened.splits).map(([name, split]) => [name, split.count])),
    hash: opened.hash,
    warnings: opened.warnings.map(({ code, message }) => ({ code, message })),
    ...(size?.isFile() ? { bytes: size.size } : {}),
  }
}
