import type { z } from 'zod'
import { SensitivityScan } from '../../workers/protocol/files/sensitivity.ts'
import type { StudioCall, StudioResults, studioCalls } from '../../workers/protocol/studio.ts'
import type { CallName } from '../../workers/protocol/worker.ts'
import type { Host } from './host.ts'
import { inOwnProcess } from './jobs.ts'
import { dataOf } from './new-run.ts'

type Request<Name extends StudioCall> = z.output<(typeof studioCalls)[Name]>

const pathOf = (host: Host, { project, model }: { project: string; model: string }): string =>
  host.project(project).models.path(model)

/** A question about a model's file, answered by the process that keeps the last one open. */
async function ask<T>(host: Host, name: CallName, of: { project: string; model: string }, more: object): Promise<T> {
  return (await host.inspector.call(name, { model: pathOf(host, of), ...more })) as unknown as T
}

export const inspector = {
  modelSheet: async (host: Host, request: Request<'modelSheet'>) =>
    ask<StudioResults['modelSheet']>(host, 'sheet', request, {}),
  modelNode: async (host: Host, { node, ...request }: Request<'modelNode'>) =>
    ask<StudioResults['modelNode']>(host, 'node', request, { node }),
  modelWeights: async (host: Host, { tensor, axis, ...request }: Request<'modelWeights'>) =>
    ask<StudioResults['modelWeights']>(host, 'weights', request, { tensor, axis }),
  modelNoise: async (host: Host, request: Request<'modelNoise'>) =>
    ask<StudioResults['modelNoise']>(host, 'noise', request, {}),
  modelReach: async (host: Host, request: Request<'modelReach'>) =>
    ask<StudioResults['modelReach']>(host, 'reach', request, {}),
  modelTimes: async (host: Host, { job, batch, runs, ...request }: Request<'modelTimes'>) =>
    (await host.jobs.run(job, (work) =>
      inOwnProcess(work, 'layerTimes', { model: pathOf(host, request), batch, runs }),
    )) as unknown as StudioResults['modelTimes'],
  modelSensitivity: async (host: Host, { project, model }: Request<'modelSensitivity'>) => {
    const scan = await host.project(project).models.sensitivity(model)
    return scan ? { scan } : {}
  },
  scanModel: async (host: Host, { job, data, samples, seconds, ...of }: Request<'scanModel'>) => {
    const project = host.project(of.project)
    const { reference } = dataOf(project, data)
    const question = { model: pathOf(host, of), data: reference, samples, seconds }
    const scan = SensitivityScan.parse(await host.jobs.run(job, (work) => inOwnProcess(work, 'sensitivity', question)))
    if (project.isHeld) await project.models.keepSensitivity(of.model, scan)
    return scan
  },
  modelActivations: async (host: Host, { job, data, node, samples, ...request }: Request<'modelActivations'>) => {
    const { reference } = dataOf(host.project(request.project), data)
    return (await host.jobs.run(job, (work) =>
      inOwnProcess(work, 'activations', { model: pathOf(host, request), data: reference, node, samples }),
    )) as unknown as StudioResults['modelActivations']
  },
}
