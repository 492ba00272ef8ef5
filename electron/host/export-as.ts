import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import type { z } from 'zod'
import { AlambicError } from '../../workers/protocol/errors.ts'
import { replaceFile, replaceJson } from '../../workers/protocol/files/durable.ts'
import type { ExportInfo, ExportReport, ModelInfo, StudioCall, studioCalls } from '../../workers/protocol/studio.ts'
import type { ExportFormat } from '../../workers/protocol/worker.ts'
import { written } from './exports.ts'
import type { Host } from './host.ts'
import { inOwnProcess } from './jobs.ts'
import { dataOf } from './new-run.ts'
import { randomLetters, slug } from './paths.ts'
import type { ProjectFolder } from './project.ts'

type Request<Name extends StudioCall> = z.output<(typeof studioCalls)[Name]>

const endings: Readonly<Record<ExportFormat, string>> = {
  onnx: '.onnx',
  fp16: '.onnx',
  qdq: '.onnx',
  qoperator: '.onnx',
  cmpz: '.cmpz',
  ort: '.ort',
  folder: '',
}

/** Exports of a project: `exports/<id>/`, the files with `export.json` beside them. */
const folderOf = (project: ProjectFolder): string => join(project.path, 'exports')

export const exporting = {
  exportAs: async (host: Host, request: Request<'exportAs'>): Promise<ExportInfo> => {
    const { project: id, model, job, format, data, samples } = request
    const project = host.project(id).writable()
    const info = project.models.get(model)
    const name = `${slug(info.name, 'model')}-${format}`
    const place = join(folderOf(project), `${name}-${randomLetters(4)}`)
    await mkdir(place, { recursive: true })
    try {
      const question = {
        model: project.models.path(model),
        format,
        output: join(place, format === 'folder' ? name : `${name}${endings[format]}`),
        samples,
        name: info.name,
        origin: originOf(project, info),
        ...(data ? { data: dataOf(project, data).reference } : {}),
      }
      const report = await host.jobs.run(job, (work) => inOwnProcess(work, 'export', question))
      const kept = {
        model,
        name: info.name,
        created: new Date().toISOString(),
        report: report as unknown as ExportReport,
      }
      await replaceJson(join(place, 'export.json'), { format: 1, ...kept })
      host.hub.emit({ kind: 'contents', project: id, what: 'models' })
      return { id: idOf(place), ...kept }
    } catch (error) {
      await rm(place, { recursive: true, force: true })
      throw error
    }
  },
  exports: async (host: Host, { project }: Request<'exports'>): Promise<readonly ExportInfo[]> =>
    exportsOf(host.project(project)),
  /** Moves an export to the bin, which `restore` brings it back from. */
  deleteExport: async (host: Host, { project: id, id: one }: Request<'deleteExport'>) => {
    const project = host.project(id).writable()
    const { name } = exportOf(project, one)
    const discarded = await host.bin.add('export', join(folderOf(project), one), name, id)
    host.hub.emit({ kind: 'contents', project: id, what: 'models' })
    host.hub.emit({ kind: 'bin' })
    return discarded
  },
  fetchExport: async (host: Host, { project: id, id: one, to }: Request<'fetchExport'>) => {
    const project = host.project(id)
    exportOf(project, one)
    const place = join(folderOf(project), one)
    if (to !== undefined) {
      const target = await host.paths.check(to)
      await cp(place, target, { recursive: true })
      return written(host, join(target, 'export.json'))
    }
    const names = (await readdir(place, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    const contents = await Promise.all(
      names.map(async ({ parentPath, name }) => {
        const path = join(parentPath, name)
        return [path.slice(place.length + 1).replaceAll('\\', '/'), await readFile(path)] as const
      }),
    )
    const folder = join(host.options.home, 'exports')
    await mkdir(folder, { recursive: true })
    const path = join(folder, `${one}.zip`)
    await replaceFile(path, zipSync(Object.fromEntries(contents), { level: 1 }))
    return written(host, path)
  },
}

const idOf = (place: string): string => place.split(/[\\/]/).at(-1) ?? ''

function exportsOf(project: ProjectFolder): ExportInfo[] {
  const folder = folderOf(project)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .flatMap((id): ExportInfo[] => {
      try {
        // One that is being written has none yet.
        const kept = JSON.parse(readFileSync(join(folder, id, 'export.json'), 'utf8')) as ExportInfo & {
          format: number
        }
        const { format: _known, ...info } = kept
        return [{ ...info, id }]
      } catch {
        return []
      }
    })
    .toSorted((a, b) => b.created.localeCompare(a.created))
}

function exportOf(project: ProjectFolder, id: string): ExportInfo {
  const found = exportsOf(project).find((info) => info.id === id)
  if (found) return found
  throw new AlambicError('export.unknown', 'there is no such export in this project', { subject: id })
}

/** What the model card says of where a model comes from. */
function originOf(project: ProjectFolder, { origin, parent }: ModelInfo): Record<string, string> {
  const from = parent !== undefined && project.models.has(parent) ? { Parent: project.models.get(parent).name } : {}
  const made: Record<string, string> =
    origin.kind === 'import' ? { File: origin.from } : { Recipe: origin.recipe, Run: origin.run }
  return { Project: project.file.name, ...made, ...from }
}
