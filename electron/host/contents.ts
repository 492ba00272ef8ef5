import { readFileSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { z } from 'zod'
import { AlambicError } from '../../workers/protocol/errors.ts'
import type { Catalog, DirectoryEntry, Found, StudioResults, studioCalls } from '../../workers/protocol/studio.ts'
import type { Host } from './host.ts'
import { importFound } from './importer.ts'
import { modelId } from './models.ts'
import type { ProjectFolder } from './project.ts'
import { scan } from './scan.ts'

type Request<Name extends keyof typeof studioCalls> = z.output<(typeof studioCalls)[Name]>

/** What is in a folder that may be listed; without a path, the folders that may. */
export async function browse(host: Host, path: string | undefined): Promise<StudioResults['browse']> {
  if (path === undefined) {
    const entries = host.paths.roots.map((root) => ({
      name: basename(root) || root,
      path: root,
      kind: 'folder' as const,
    }))
    return { entries }
  }
  const place = await host.paths.check(path)
  const names = (await readdir(place)).filter((name) => !name.startsWith('.'))
  const entries = await Promise.all(names.map((name) => entryOf(join(place, name), name)))
  return {
    path: place,
    entries: entries
      .filter((entry) => entry !== undefined)
      .toSorted((a, b) => Number(a.kind === 'file') - Number(b.kind === 'file') || a.name.localeCompare(b.name)),
  }
}

async function entryOf(path: string, name: string): Promise<DirectoryEntry | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) return { name, path, kind: 'folder' }
  return found?.isFile() ? { name, path, kind: 'file', bytes: found.size } : undefined
}

export async function scanSources(host: Host, request: Request<'scan'>): Promise<StudioResults['scan']> {
  const roots: string[] = []
  for (const source of request.sources) {
    if (source.kind === 'path') roots.push(await host.paths.check(source.path))
    else roots.push(...(await uploaded(host.uploads.folder(source.upload))))
  }
  return host.jobs.run(request.scan, async (job) => {
    const found = await scan(request.scan, roots, job, (name, question) => host.service.call(name, question))
    const candidates = new Map(found.candidates)
    const known = request.project === undefined ? undefined : host.project(request.project)
    const looked: Found[] = []
    for (const { found: one, path } of candidates.values())
      looked.push({ ...one, ...(await already(known, one, path)) })
    const report = { ...found.report, found: looked }
    host.scans.set(request.scan, { report, candidates })
    return report
  })
}

/** What was uploaded together: loose files are one folder, so that those that belong together are found together. */
async function uploaded(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  if (entries.some((entry) => entry.isFile())) return [folder]
  return entries.map(({ name }) => join(folder, name))
}

/** What the project calls the same bytes, if it has them. */
async function already(project: ProjectFolder | undefined, one: Found, path: string): Promise<{ already?: string }> {
  if (!project || one.problem) return {}
  if (one.kind === 'model') {
    const id = await modelId(path, one.companions)
    return project.models.has(id) ? { already: id } : {}
  }
  const hash = one.details['hash']
  const known = project.file.datasets.find((entry) => entry.hash !== undefined && entry.hash === hash)
  return known ? { already: known.dataset } : {}
}

export async function importInto(host: Host, request: Request<'importFound'>): Promise<StudioResults['importFound']> {
  const project = host.project(request.project).writable()
  const found = host.scans.get(request.scan)
  if (!found) {
    throw new AlambicError('import.no-scan', 'this scan is not known any more', {
      subject: request.scan,
      fix: 'Drop the files again.',
    })
  }
  // What was uploaded is gone at the next start: it can only be copied.
  const isUpload = (id: string) => host.uploads.holds(found.candidates.get(id)?.path ?? '')
  const items = request.items.map((item) => (isUpload(item.id) ? { ...item, mode: 'copy' as const } : item))
  const report = await host.jobs.run(request.job, (job) => importFound(project, found, items, job))
  for (const what of ['models', 'datasets', 'recipes'] as const) {
    host.hub.emit({ kind: 'contents', project: project.id, what })
  }
  await project.measure()
  host.showProject(project)
  return report
}

export async function catalog(host: Host, project: ProjectFolder): Promise<Catalog> {
  const [recipes, datasets, zoo] = await Promise.all([
    host.service.call('recipes', {}),
    host.service.call('datasets', {}),
    host.service.call('zoo', {}),
  ])
  const builtIn = (recipes['recipes'] as { name: string; title: string; steps: string[] }[]).map(async (recipe) => {
    const { yaml } = await host.service.call('plan', { recipe: recipe.name })
    return { ...recipe, recipe: recipe.name, kind: 'built in' as const, yaml: yaml as string }
  })
  const files = project.recipes().map(async (path) => {
    const plan = await host.service.call('plan', { recipe: path }).catch(() => undefined)
    if (!plan) return undefined
    const { name, title, stages } = plan as { name: string; title: string; stages: { id: string }[] }
    const yaml = readFileSync(path, 'utf8')
    return { recipe: basename(path), name, title, kind: 'file' as const, steps: stages.map(({ id }) => id), yaml }
  })
  return {
    recipes: (await Promise.all([...builtIn, ...files])).filter((recipe) => recipe !== undefined),
    datasets: datasets['datasets'] as Catalog['datasets'],
    zoo: zoo['nets'] as Catalog['zoo'],
  }
}

export async function restore(host: Host, id: string): Promise<StudioResults['restore']> {
  const { kind, path, project } = await host.bin.restore(id)
  host.hub.emit({ kind: 'bin' })
  if (kind === 'project') return { project: (await host.open(path)).project }
  const found = host.project(project ?? '')
  await host.refresh(found)
  if (kind === 'export') host.hub.emit({ kind: 'contents', project: found.id, what: 'models' })
  if (kind === 'model' || kind === 'export') return { project: found.id }
  return { project: found.id, run: `${found.id}.${basename(path)}` }
}
