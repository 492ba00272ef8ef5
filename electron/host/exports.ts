import { copyFile, mkdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { zipSync } from 'fflate'
import type { z } from 'zod'
import { replaceFile, sha256 } from '../../workers/protocol/files/durable.ts'
import type { SamplesReport, StudioResults, studioCalls, Written } from '../../workers/protocol/studio.ts'
import { endpoints } from '../../workers/protocol/studio.ts'
import type { Report } from '../../workers/protocol/worker.ts'
import type { Host } from './host.ts'
import { inOwnProcess } from './jobs.ts'
import { slug } from './paths.ts'
import { pointOf } from './points.ts'

type Request<Name extends keyof typeof studioCalls> = z.output<(typeof studioCalls)[Name]>

/** A file for the person: a browser gets an address to fetch it from. */
export async function written(host: Host, path: string): Promise<Written> {
  const bytes = await readFile(path)
  const download = host.options.shell === 'browser' ? `${endpoints.download}/${host.tickets.issue(path)}` : undefined
  return { path, bytes: bytes.length, sha256: sha256(bytes), ...(download === undefined ? {} : { download }) }
}

export async function samplesOf(host: Host, request: Request<'samples'>): Promise<SamplesReport> {
  const { run, job, checkpoint, count, offset } = request
  const entry = host.run(run)
  const point = checkpoint === undefined ? {} : pointOf(checkpoint)
  const report = await host.jobs.run(job, (work) =>
    inOwnProcess(work, 'samples', { folder: entry.folder, ...point, count, offset }),
  )
  const { stage, step, classes, samples } = report as unknown as SamplesReport & { stage: number; step?: number }
  return {
    run,
    ...(step === undefined ? {} : { checkpoint: `${stage}/${step}` }),
    ...(classes ? { classes } : {}),
    samples,
  }
}

export async function evaluateCheckpoint(host: Host, request: Request<'evaluateCheckpoint'>): Promise<Report> {
  const { run, job, checkpoint, split } = request
  const { folder } = host.run(run)
  return host.jobs.run(job, (work) => inOwnProcess(work, 'evaluatePoint', { folder, ...pointOf(checkpoint), split }))
}

/** Writes a checkpoint's model to where the person says, or takes it into the project. */
export async function exportCheckpoint(
  host: Host,
  request: Request<'exportCheckpoint'>,
): Promise<StudioResults['exportCheckpoint']> {
  const { run, job, checkpoint, to } = request
  const entry = to === undefined ? host.ownRun(run) : host.run(run)
  const point = pointOf(checkpoint)
  const name = `${entry.notes.title}, step ${point.step}`
  const output =
    to === undefined
      ? join(entry.folder, 'exports', `${slug(entry.notes.title, 'model')}-${point.stage}-${point.step}.onnx`)
      : await host.paths.check(to)
  await mkdir(dirname(output), { recursive: true })
  await host.jobs.run(job, (work) => inOwnProcess(work, 'exportPoint', { folder: entry.folder, ...point, output }))
  if (to !== undefined) return written(host, output)
  const project = host.project(entry.project)
  const model = await project.models.add(output, {
    name,
    origin: { kind: 'run', run, recipe: entry.notes.recipe.name, checkpoint },
    parent: entry.notes.model.model,
    inspected: await host.service.call('inspect', { model: output }),
  })
  host.hub.emit({ kind: 'contents', project: project.id, what: 'models' })
  host.showProject(project)
  return { ...(await written(host, output)), model: model.model }
}

/** A copy of a model: one file, or a ZIP of it and its companions for a browser. */
export async function exportModel(host: Host, { project, model, to }: Request<'exportModel'>): Promise<Written> {
  const { models } = host.project(project)
  const files = models.files(model)
  const [main = ''] = files
  if (to !== undefined) {
    const place = await host.paths.check(to)
    await copyFile(main, place)
    for (const file of files.slice(1)) await copyFile(file, join(dirname(place), basename(file)))
    return written(host, place)
  }
  if (files.length === 1) return written(host, main)
  const folder = join(host.options.home, 'exports')
  await mkdir(folder, { recursive: true })
  const path = join(folder, `${slug(models.get(model).name, 'model')}.zip`)
  const contents = await Promise.all(files.map(async (file) => [basename(file), await readFile(file)] as const))
  await replaceFile(path, zipSync(Object.fromEntries(contents), { level: 1 }))
  await stat(path)
  return written(host, path)
}
