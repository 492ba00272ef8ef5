import type { z } from 'zod'
import { AlambicError } from '../../protocol/errors.ts'
import type { calls, Report } from '../../protocol/worker.ts'
import { layerTimes } from '../../measure/layer-times.ts'
import { weightUseOf } from '../../ops/quant.ts'
import type { CallEnvironment } from '../calls.ts'
import { activationsOf } from './activations.ts'
import { nodeFacts } from './node.ts'
import { openToInspect } from './open.ts'
import { modelReach } from './reach.ts'
import { modelSheet } from './sheet.ts'
import { constantOf, NOISE_BITS, noiseOf, weightHistogram } from './weights.ts'

type Request<Name extends keyof typeof calls> = z.output<(typeof calls)[Name]>

const asReport = (value: object): Report => value as Report

/** Everything about each node, in columns. */
export const sheetCall = async ({ model }: Request<'sheet'>): Promise<Report> =>
  asReport(modelSheet(await openToInspect(model)))

export const nodeCall = async ({ model, node }: Request<'node'>): Promise<Report> =>
  asReport(nodeFacts(await openToInspect(model), node))

export const reachCall = async ({ model }: Request<'reach'>): Promise<Report> =>
  asReport(modelReach(await openToInspect(model)))

export async function weightsCall({ model, tensor, axis }: Request<'weights'>): Promise<Report> {
  const { graph } = await openToInspect(model)
  const found = constantOf(graph, tensor)
  if (!found) {
    throw new AlambicError('model.no-weight', `the model has no constant "${tensor}"`, { subject: tensor })
  }
  return asReport(weightHistogram(found, tensor, axis))
}

/** What rounding the weights of each layer alone would cost, without data. */
export async function noiseCall({ model }: Request<'noise'>): Promise<Report> {
  const { graph } = await openToInspect(model)
  const decibels = NOISE_BITS.map((bits) =>
    Float64Array.from(graph.nodes, (node) => {
      const use = weightUseOf(node, graph)
      const tensor = use && graph.initializers.get(use.name)
      return tensor ? noiseOf(tensor, use.axis, bits) : Number.NaN
    }),
  )
  return asReport({ bits: NOISE_BITS, decibels })
}

export async function layerTimesCall({ model, batch, runs, threads }: Request<'layerTimes'>): Promise<Report> {
  const opened = await openToInspect(model)
  return asReport(await layerTimes(opened.graph, { batch, runs, threads }))
}

export async function activationsCall(
  { model, node, data, samples, threads }: Request<'activations'>,
  { executor, listener }: CallEnvironment,
): Promise<Report> {
  const opened = await openToInspect(model)
  const started = performance.now()
  const onProgress = (share: number) =>
    listener.progress({
      activity: 'activations',
      done: Math.round(share * samples),
      total: samples,
      elapsed: performance.now() - started,
      values: {},
    })
  return asReport(await activationsOf(opened, { node, data, samples, threads, executor: await executor(), onProgress }))
}
