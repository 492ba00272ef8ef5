import { copyFile, cp, mkdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { z } from 'zod'
import { AlambicError, asAlambicError } from '../../workers/protocol/errors.ts'
import { checkpointsOf, listCheckpoints } from '../../workers/protocol/files/checkpoints.ts'
import { replaceJson } from '../../workers/protocol/files/durable.ts'
import { streamPath, streamsIn, truncateRows } from '../../workers/protocol/files/metrics.ts'
import type { RunRecord } from '../../workers/protocol/files/record.ts'
import type { RunCheck, RunPlan } from '../../workers/protocol/studio.ts'
import type { Report, WireError } from '../../workers/protocol/worker.ts'
import { defined } from './defined.ts'
import { freeBytes } from './disk.ts'
import type { Host } from './host.ts'
import type { ProjectFolder } from './project.ts'
import type { RunEntry } from './run.ts'
import { writeNotes, type RunNotes } from './run-notes.ts'

export type Plan = z.output<typeof RunPlan>

/** A recipe with its defaults, as the worker's `plan` gives it. */
interface Planned {
  readonly name: string
  readonly title: string
  readonly plain: Report
  readonly stages: readonly { readonly id: string; readonly title: string }[]
  readonly problems: readonly WireError[]
  readonly diskBytes: number
}

interface Materials {
  /** What `model` and `data` of a run's request are. */
  readonly model: string
  readonly data: string
  readonly names: Pick<RunNotes, 'model' | 'data'>
}

/** Finds what a plan names in its project. */
function materials(project: ProjectFolder, plan: Pick<Plan, 'model' | 'data'>): Materials {
  const model =
    plan.model.kind === 'zoo'
      ? { reference: plan.model.id, notes: { name: plan.model.id } }
      : {
          reference: project.models.path(plan.model.model),
          notes: { name: project.models.get(plan.model.model).name, model: plan.model.model },
        }
  const data = dataOf(project, plan.data)
  return { model: model.reference, data: data.reference, names: { model: model.notes, data: { name: data.name } } }
}

/** What a worker opens for a choice of model and of data; each only where it was chosen. */
export const materialOf = (
  project: ProjectFolder,
  { model, data }: { readonly model?: Plan['model'] | undefined; readonly data?: Plan['data'] | undefined },
): { readonly model?: string; readonly data?: string } => ({
  ...(model ? { model: model.kind === 'zoo' ? model.id : project.models.path(model.model) } : {}),
  ...(data ? { data: dataOf(project, data).reference } : {}),
})

/** What a choice of data stands for: a name that workers know, or a data set of the project. */
export function dataOf(project: ProjectFolder, choice: Plan['data']): { reference: string; name: string } {
  if (choice.kind === 'named') return { reference: choice.id, name: choice.id }
  const { dataset } = choice
  const entry = project.file.datasets.find((one) => one.dataset === dataset)
  if (entry) return { reference: project.datasetPath(entry), name: entry.name }
  throw new AlambicError('data.unknown', 'there is no such data set in this project', { subject: dataset })
}

/** A recipe by its name is a built-in or one of the project's files, never any other file of the machine. */
function recipeOf(project: ProjectFolder, recipe: Plan['recipe']): Plan['recipe'] {
  if (typeof recipe !== 'string' || !/[\\/]|\.ya?ml$/i.test(recipe)) return recipe
  const file = project.recipes().find((path) => path === recipe || basename(path) === recipe)
  if (file) return file
  throw new AlambicError('recipe.missing', 'there is no such recipe in this project', { subject: recipe })
}

async function planned(host: Host, plan: Plan, project: ProjectFolder, model: string): Promise<Planned> {
  const recipe = recipeOf(project, plan.recipe)
  return (await host.service.call('plan', { recipe, set: plan.set, model })) as unknown as Planned
}

/** Problems and disk space, before a run is made. */
export async function checkRun(host: Host, plan: Plan): Promise<RunCheck> {
  const project = host.project(plan.project)
  const floor = host.settings.get().diskFloor
  const free = await freeBytes(project.path)
  try {
    const { problems, diskBytes } = await planned(host, plan, project, materials(project, plan).model)
    return { problems, disk: { needed: diskBytes, free, floor, enough: free - diskBytes >= floor } }
  } catch (thrown) {
    const problem = asAlambicError(thrown).toJSON() as unknown as WireError
    return { problems: [problem], disk: { needed: 0, free, floor, enough: free >= floor } }
  }
}

/** Makes a run's folder and puts it at the end of the queue. */
export async function createRun(host: Host, plan: Plan): Promise<RunEntry> {
  const project = host.project(plan.project).writable()
  const found = materials(project, plan)
  const recipe = await planned(host, plan, project, found.model)
  if (recipe.problems[0]) throw AlambicError.fromJSON(recipe.problems[0])
  const title = plan.title ?? `${recipe.title || recipe.name} #${project.runs.size + 1}`
  const { seed, limit, threads, device, checkpointEvery, keepEvery } = plan
  const own = { seed, limit, threads, device, checkpointEvery, keepEvery }
  const request = defined({ model: found.model, data: found.data, ...own })
  const notes = {
    title,
    recipe: { name: recipe.name, title: recipe.title },
    stages: [...recipe.stages],
    ...found.names,
  }
  return start(host, project, { request, recipe: recipe.plain, notes, steps: [] })
}

interface NewRun {
  readonly request: Report
  readonly recipe: Report
  readonly notes: Omit<RunNotes, 'format' | 'sessions' | 'crashes'>
  readonly steps: RunRecord['steps']
  /** Puts more into the folder before the run is known. */
  readonly fill?: (folder: string) => Promise<void>
}

async function start(host: Host, project: ProjectFolder, run: NewRun): Promise<RunEntry> {
  const folder = project.newRunFolder(run.notes.title)
  await mkdir(join(folder, 'metrics'), { recursive: true })
  await run.fill?.(folder)
  await writeNotes(folder, { format: 1, sessions: [], crashes: [], ...run.notes })
  const now = new Date().toISOString()
  const record: RunRecord = {
    format: 1,
    id: basename(folder),
    state: 'queued',
    created: now,
    updated: now,
    // The model goes into the run's own folder, and from there into the project.
    request: Object.fromEntries(Object.entries({ ...run.request, folder }).filter(([key]) => key !== 'output')),
    recipe: run.recipe,
    steps: run.steps,
  }
  await replaceJson(join(folder, 'run.json'), record)
  project.rescan()
  const entry = host.run(`${project.id}.${basename(folder)}`)
  await host.supervisor.enqueue(entry)
  host.showProject(project)
  return entry
}

const copied = ({ title, recipe, stages, model, data }: RunNotes) => ({ title, recipe, stages, model, data })

/** The same run anew, with changes to its recipe. */
export async function cloneRun(host: Host, run: RunEntry, set: Plan['set'], title?: string): Promise<RunEntry> {
  const project = host.project(run.project).writable()
  const recipe = (await host.service.call('plan', { recipe: run.record.recipe, set })) as unknown as Planned
  return start(host, project, {
    request: run.record.request,
    recipe: recipe.plain,
    notes: {
      ...copied(run.notes),
      stages: [...recipe.stages],
      title: title ?? nextTitle(project, run.notes.title),
      clonedFrom: run.key,
    },
    steps: [],
  })
}

function nextTitle(project: ProjectFolder, title: string): string {
  const plain = title.replace(/ #\d+$/, '')
  return `${plain} #${project.runs.size + 1}`.slice(-200)
}

/** A run that goes on from a checkpoint of another: what came before is copied, what comes after is its own. */
export async function branchRun(
  host: Host,
  run: RunEntry,
  point: { readonly stage: number; readonly step: number },
  set: Plan['set'],
  title?: string,
): Promise<RunEntry> {
  const project = host.project(run.project).writable()
  const { stage, step } = point
  const recipe = (await host.service.call('plan', { recipe: run.record.recipe, set })) as unknown as Planned
  const root = checkpointsOf(run.folder, stage)
  const checkpoint = (await listCheckpoints(root)).find((one) => one.step === step)
  if (!checkpoint) throw new AlambicError('run.no-checkpoint', 'there is no such checkpoint', { subject: run.key })
  return start(host, project, {
    request: run.record.request,
    recipe: recipe.plain,
    notes: {
      ...copied(run.notes),
      stages: [...recipe.stages],
      title: title ?? nextTitle(project, run.notes.title),
      branchedFrom: { run: run.key, checkpoint: `${stage}/${step}` },
    },
    steps: run.record.steps.slice(0, stage),
    async fill(folder) {
      for (const { model } of run.record.steps.slice(0, stage)) {
        await mkdir(join(folder, model, '..'), { recursive: true })
        await copyFile(join(run.folder, model), join(folder, model))
      }
      await cp(join(root, checkpoint.name), join(checkpointsOf(folder, stage), checkpoint.name), { recursive: true })
      await copyMetrics(run.folder, folder, point)
    },
  })
}

async function copyMetrics(from: string, to: string, { stage, step }: { stage: number; step: number }): Promise<void> {
  for (const stream of streamsIn(join(from, 'metrics'))) {
    if (Number.parseInt(stream, 10) > stage) continue
    for (const ending of ['json', 'f64']) {
      const file = `${streamPath(from, stream)}.${ending}`
      if (existsSync(file)) await copyFile(file, `${streamPath(to, stream)}.${ending}`)
    }
    if (Number.parseInt(stream, 10) === stage) truncateRows(streamPath(to, stream), step)
  }
}
