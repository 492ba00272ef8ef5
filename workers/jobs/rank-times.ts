import type { z } from 'zod'
import type { RankTimesRequest, Report, RunRequest } from '../protocol/worker.ts'
import type { Executor } from '../executors/executor.ts'
import type { Graph } from '../graph/graph.ts'
import { openDims } from '../measure/assess.ts'
import { latenciesInTurn } from '../measure/latency.ts'
import { costOf } from '../ops/cost.ts'
import { openForRecipe } from '../recipes/open.ts'
import { checkRecipe } from '../recipes/recipe.ts'
import { factorizeModel, FactorizeStepOptions } from '../recipes/steps/factorize.ts'
import { RunFolder } from './folder.ts'
import { modelBefore } from './stage.ts'

/**
 * The model as it came to a step `factorize`, with one layer at other ranks: exact counts of the whole model, and its
 * latency, all of them timed in turn.
 */
export async function rankTimesCall(
  request: z.output<typeof RankTimesRequest>,
  { executor }: { readonly executor: () => Promise<Executor> },
): Promise<Report> {
  const { record } = await RunFolder.open(request.folder)
  const { model: reference, seed, threads = 1 } = record.request as z.output<typeof RunRequest>
  const source = await openForRecipe(reference, seed)
  const model = await modelBefore(request.folder, record, request.stage, source)
  const step = checkRecipe(record.recipe).steps[request.stage]
  const graphs = request.ranks.map((ranks) => {
    const [only] = ranks
    const fixed = ranks.length === 1 && only !== undefined ? only : ranks
    const options = FactorizeStepOptions.parse({
      ...(step?.options as object),
      conv: 'none',
      dense: 'none',
      samples: 0,
      force: true,
      rank: { fixed: 1 },
      layers: { [request.layer]: { method: request.method, rank: { fixed } } },
    })
    return factorizeModel(model, options).model.graph
  })
  const timed = { batch: 1, runs: request.runs, threads }
  const [before, ...after] = await latenciesInTurn(await executor(), [model.graph, ...graphs], timed)
  const points = graphs.map((graph, i) => {
    return { ranks: request.ranks[i], ...countsOf(graph), latency: after[i] }
  })
  return { before: { ...countsOf(model.graph), latency: before }, points }
}

function countsOf(graph: Graph): { params: number; macs: number | undefined } {
  const { params, macs } = costOf(graph, openDims(graph))
  return { params, macs }
}
