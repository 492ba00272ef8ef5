import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AlambicError } from '../../workers/protocol/errors.ts'
import { replaceJson } from '../../workers/protocol/files/durable.ts'
import type { Discarded, Project } from '../../workers/protocol/studio.ts'
import { Bin } from './bin.ts'
import { EventHub } from './hub.ts'
import { Jobs, ServiceWorker } from './jobs.ts'
import { SystemMonitor } from './machine.ts'
import { PathGuard, randomLetters, slug } from './paths.ts'
import { PROJECT_FILE, ProjectFolder } from './project.ts'
import type { RunEntry } from './run.ts'
import type { Scan } from './scan.ts'
import { SettingsStore } from './settings.ts'
import { Supervisor } from './supervisor.ts'
import { Tickets } from './tickets.ts'
import { Uploads } from './uploads.ts'
import { FolderWatch } from './watch.ts'

export interface HostOptions {
  /** The data folder: settings, projects, the bin. */
  readonly home: string
  readonly shell: 'desktop' | 'browser' | 'command line'
  /** Folders that may be listed and read by path; everything in the desktop shell and on the command line. */
  readonly roots?: readonly string[]
  /** Milliseconds between looks at the machine and the disk. */
  readonly tick?: number
}

const MANIFEST = new URL('../../package.json', import.meta.url)
export const VERSION = (JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string }).version

/**
 * Owns projects, models, data sets, runs and devices. The same object is behind the desktop shell, the browser's
 * server and the command line; a renderer only ever sees it through the protocol.
 */
export class Host {
  readonly options: HostOptions
  readonly hub = new EventHub()
  readonly settings: SettingsStore
  readonly projects = new Map<string, ProjectFolder>()
  readonly supervisor: Supervisor
  readonly jobs: Jobs
  readonly service = new ServiceWorker()
  /** Another one for questions about models, which may be large. */
  readonly inspector = new ServiceWorker()
  readonly uploads: Uploads
  readonly tickets = new Tickets()
  readonly paths: PathGuard
  readonly bin: Bin
  readonly monitor: SystemMonitor
  /** Scans by the ids that their callers chose, until something else is scanned. */
  readonly scans = new Map<string, Scan>()
  readonly firstLaunch: boolean
  readonly #watch: FolderWatch
  #timer: NodeJS.Timeout | undefined
  #ticking = false
  #shown = new Map<string, string>()

  private constructor(options: HostOptions) {
    this.options = options
    const { home, shell, roots = [] } = options
    try {
      mkdirSync(home, { recursive: true })
    } catch {
      // A full or read-only disk does not keep the studio from starting; what cannot be kept says so when it is tried.
    }
    this.settings = new SettingsStore(home)
    this.firstLaunch = this.settings.isNew
    this.paths = new PathGuard([...roots, home], shell !== 'browser')
    this.bin = new Bin(home)
    this.uploads = new Uploads(home)
    this.monitor = new SystemMonitor(home)
    this.jobs = new Jobs(this.hub)
    this.supervisor = new Supervisor({
      hub: this.hub,
      settings: () => this.settings.get(),
      finished: (run) => this.#finished(run),
    })
    this.#watch = new FolderWatch((path) => this.#changedOnDisk(path))
  }

  static async start(options: HostOptions): Promise<Host> {
    const host = new Host(options)
    await host.uploads.clear().catch(() => undefined)
    await host.#openAll()
    host.#timer = setInterval(() => void host.tick(), options.tick ?? 2000)
    return host
  }

  get projectsFolder(): string {
    return this.settings.get().projectsFolder ?? join(this.options.home, 'projects')
  }

  // ── projects ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Every project in the projects folder, and those elsewhere that were opened before. */
  async #openAll(): Promise<void> {
    const folder = this.projectsFolder
    const inside = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
    const paths = [...inside.filter((path) => !path.split(/[\\/]/).at(-1)?.startsWith('.')), ...this.#elsewhere()]
    for (const path of paths) {
      if (!existsSync(join(path, PROJECT_FILE))) continue
      await this.#open(path).catch((error: unknown) => {
        process.stderr.write(`alambic: ${error instanceof Error ? error.message : String(error)}\n`)
      })
    }
    this.#watch.follow(folder)
  }

  #elsewhere(): string[] {
    try {
      const paths = JSON.parse(readFileSync(join(this.options.home, 'projects.json'), 'utf8')) as unknown
      return Array.isArray(paths) ? paths.filter((path): path is string => typeof path === 'string') : []
    } catch {
      return []
    }
  }

  async #open(path: string): Promise<ProjectFolder> {
    for (const known of this.projects.values()) if (known.path === path) return known
    const project = ProjectFolder.open(path)
    // The command line takes only the project that it works in.
    if (this.options.shell !== 'command line') project.lock(this.options.shell)
    const twin = this.projects.get(project.id)
    // A copy of a project's folder has its id as well: it becomes a project of its own.
    if (twin && project.isHeld)
      await project.change({ id: `${slug(project.file.name, 'project')}-${randomLetters(6)}` })
    else if (twin)
      throw new AlambicError('project.twin', 'there is a copy of this project that cannot be changed', {
        subject: path,
      })
    if (twin) project.rescan()
    this.projects.set(project.id, project)
    for (const folder of ['', 'models', 'recipes', 'runs']) this.#watch.follow(join(path, folder))
    this.#watch.follow(this.projectsFolder)
    if (project.isHeld) await this.supervisor.adopt(project)
    void project.measure().then(() => this.showProject(project))
    return project
  }

  /** Takes a project to write in it; throws `project.held`. */
  claim(project: ProjectFolder): ProjectFolder {
    project.lock(this.options.shell)
    return project.writable()
  }

  async open(path: string): Promise<Project> {
    const project = await this.#open(path)
    if (!path.startsWith(join(this.projectsFolder, '/'))) await this.remember()
    this.showProject(project)
    return project.summary()
  }

  /** Paths of projects that are not in the projects folder. */
  async remember(): Promise<void> {
    const paths = [...this.projects.values()].map(({ path }) => path)
    const elsewhere = paths.filter((path) => !path.startsWith(join(this.projectsFolder, '/')))
    await replaceJson(join(this.options.home, 'projects.json'), elsewhere)
  }

  async create(name: string, folder?: string, sample = false): Promise<ProjectFolder> {
    let path = join(folder ?? this.projectsFolder, slug(name, 'project'))
    if (existsSync(path)) path = `${path}-${randomLetters(4)}`
    await ProjectFolder.create(path, name, sample)
    await this.open(path)
    return this.#open(path)
  }

  async remove(project: ProjectFolder): Promise<Discarded> {
    project.writable()
    const busy = [...project.runs.values()].find(({ key }) => this.supervisor.isActive(key))
    if (busy) {
      throw new AlambicError('project.busy', 'a run of this project is going', {
        subject: busy.key,
        fix: 'Stop or pause it first.',
      })
    }
    for (const key of project.runs.keys()) this.supervisor.forget(key)
    this.#watch.leave(project.path)
    project.release()
    this.projects.delete(project.id)
    const discarded = await this.bin.add('project', project.path, project.file.name)
    await this.remember()
    this.#shown.delete(project.id)
    this.hub.emit({ kind: 'project-gone', project: project.id })
    this.hub.emit({ kind: 'bin' })
    return discarded
  }

  project(id: string): ProjectFolder {
    const project = this.projects.get(id)
    if (project) return project
    throw new AlambicError('project.unknown', 'there is no such project', { subject: id })
  }

  run(key: string): RunEntry {
    const run = this.projects.get(key.split('.')[0] ?? '')?.runs.get(key)
    if (run) return run
    throw new AlambicError('run.unknown', 'there is no such run', { subject: key })
  }

  /** A run that this host may change. */
  ownRun(key: string): RunEntry {
    const run = this.run(key)
    this.project(run.project).writable()
    return run
  }

  // ── changes ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Tells renderers of a project when it is not as they were told last. */
  showProject(project: ProjectFolder): void {
    const summary = project.summary()
    const text = JSON.stringify(summary)
    if (this.#shown.get(project.id) === text) return
    this.#shown.set(project.id, text)
    this.hub.emit({ kind: 'project', project: summary })
  }

  /** Takes the model that a run made into its project. */
  async #finished(run: RunEntry): Promise<void> {
    const project = this.project(run.project)
    const { result } = run.record
    const file = result?.['output']
    if (typeof file !== 'string' || !existsSync(file)) return
    const model = await project.models.add(file, {
      name: run.notes.title,
      origin: { kind: 'run', run: run.key, recipe: run.notes.recipe.name },
      parent: run.notes.model.model,
      inspected: await this.service.call('inspect', { model: file }),
      measured: result,
    })
    await run.note({ output: model.model })
    await project.measure()
    this.hub.emit({ kind: 'contents', project: project.id, what: 'models' })
    this.showProject(project)
  }

  /** Somebody else changed a project, or the projects folder. */
  #changedOnDisk(path: string): void {
    const project = [...this.projects.values()].find((one) => path === one.path || path.startsWith(join(one.path, '/')))
    // A folder that goes away while it is read is seen by its next change.
    void (project ? this.refresh(project) : this.#openAll()).catch(() => undefined)
  }

  /** Reads a project again, and tells what came and went. */
  async refresh(project: ProjectFolder): Promise<void> {
    if (!existsSync(join(project.path, PROJECT_FILE))) {
      this.#watch.leave(project.path)
      project.release()
      this.projects.delete(project.id)
      this.#shown.delete(project.id)
      this.hub.emit({ kind: 'project-gone', project: project.id })
      return
    }
    try {
      const { added, gone } = project.rescan()
      for (const run of added) this.hub.emit({ kind: 'run', run: run.summary() })
      for (const run of gone) this.hub.emit({ kind: 'run-gone', run })
      for (const key of gone) this.supervisor.forget(key)
      if (project.isHeld && added.length > 0) await this.supervisor.adopt(project)
      for (const what of ['models', 'recipes'] as const) this.hub.emit({ kind: 'contents', project: project.id, what })
      this.showProject(project)
    } catch {
      // A file that is being written; its next change is seen as well.
    }
  }

  /** Looks at the machine, the disk, and at projects that somebody else holds. */
  async tick(): Promise<void> {
    if (this.#ticking) return
    this.#ticking = true
    try {
      const { diskFloor } = this.settings.get()
      this.hub.emit({ kind: 'system', status: await this.monitor.status(diskFloor, this.supervisor.processes) })
      await this.supervisor.guardDisk()
      for (const project of this.projects.values()) if (!project.isHeld) await this.#follow(project)
    } catch (error) {
      process.stderr.write(`alambic: ${error instanceof Error ? error.message : String(error)}\n`)
    } finally {
      this.#ticking = false
    }
  }

  /** A project that another program has: what it does is read from the disk, until it is free. */
  async #follow(project: ProjectFolder): Promise<void> {
    if (!existsSync(project.path)) return this.refresh(project)
    for (const run of project.runs.values()) {
      const before = JSON.stringify(run.record)
      try {
        run.reload()
      } catch {
        continue
      }
      if (JSON.stringify(run.record) !== before) this.hub.emit({ kind: 'run', run: run.summary() })
      if (!['succeeded', 'stopped', 'failed'].includes(run.record.state)) {
        this.hub.emit({ kind: 'rows', run: run.key, streams: run.rowCounts() })
      }
    }
    if (this.options.shell !== 'command line' && project.lock(this.options.shell)) {
      project.rescan()
      await this.supervisor.adopt(project)
    }
    this.showProject(project)
  }

  /** Lets runs save and end, then everything else go. Takes at most about 10 s. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#watch.close()
    this.jobs.cancelAll()
    await this.supervisor.close()
    await Promise.all([this.service.close(), this.inspector.close()])
    for (const project of this.projects.values()) project.release()
    this.hub.close()
  }
}
