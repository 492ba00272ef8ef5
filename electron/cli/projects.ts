import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { DeviceChoice } from '../../workers/protocol/devices.ts'
import { AlambicError } from '../../workers/protocol/errors.ts'
import { alambicHome } from '../../workers/protocol/files/home.ts'
import type { RunPlan } from '../../workers/protocol/studio.ts'
import { importInto, scanSources } from '../host/contents.ts'
import { Host } from '../host/host.ts'
import { createRun } from '../host/new-run.ts'
import type { ProjectFolder } from '../host/project.ts'
import type { RunEntry } from '../host/run.ts'
import { bytes, table } from './format.ts'
import { ProgressPrinter } from './progress.ts'
import { ExitCode, type Output } from './session.ts'
import { asRun } from './show.ts'

const openHost = (): Promise<Host> => Host.start({ home: alambicHome(), shell: 'command line' })

/** Lists the projects that the studio has. */
export async function listProjects(output: Output): Promise<void> {
  const host = await openHost()
  try {
    const projects = [...host.projects.values()].map((project) => project.summary())
    const rows = projects.map(({ name, models, runs, bytes: size, heldBy, path }) => [
      name,
      String(models),
      String(runs),
      bytes(size),
      heldBy ? `open in ${heldBy.shell} ${heldBy.pid}` : '',
      path,
    ])
    const text = table([['project', 'models', 'runs', 'size', '', 'folder'], ...rows])
    process.stdout.write(`${output.json ? JSON.stringify({ projects }, null, 2) : text}\n`)
  } finally {
    await host.close()
  }
}

export interface ProjectRun {
  readonly project: string
  readonly recipe: string | Readonly<Record<string, unknown>>
  readonly model: string
  readonly data: string
  readonly set?: Readonly<Record<string, unknown>> | undefined
  readonly seed?: number | undefined
  readonly limit?: number | undefined
  readonly threads?: number | undefined
  readonly device?: DeviceChoice | undefined
}

/** Makes a run in a project of the studio, and shows it until it ends; Ctrl-C stops it and keeps the best. */
export async function runInProject(request: ProjectRun, output: Output): Promise<void> {
  const host = await openHost()
  try {
    const project = await findProject(host, request.project)
    const plan = await planOf(host, project, request)
    const run = await createRun(host, { set: {}, seed: 42, checkpointEvery: 60, ...plan } as Parameters<
      typeof createRun
    >[1])
    process.stderr.write(`run folder: ${run.folder}\n`)
    await follow(host, run)
    show(run, output)
  } finally {
    await host.close()
  }
}

/** By name, id or folder; a name that no project has makes a new one. */
async function findProject(host: Host, name: string): Promise<ProjectFolder> {
  const path = resolve(name)
  const all = [...host.projects.values()]
  const found = all.find(({ id, file, path: place }) => id === name || file.name === name || place === path)
  if (found) return host.claim(found)
  const opened = existsSync(path) ? host.project((await host.open(path)).project) : await host.create(name)
  return host.claim(opened)
}

async function planOf(host: Host, project: ProjectFolder, request: ProjectRun): Promise<RunPlan> {
  const { seed, limit, threads, device } = request
  const model = existsSync(request.model)
    ? { kind: 'model' as const, model: await take(host, project, request.model, 'copy') }
    : { kind: 'zoo' as const, id: request.model }
  const data = existsSync(request.data)
    ? { kind: 'dataset' as const, dataset: await take(host, project, request.data, 'link') }
    : { kind: 'named' as const, id: request.data }
  const isFile = typeof request.recipe === 'string' && existsSync(request.recipe)
  const recipe = isFile ? await take(host, project, request.recipe, 'copy') : request.recipe
  return {
    project: project.id,
    model,
    data,
    recipe: recipe as RunPlan['recipe'],
    ...(request.set === undefined ? {} : { set: request.set as NonNullable<RunPlan['set']> }),
    ...(seed === undefined ? {} : { seed }),
    ...(limit === undefined ? {} : { limit }),
    ...(threads === undefined ? {} : { threads }),
    ...(device === undefined ? {} : { device }),
  }
}

/** Imports one file or folder; answers what the project calls it. */
async function take(host: Host, project: ProjectFolder, path: string, mode: 'copy' | 'link'): Promise<string> {
  const scan = await scanSources(host, {
    scan: `cli-${process.pid}`,
    project: project.id,
    sources: [{ kind: 'path', path: resolve(path) }],
  })
  const [found] = scan.found
  if (!found) throw new AlambicError('import.nothing', `there is nothing to import in "${path}"`, { subject: path })
  const report = await importInto(host, {
    job: `cli-import-${process.pid}`,
    project: project.id,
    scan: scan.scan,
    items: [{ id: found.id, mode }],
  })
  if (report.failed[0]) throw AlambicError.fromJSON(report.failed[0].error)
  return report.imported[0]?.as ?? ''
}

async function follow(host: Host, run: RunEntry): Promise<void> {
  const printer = new ProgressPrinter()
  host.hub.subscribe(
    (events) => {
      for (const event of events) {
        if (event.kind === 'progress' && event.run === run.key) printer.show(event.progress)
      }
    },
    { after: 0 },
  )
  const stop = () => void host.supervisor.stop(run)
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    while (['queued', 'preparing', 'running', 'pausing'].includes(run.state)) {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
    printer.end()
  }
}

function show(run: RunEntry, output: Output): void {
  const { state, result, error, halt } = run.summary()
  const wire = error ?? halt?.error
  if (wire) throw AlambicError.fromJSON(wire)
  process.stdout.write(`${output.json ? JSON.stringify(result, null, 2) : asRun(result ?? {})}\n`)
  process.exitCode = state === 'succeeded' ? ExitCode.done : ExitCode.stopped
}
