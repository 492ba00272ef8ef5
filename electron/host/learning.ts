import { join, relative } from 'node:path'
import type { z } from 'zod'
import type { StudioCall, StudioResults, studioCalls, Students } from '../../workers/protocol/studio.ts'
import { defined } from './defined.ts'
import type { Host } from './host.ts'
import { inOwnProcess } from './jobs.ts'
import { materialOf } from './new-run.ts'
import { randomLetters, slug } from './paths.ts'

type Request<Name extends StudioCall> = z.output<(typeof studioCalls)[Name]>

/** What was found of students, by their teacher; with latencies, once they were measured. */
const found = new WeakMap<Host, Map<string, Students>>()

const modelOf = (host: Host, { project, model }: Pick<Request<'students'>, 'project' | 'model'>): string =>
  materialOf(host.project(project), { model }).model ?? ''

/** Questions about teachers and students, and about ranks. */
export const learning = {
  distilPairing: async (host: Host, { options, ...request }: Request<'distilPairing'>) => {
    const model = modelOf(host, request)
    const { teacher, student, losses, pairs } = options
    const [named] = [teacher].flat()
    const question = {
      teacher: typeof named === 'string' ? named : model,
      student: typeof student === 'string' ? student : model,
      ...(losses === undefined ? {} : { losses }),
      ...(pairs === undefined ? {} : { pairs }),
      explain: true,
    }
    return (await host.inspector.call('pairing', question)) as unknown as StudioResults['distilPairing']
  },
  students: async (host: Host, { job, teacher, measure, ...request }: Request<'students'>) => {
    const model = teacher ?? modelOf(host, request)
    const known = found.get(host) ?? new Map<string, Students>()
    found.set(host, known)
    const kept = known.get(model)
    if (kept && (!measure || kept.teacher.latency)) return kept
    const report = (await host.jobs.run(job, (work) =>
      inOwnProcess(work, 'students', { model, measure, runs: 15 }),
    )) as unknown as Students
    known.set(model, report)
    return report
  },
  runPictures: async (host: Host, { run, split, indices }: Request<'runPictures'>) => {
    const { data } = host.run(run).record.request
    return (await host.inspector.call('pictures', { data, split, indices })) as unknown as StudioResults['runPictures']
  },
  synthesizeData: async (
    host: Host,
    { project: id, job, name, samples, method, ...request }: Request<'synthesizeData'>,
  ) => {
    const project = host.project(id).writable()
    const model = modelOf(host, { project: id, ...request })
    const dataset = `${slug(name, 'data')}-${randomLetters(6)}`
    const output = join(project.path, 'data', dataset)
    await host.jobs.run(job, (work) => inOwnProcess(work, 'synthesize', { model, output, samples, method }))
    const found = await host.service.call('describe', { data: output })
    const entry = defined({
      dataset,
      name,
      reference: relative(project.path, output),
      kind: 'folder' as const,
      format: 'tensors',
      samples: found['samples'] as Record<string, number>,
      shape: found['shape'] as number[] | undefined,
      hash: found['hash'] as string | undefined,
      linked: false,
    })
    await project.change({ datasets: [...project.file.datasets, entry] as typeof project.file.datasets })
    host.hub.emit({ kind: 'contents', project: id, what: 'datasets' })
    return project.datasets().find((one) => one.dataset === dataset) as StudioResults['synthesizeData']
  },
  rankTimes: async (host: Host, { run, job, ...question }: Request<'rankTimes'>) => {
    const { folder } = host.run(run)
    const report = await host.jobs.run(job, (work) => inOwnProcess(work, 'rankTimes', { folder, ...question }))
    return report as unknown as StudioResults['rankTimes']
  },
}
