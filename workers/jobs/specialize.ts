import type { z } from 'zod'
import type { Report, SpecializeRequest } from '../protocol/worker.ts'
import type { Model } from '../graph/graph.ts'
import { writeModel } from '../onnx/index.ts'
import { inlineFunctions, renameShadowed, specialize } from '../passes/index.ts'
import { openModel } from '../recipes/open.ts'
import { inspectModel } from './inspect.ts'

/** Writes a model for one way of using it, and says what it is made of before and after. */
export async function specializeCall(request: z.output<typeof SpecializeRequest>): Promise<Report> {
  const model = await openModel(request.model)
  const graph = specialize(renameShadowed(inlineFunctions(model)).graph, request)
  const special = { ...model, graph, functions: [] }
  const { sha256 } = await writeModel(special, request.output)
  return { output: request.output, sha256, before: summary(model), after: summary(special) }
}

function summary(model: Model): Record<string, unknown> {
  const { inputs, outputs, nodes, params, macs } = inspectModel(model)
  return { inputs, outputs, nodes, params, macs }
}
