import type { z } from 'zod'
import type { FactorizeRequest, Report } from '../protocol/worker.ts'
import type { Executor } from '../executors/executor.ts'
import { assess } from '../measure/assess.ts'
import { writeModel } from '../onnx/index.ts'
import { openForRecipe } from '../recipes/open.ts'
import { openRecipe } from '../recipes/recipe.ts'
import { factorizeModel, type FactorizeStepOptions } from '../recipes/steps/factorize.ts'

/** Factorizes a bare model and measures what was written. The step's own schema checks the options. */
export async function factorizeCall(
  request: z.output<typeof FactorizeRequest>,
  { executor }: { readonly executor: () => Promise<Executor> },
): Promise<Report> {
  const recipe = await openRecipe({ alambic: 1, name: 'factorize', steps: [{ ...request.options, step: 'factorize' }] })
  const source = await openForRecipe(request.model, request.seed)
  const { model, report } = factorizeModel(source, recipe.steps[0]?.options as FactorizeStepOptions)
  const written = await writeModel(model, request.output)
  const measured = await assess(request.output, undefined, { executor: await executor(), threads: request.threads })
  return { output: request.output, sha256: written.sha256, factorization: report, ...measured }
}
