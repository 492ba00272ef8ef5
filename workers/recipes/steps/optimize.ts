import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { AlambicError } from '../../protocol/errors.ts'
import { replaceJson } from '../../protocol/files/durable.ts'
import { readModel } from '../../onnx/index.ts'
import type { Progress } from '../../protocol/worker.ts'
import { Search, VALIDATION, type Trial } from '../optimize/search.ts'
import { parseTarget } from '../optimize/target.ts'
import { step, type StepContext, type StepResult } from '../step.ts'

const OptimizeOptions = z.strictObject({
  target: z
    .string()
    .default('latency=50%')
    .superRefine((text, context) => {
      try {
        parseTarget(text)
      } catch (thrown) {
        if (!(thrown instanceof AlambicError)) throw thrown
        const message = `${thrown.message}: ${thrown.expected ?? ''}`
        context.addIssue({ code: 'custom', message })
      }
    })
    .describe('What the result may cost: latency=50%, macs=50%, params=…, bytes=… or packed=… (a .cmpz container)'),
  maxDrop: z.number().min(0).max(1).default(0.01).describe('Largest accuracy that may be lost, 0 to 1'),
  seconds: z.number().positive().default(600).describe('How long it may take; a trial that runs is finished'),
  epochs: z
    .number()
    .int()
    .min(1)
    .default(1)
    .describe('Epochs of the first trials that are trained; the best get three times as many'),
  rungs: z.number().int().min(0).max(5).default(2).describe('How often the best go on to longer training'),
  samples: z.number().int().min(1).default(512).describe('Samples that the map of single layers is made with'),
  validation: z
    .number()
    .gt(0)
    .default(VALIDATION)
    .describe('Share or number of training samples kept out to compare by'),
})
type OptimizeOptions = z.output<typeof OptimizeOptions>

interface Spent {
  readonly seconds: number
}

async function run(context: StepContext, options: OptimizeOptions): Promise<StepResult> {
  const { trials, journal } = context
  // Asked for the model at a point of the run: a search has none of its own before it is over.
  if (!trials) return { model: context.model, report: {}, stopped: true }
  const file = join(trials.folder, 'spent.json')
  const spent = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as Spent).seconds : 0
  const began = performance.now()
  const spentNow = () => spent + (performance.now() - began) / 1000
  // How far a search is, is how much of its time is spent, whatever the trial at hand says of itself.
  const show = (activity: string, values: Progress['values'] = {}, speed: Partial<Progress> = {}) => {
    const [done, total] = [Math.min(options.seconds, spentNow()), options.seconds]
    const left = 1000 * (total - done)
    journal.progress({
      ...speed,
      activity,
      done: Math.floor(done),
      total,
      elapsed: 1000 * done,
      left: [left, left],
      values,
    })
  }
  const search = await Search.open(options, {
    ...context,
    folder: trials.folder,
    spent,
    costs: (path) => trials.costs(path),
    run: async (steps, model, folder) => {
      const { made, refused } = await trials.run(steps, model, folder, ({ values, throughput }) =>
        show('trial', values, throughput === undefined ? {} : { throughput }),
      )
      if (refused) journal.event('trial-refused', { steps, ...refused.toJSON() })
      await replaceJson(file, { seconds: spentNow() } satisfies Spent)
      return made
    },
    progress: (activity) => show(activity),
    event: (kind, data) => journal.event(kind, data),
  })
  const map = await search.map()
  const tried = await search.halve()
  if (context.stopping()) return stopped(context, tried, search.start.least)
  const { found, sensitivity, seconds, search: start } = await search.conclude(map, tried)
  return {
    model: (await readModel(join(found.folder, 'model.onnx'))).model,
    report: { search: start, found: shown(found), trials: tried.map(shown), sensitivity, seconds },
  }
}

const shown = ({ folder: _local, ...trial }: Trial): Omit<Trial, 'folder'> => trial

/** The best so far, where there is one. */
async function stopped({ model }: StepContext, tried: readonly Trial[], least: number): Promise<StepResult> {
  const [best] = tried
    .filter((trial) => trial.meetsTarget && trial.accuracy >= least)
    .toSorted((a, b) => b.accuracy - a.accuracy)
  const kept = best ? (await readModel(join(best.folder, 'model.onnx'))).model : model
  return { model: kept, report: {}, stopped: true }
}

export const optimize = step({
  id: 'optimize',
  family: 'search',
  source: 'Jamieson & Talwalkar 2016, arXiv:1502.07943, successive halving over measured recipes',
  options: OptimizeOptions,
  run,
})
