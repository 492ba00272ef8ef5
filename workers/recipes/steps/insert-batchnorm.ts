import { z } from 'zod'
import { AlambicError } from '../../protocol/errors.ts'
import { Loader, Preprocessing, preprocessingFor } from '../../datasets/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { numbersOf } from '../../graph/tensor.ts'
import { inferTypes } from '../../ops/infer.ts'
import {
  batchNormSites,
  insertBatchNorm,
  momentNames,
  statisticsFrom,
  statisticsGraph,
  type ChannelStatistics,
} from '../../passes/index.ts'
import { step, type StepContext, type StepResult } from '../step.ts'
import { withBatch } from '../teacher.ts'

const Options = z.strictObject({
  samples: z.number().int().min(1).default(1024).describe('Samples that the statistics are taken from'),
  batch: z.number().int().min(1).default(128).describe('Samples at a time'),
  preprocessing: Preprocessing.optional().describe("The model's or the data set's own unless given"),
})
type Options = z.output<typeof Options>

async function run(context: StepContext, options: Options): Promise<StepResult> {
  const { model, journal } = context
  const graph = inferTypes(model.graph, { functions: model.functions })
  const sites = batchNormSites(graph)
  if (sites.length === 0) {
    const text = 'Every convolution has a batch normalization: nothing to insert.'
    journal.event('note', { text })
    return { model, report: { inserted: [] } }
  }
  const statistics = await measure(context, graph, sites, options)
  const { graph: inserted } = insertBatchNorm(graph, statistics)
  return { model: { ...model, graph: inserted }, report: { inserted: sites, samples: options.samples } }
}

/** Mean and variance of every site over the first samples of a seeded order, batch by batch. */
async function measure(context: StepContext, graph: Graph, sites: readonly string[], options: Options) {
  const { data, model, executor, threads, journal, seed } = context
  const split = data.splits.train ?? data.splits.test
  if (!split) throw new AlambicError('data.no-split', `the data set "${data.id}" has no samples to measure with`)
  const batch = Math.min(options.batch, split.count)
  const preprocessing = preprocessingFor(data, model, options.preprocessing)
  const loader = new Loader(split, { batch, seed, preprocessing, dropLast: true })
  const moments = statisticsGraph(withBatch(graph, batch), sites)
  const program = await executor.compile(moments, threads === undefined ? {} : { threads })
  const seen = new Map(sites.map((site) => [site, [] as { mean: number[]; square: number[] }[]]))
  const steps = Math.max(1, Math.min(loader.stepsPerEpoch, Math.ceil(options.samples / batch)))
  const started = performance.now()
  try {
    for (let i = 0; i < steps && !context.stopping(); i++) {
      const outputs = await program.run({ [graph.requiredInputs[0]?.name ?? '']: (await loader.batchAt(i)).x })
      for (const site of sites) {
        const [mean, square] = Object.values(momentNames(site)).map((name) => outputs[name])
        if (mean && square) seen.get(site)?.push({ mean: [...numbersOf(mean)], square: [...numbersOf(square)] })
      }
      const elapsed = performance.now() - started
      journal.progress({ activity: 'channel statistics', done: i + 1, total: steps, elapsed, values: {} })
    }
  } finally {
    await program.dispose()
  }
  return new Map([...seen].map(([site, batches]): [string, ChannelStatistics] => [site, statisticsFrom(batches)]))
}

export const insertBatchnorm = step({
  id: 'insert-batchnorm',
  family: 'training',
  source: 'Ioffe & Szegedy 2015, arXiv:1502.03167',
  options: Options,
  run,
})
