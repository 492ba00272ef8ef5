import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { z } from 'zod'
import { AlambicError, asAlambicError } from '../../workers/protocol/errors.ts'
import { replaceFile, sha256 } from '../../workers/protocol/files/durable.ts'
import type {
  BaselineReport,
  Methods,
  PreviewReport,
  RecipeEstimate,
  RecipeFileInfo,
  StudioResults,
  studioCalls,
} from '../../workers/protocol/studio.ts'
import type { WireError } from '../../workers/protocol/worker.ts'
import { defined } from './defined.ts'
import type { Host } from './host.ts'
import { inOwnProcess } from './jobs.ts'
import { materialOf } from './new-run.ts'
import { randomLetters, slug } from './paths.ts'
import { observedSpeeds } from './observed.ts'
import type { ProjectFolder } from './project.ts'

type Request<Name extends keyof typeof studioCalls> = z.output<(typeof studioCalls)[Name]>

/** What the methods are never changes while a host lives: the worker is asked once. */
const described = new WeakMap<Host, Promise<Methods>>()

export function methods(host: Host): Promise<Methods> {
  const known = described.get(host)
  if (known) return known
  const asked = host.service.call('methods', {}) as unknown as Promise<Methods>
  described.set(host, asked)
  asked.catch(() => described.delete(host))
  return asked
}

/** Recipe files, the newest first; one that can't be read is listed with the reason. */
export async function listRecipes(host: Host, project: string | undefined): Promise<StudioResults['recipes']> {
  const projects = project === undefined ? [...host.projects.values()] : [host.project(project)]
  const found = projects.flatMap((one) =>
    one.recipes().map(async (path) => ({ project: one.id, ...(await read(host, path)) })),
  )
  return (await Promise.all(found)).toSorted((a, b) => b.modified.localeCompare(a.modified))
}

async function read(host: Host, path: string): Promise<RecipeFileInfo> {
  const yaml = await readFile(path, 'utf8')
  const file = basename(path)
  const about = { file, modified: (await stat(path)).mtime.toISOString(), yaml, hash: sha256(yaml) }
  try {
    const plan = await host.service.call('plan', { recipe: path })
    const { name, title, stages } = plan as unknown as { name: string; title: string; stages: { id: string }[] }
    return { ...about, name, title, steps: stages.map(({ id }) => id) }
  } catch (thrown) {
    const problem = asAlambicError(thrown).toJSON() as unknown as WireError
    return { ...about, name: file, title: '', steps: [], problem }
  }
}

const pathOf = (project: ProjectFolder, file: string): string => join(project.path, 'recipes', file)

export async function saveRecipe(host: Host, request: Request<'saveRecipe'>): Promise<RecipeFileInfo> {
  const project = host.project(request.project).writable()
  await mkdir(join(project.path, 'recipes'), { recursive: true })
  const file = request.file ?? freeName(project, request.name)
  const path = pathOf(project, file)
  if (request.hash !== undefined && existsSync(path) && sha256(await readFile(path, 'utf8')) !== request.hash) {
    throw new AlambicError('recipe.changed', 'somebody else changed this recipe', {
      subject: file,
      fix: 'Open it again to see the change, or save under another name.',
    })
  }
  await replaceFile(path, Buffer.from(request.yaml))
  host.hub.emit({ kind: 'contents', project: project.id, what: 'recipes' })
  return read(host, path)
}

function freeName(project: ProjectFolder, name: string): string {
  const plain = `${slug(name, 'recipe')}.yaml`
  return existsSync(pathOf(project, plain)) ? `${slug(name, 'recipe')}-${randomLetters(4)}.yaml` : plain
}

export async function deleteRecipe(host: Host, request: Request<'deleteRecipe'>): Promise<{ readonly yaml: string }> {
  const project = host.project(request.project).writable()
  const path = pathOf(project, request.file)
  if (!existsSync(path)) {
    throw new AlambicError('recipe.missing', 'there is no such recipe in this project', { subject: request.file })
  }
  const yaml = await readFile(path, 'utf8')
  await rm(path)
  host.hub.emit({ kind: 'contents', project: project.id, what: 'recipes' })
  return { yaml }
}

/** Samples by split, as far as the project knows them. */
function samplesOf(project: ProjectFolder, data: Request<'checkRecipe'>['data']): Record<string, number> | undefined {
  if (data?.kind !== 'dataset') return undefined
  const samples = project.file.datasets.find(({ dataset }) => dataset === data.dataset)?.samples
  return samples && Object.keys(samples).length > 0 ? samples : undefined
}

export async function checkRecipe(host: Host, request: Request<'checkRecipe'>): Promise<StudioResults['checkRecipe']> {
  const project = host.project(request.project)
  const { model } = materialOf(project, request)
  const samples = samplesOf(project, request.data)
  const question = defined({ recipe: request.recipe, model, samples })
  return (await host.service.call('check', question)) as unknown as StudioResults['checkRecipe']
}

export async function estimateRecipe(host: Host, request: Request<'estimateRecipe'>): Promise<RecipeEstimate> {
  const project = host.project(request.project)
  const { model, data } = materialOf(project, request)
  const counts = samplesOf(project, request.data) ?? (data === undefined ? {} : await countsOf(host, data))
  const all = counts['train']
  const samples = all === undefined ? undefined : Math.min(all, request.limit ?? all)
  const runs = [...host.projects.values()].flatMap((one) => [...one.runs.values()])
  const question = defined({ recipe: request.recipe, model, samples, observed: observedSpeeds(runs) })
  return (await host.service.call('estimate', question)) as unknown as RecipeEstimate
}

/** Of data that is known by name only: it is opened once to be counted. */
const counted = new Map<string, Promise<Record<string, number>>>()

function countsOf(host: Host, data: string): Promise<Record<string, number>> {
  const known = counted.get(data)
  if (known) return known
  const asked = host.service.call('describe', { data }).then(({ samples }) => samples as Record<string, number>)
  counted.set(data, asked)
  asked.catch(() => counted.delete(data))
  return asked
}

export async function previewData(host: Host, request: Request<'previewData'>): Promise<PreviewReport> {
  const { model, data } = materialOf(host.project(request.project), request)
  const { preprocessing, count, seed } = request
  const question = defined({ data, model, preprocessing, count, seed })
  return (await host.service.call('preview', question)) as unknown as PreviewReport
}

export async function checkBaseline(host: Host, request: Request<'checkBaseline'>): Promise<BaselineReport> {
  const { model, data } = materialOf(host.project(request.project), request)
  const { job, preprocessing, samples } = request
  const question = defined({ model, data, preprocessing, samples })
  return host.jobs.run(job, (work) => inOwnProcess(work, 'baseline', question)) as unknown as Promise<BaselineReport>
}
