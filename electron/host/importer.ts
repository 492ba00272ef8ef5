import { copyFile, cp, mkdir, readdir, stat } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { AlambicError, asAlambicError } from '../../workers/protocol/errors.ts'
import { sha256 } from '../../workers/protocol/files/durable.ts'
import type { ImportReport } from '../../workers/protocol/studio.ts'
import type { WireError } from '../../workers/protocol/worker.ts'
import { defined } from './defined.ts'
import type { Job } from './jobs.ts'
import { randomLetters, slug } from './paths.ts'
import type { ProjectFile, ProjectFolder } from './project.ts'
import type { Candidate, Scan } from './scan.ts'

export interface ImportItem {
  readonly id: string
  readonly mode: 'copy' | 'link'
  readonly name?: string | undefined
}

/** Takes things that a scan found into a project, one after the other; one that fails does not stop the others. */
export async function importFound(
  project: ProjectFolder,
  scan: Scan,
  items: readonly ImportItem[],
  job: Job,
): Promise<ImportReport> {
  const imported: ImportReport['imported'][number][] = []
  const failed: ImportReport['failed'][number][] = []
  for (const [i, item] of items.entries()) {
    if (job.signal.aborted) break
    job.progress(`import ${item.id}`, i, items.length, 'items')
    try {
      const candidate = scan.candidates.get(item.id)
      if (!candidate) throw new AlambicError('import.unknown', 'the scan did not find this', { subject: item.id })
      imported.push({ id: item.id, as: await take(project, candidate, item, job.signal) })
    } catch (thrown) {
      if (job.signal.aborted) break
      failed.push({ id: item.id, error: asAlambicError(thrown).toJSON() as unknown as WireError })
    }
  }
  job.progress('import', imported.length, items.length, 'items')
  return { imported, failed, cancelled: job.signal.aborted }
}

async function take(
  project: ProjectFolder,
  { found, path }: Candidate,
  item: ImportItem,
  signal: AbortSignal,
): Promise<string> {
  if (found.problem) throw AlambicError.fromJSON(found.problem)
  const name = item.name ?? found.name
  const link = item.mode === 'link'
  if (found.kind === 'model') {
    const { companions, details } = found
    const origin = { kind: 'import', from: path } as const
    return (await project.models.add(path, { name, origin, inspected: details, companions, link, signal })).model
  }
  if (found.kind === 'recipe') return takeRecipe(project, path, name)
  return takeDataset(project, { found, path }, name, link)
}

async function takeRecipe(project: ProjectFolder, path: string, name: string): Promise<string> {
  const folder = join(project.path, 'recipes')
  await mkdir(folder, { recursive: true })
  let file = join(folder, `${slug(name, 'recipe')}.yaml`)
  if (existsSync(file)) file = join(folder, `${slug(name, 'recipe')}-${randomLetters(4)}.yaml`)
  await copyFile(path, file)
  return file
}

async function takeDataset(
  project: ProjectFolder,
  { found, path }: Candidate,
  name: string,
  link: boolean,
): Promise<string> {
  const details = found.details as { hash?: string; samples?: Record<string, number> } & Record<string, unknown>
  const known = project.file.datasets.find(({ hash }) => hash !== undefined && hash === details.hash)
  if (known) return known.dataset
  const isFolder = (await stat(path)).isDirectory()
  const dataset = `${slug(name, 'data')}-${sha256(details.hash ?? path).slice(0, 6)}`
  const reference = link ? path : await copyIn(project, path, dataset, isFolder)
  const entry = defined({
    dataset,
    name,
    reference,
    kind: isFolder ? ('folder' as const) : ('file' as const),
    format: found.format,
    samples: details.samples ?? {},
    classes: details['classes'] as string[] | undefined,
    shape: details['shape'] as number[] | undefined,
    bytes: found.bytes,
    hash: details.hash,
    linked: link,
  })
  const others = project.file.datasets.filter((one) => one.dataset !== dataset)
  await project.change({ datasets: [...others, entry] as ProjectFile['datasets'] })
  return dataset
}

/** Into `data/<id>` of the project. File names stay what they are: readers know some formats by them. */
async function copyIn(project: ProjectFolder, path: string, dataset: string, isFolder: boolean): Promise<string> {
  const folder = join(project.path, 'data', dataset)
  if (isFolder) {
    await cp(path, folder, { recursive: true, filter: (from) => !basename(from).startsWith('.') })
    return relative(project.path, folder)
  }
  await mkdir(folder, { recursive: true })
  const file = join(folder, basename(path))
  await copyFile(path, file)
  // Images and labels of IDX are files of their own.
  const idx = /-idx\d-ubyte(?:\.gz)?$/
  const others = idx.test(path) ? (await readdir(join(path, '..'))).filter((name) => idx.test(name)) : []
  for (const name of others) await copyFile(join(path, '..', name), join(folder, name))
  return relative(project.path, file)
}
