import { AlambicError } from '../../workers/protocol/errors.ts'
import { chooseHome } from '../../workers/protocol/files/home.ts'
import type { z } from 'zod'
import type { RunDetail, SelfTest, StudioCall, StudioResults, studioCalls } from '../../workers/protocol/studio.ts'
import { devicesOf } from './machine.ts'
import { diagnostics } from './diagnostics.ts'
import { browse, catalog, importInto, restore, scanSources } from './contents.ts'
import { evaluateCheckpoint, exportCheckpoint, exportModel, samplesOf } from './exports.ts'
import type { Host } from './host.ts'
import { locating } from './locate.ts'
import { pointOf } from './points.ts'
import { hello } from './hello.ts'
import { inOwnProcess } from './jobs.ts'
import { comparing } from './compare.ts'
import { exporting } from './export-as.ts'
import { inspector } from './inspector.ts'
import { learning } from './learning.ts'
import { branchRun, checkRun, cloneRun, createRun } from './new-run.ts'
import {
  checkBaseline,
  checkRecipe,
  deleteRecipe,
  estimateRecipe,
  listRecipes,
  methods,
  previewData,
  saveRecipe,
} from './recipes.ts'
import type { RunEntry } from './run.ts'
import { openSample } from './sample.ts'

type Request<Name extends StudioCall> = z.output<(typeof studioCalls)[Name]>

/** What a host does for each call; requests are checked already. `subscribe` belongs to the connection. */
export type Handlers = {
  readonly [Name in Exclude<StudioCall, 'subscribe'>]: (
    host: Host,
    request: Request<Name>,
  ) => Promise<StudioResults[Name]>
}

export const handlers: Handlers = {
  hello: async (host) => hello(host),

  projects: async (host) => [...host.projects.values()].map((project) => project.summary()),
  createProject: async (host, { name, folder }) => {
    const place = folder === undefined ? undefined : await host.paths.check(folder)
    return (await host.create(name, place)).summary()
  },
  openProject: async (host, { path }) => host.open(await host.paths.check(path)),
  renameProject: async (host, { project, name }) => {
    const found = host.project(project)
    await found.change({ name })
    host.showProject(found)
    return found.summary()
  },
  deleteProject: async (host, { project }) => host.remove(host.project(project)),
  openSample: async (host) => openSample(host),
  bin: async (host) => host.bin.list(),
  restore: async (host, { id }) => restore(host, id),
  emptyBin: async (host) => {
    const bytes = await host.bin.empty()
    host.hub.emit({ kind: 'bin' })
    return { bytes }
  },

  browse: async (host, { path }) => browse(host, path),
  startUpload: async (host, { upload, files }) => ({
    upload,
    received: await host.uploads.start(upload, files, host.settings.get().diskFloor),
  }),
  scan: async (host, request) => scanSources(host, request),
  importFound: async (host, request) => importInto(host, request),
  cancelJob: async (host, { job }) => {
    const found = host.jobs.cancel(job)
    const upload = await host.uploads.remove(job)
    host.scans.delete(job)
    return { found: found || upload }
  },

  models: async (host, { project }) => {
    const models = host.project(project).models.list()
    if (models.length > 0) host.inspector.warm()
    return models
  },
  renameModel: async (host, { project, model, name }) => {
    const renamed = await host.project(project).writable().models.rename(model, name)
    host.hub.emit({ kind: 'contents', project, what: 'models' })
    return renamed
  },
  ...locating,
  deleteModel: async (host, { project, model }) => deleteModel(host, project, model),
  ...inspector,
  ...comparing,
  ...exporting,
  ...learning,
  datasets: async (host, { project }) => host.project(project).datasets(),
  removeDataset: async (host, { project, dataset }) => {
    const found = host.project(project)
    const rest = found.file.datasets.filter((one) => one.dataset !== dataset)
    const removed = rest.length < found.file.datasets.length
    await found.change({ datasets: rest })
    host.hub.emit({ kind: 'contents', project, what: 'datasets' })
    return { removed }
  },
  catalog: async (host, { project }) => catalog(host, host.project(project)),

  methods: async (host) => methods(host),
  recipes: async (host, { project }) => listRecipes(host, project),
  saveRecipe: async (host, request) => saveRecipe(host, request),
  deleteRecipe: async (host, request) => deleteRecipe(host, request),
  checkRecipe: async (host, request) => checkRecipe(host, request),
  estimateRecipe: async (host, request) => estimateRecipe(host, request),
  previewData: async (host, request) => previewData(host, request),
  checkBaseline: async (host, request) => checkBaseline(host, request),

  runs: async (host, { project }) => {
    const projects = project === undefined ? [...host.projects.values()] : [host.project(project)]
    const { order } = host.supervisor.queue()
    return projects
      .flatMap(({ runs }) => [...runs.values()])
      .map((run) => {
        const queued = order.indexOf(run.key)
        return queued < 0 ? run.summary() : { ...run.summary(), queued }
      })
      .toSorted((a, b) => b.created.localeCompare(a.created))
  },
  runDetail: async (host, { run }) => {
    const entry = host.run(run)
    const detail = await entry.detail()
    const baseline = baselineOf(host, entry)
    return baseline === undefined ? detail : { ...detail, references: [...detail.references, baseline] }
  },
  checkRun: async (host, plan) => checkRun(host, plan),
  createRun: async (host, plan) => (await createRun(host, plan)).summary(),
  renameRun: async (host, { run, title }) => {
    const entry = host.ownRun(run)
    await entry.note({ title })
    host.hub.emit({ kind: 'run', run: entry.summary() })
    return entry.summary()
  },
  reorderQueue: async (host, { order }) => {
    await host.supervisor.reorder(order)
    return host.supervisor.queue()
  },
  pauseQueue: async (host, { paused }) => {
    host.supervisor.pauseQueue(paused)
    return host.supervisor.queue()
  },
  queue: async (host) => host.supervisor.queue(),
  pauseRun: async (host, { run }) => {
    await host.supervisor.pause(host.ownRun(run))
    return host.run(run).summary()
  },
  resumeRun: async (host, { run }) => {
    await host.supervisor.resume(host.ownRun(run))
    return host.run(run).summary()
  },
  stopRun: async (host, { run }) => {
    await host.supervisor.stop(host.ownRun(run))
    return host.run(run).summary()
  },
  discardRun: async (host, { run }) => discardRun(host, run),
  cloneRun: async (host, { run, set, title }) => (await cloneRun(host, host.ownRun(run), set, title)).summary(),

  metrics: async (host, { run, stream, fromRow, maxRows }) => host.run(run).metrics(stream, fromRow, maxRows),
  runEvents: async (host, { run, after, limit }) => host.run(run).events(after, limit),
  log: async (host, { run, ...page }) => host.run(run).log.page(page),
  samples: async (host, request) => samplesOf(host, request),

  checkpoints: async (host, { run }) => host.run(run).checkpoints(),
  evaluateCheckpoint: async (host, request) => evaluateCheckpoint(host, request),
  branchRun: async (host, { run, checkpoint, set, title }) =>
    (await branchRun(host, host.ownRun(run), pointOf(checkpoint), set, title)).summary(),
  exportCheckpoint: async (host, request) => exportCheckpoint(host, request),
  exportModel: async (host, request) => exportModel(host, request),

  devices: async (host) => devicesOf(await host.service.call('doctor', {})),
  selfTest: async (host, { job, device }) => {
    const report = await host.jobs.run(job, (work) => inOwnProcess(work, 'selfTest', { device }))
    return report as unknown as SelfTest
  },
  settings: async (host) => host.settings.get(),
  setSettings: async (host, { change }) => {
    if (change.projectsFolder !== undefined) await host.paths.check(change.projectsFolder)
    const settings = await host.settings.change(change)
    // Projects in the folder of before are still known.
    if (change.projectsFolder !== undefined) await host.remember()
    host.hub.emit({ kind: 'settings', settings })
    host.supervisor.pump()
    return settings
  },
  setDataFolder: async (host, { path }) => {
    if (process.env['ALAMBIC_HOME']) throw fixedFolder(process.env['ALAMBIC_HOME'])
    const dataFolder = await host.paths.check(path)
    await chooseHome(dataFolder)
    return { dataFolder }
  },
  system: async (host) => host.monitor.status(host.settings.get().diskFloor, host.supervisor.processes),
  diagnostics: async (host, { job }) => host.jobs.run(job, (work) => diagnostics(host, work)),
}

/** What the model that a run starts from was measured with. */
function baselineOf(host: Host, { project, notes }: RunEntry): RunDetail['references'][number] | undefined {
  const { models } = host.project(project)
  const { model } = notes.model
  const accuracy = model !== undefined && models.has(model) ? models.get(model).measured?.['accuracy'] : undefined
  return typeof accuracy === 'number' ? { name: 'baseline', accuracy } : undefined
}

async function deleteModel(host: Host, project: string, model: string): Promise<StudioResults['deleteModel']> {
  const found = host.project(project).writable()
  const child = found.models.list().find(({ parent }) => parent === model)
  const user = [...found.runs.values()].find(({ notes }) => notes.model.model === model)
  if (child || user) {
    throw new AlambicError('model.used', 'another model or a run was made from this model', {
      subject: model,
      found: child?.name ?? user?.notes.title,
      fix: 'Delete that first.',
    })
  }
  const { name } = found.models.get(model)
  const discarded = await host.bin.add('model', found.models.folder(model), name, project)
  host.hub.emit({ kind: 'contents', project, what: 'models' })
  host.hub.emit({ kind: 'bin' })
  host.showProject(found)
  return discarded
}

async function discardRun(host: Host, key: string): Promise<StudioResults['discardRun']> {
  const run = host.ownRun(key)
  const project = host.project(run.project)
  await host.supervisor.abandon(run)
  const discarded = await host.bin.add('run', run.folder, run.notes.title, project.id)
  project.runs.delete(key)
  host.hub.emit({ kind: 'run-gone', run: key })
  host.hub.emit({ kind: 'bin' })
  host.showProject(project)
  return discarded
}

const fixedFolder = (folder: string): AlambicError =>
  new AlambicError('settings.data-folder', 'the data folder was given when Alambic was started', {
    subject: folder,
    fix: 'Start Alambic without ALAMBIC_HOME to choose it here.',
  })
