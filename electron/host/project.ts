import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { AlambicError, asAlambicError } from '../../workers/protocol/errors.ts'
import { replaceJson } from '../../workers/protocol/files/durable.ts'
import { ProjectId, type DatasetInfo, type Holder, type Project, type RunKey } from '../../workers/protocol/studio.ts'
import type { WireError } from '../../workers/protocol/worker.ts'
import { defined } from './defined.ts'
import { folderBytes } from './folders.ts'
import { heldBy, ProjectLock } from './lock.ts'
import { ModelStore } from './models.ts'
import { randomLetters, slug } from './paths.ts'
import { RunEntry } from './run.ts'

const Dataset = z.object({
  dataset: z.string(),
  name: z.string(),
  reference: z.string(),
  kind: z.enum(['named', 'folder', 'file']),
  format: z.string(),
  samples: z.record(z.string(), z.number()).default({}),
  classes: z.array(z.string()).optional(),
  shape: z.array(z.number()).optional(),
  bytes: z.number().optional(),
  hash: z.string().optional(),
  linked: z.boolean(),
})

const ProjectFile = z.object({
  alambic: z.literal(1),
  id: ProjectId,
  name: z.string(),
  created: z.string(),
  sample: z.boolean().default(false),
  datasets: z.array(Dataset).default([]),
})
export type ProjectFile = z.output<typeof ProjectFile>

export const PROJECT_FILE = 'project.json'

/** A project: a folder with a `project.json`, models, recipes and runs. Nothing else is state. */
export class ProjectFolder {
  readonly path: string
  readonly models: ModelStore
  readonly runs = new Map<RunKey, RunEntry>()
  file: ProjectFile
  holder: Holder | undefined
  #lock: ProjectLock | undefined
  #bytes = 0
  /** Changes are written one after the other; until all are, what is on the disk is older than `file`. */
  #saved: Promise<void> = Promise.resolve()
  #unsaved = 0
  /** Runs that cannot be read, by folder name. */
  readonly damaged = new Map<string, WireError>()

  private constructor(path: string, file: ProjectFile) {
    this.path = path
    this.file = file
    this.models = new ModelStore(path)
  }

  static async create(path: string, name: string, sample = false): Promise<void> {
    if (existsSync(path) && readdirSync(path).length > 0) {
      throw new AlambicError('project.exists', `there is something in "${path}" already`, {
        subject: path,
        expected: 'a new or an empty folder',
        fix: 'Choose another name, or open the folder as a project.',
      })
    }
    for (const folder of ['models', 'recipes', 'runs']) mkdirSync(join(path, folder), { recursive: true })
    const file: ProjectFile = {
      alambic: 1,
      id: `${slug(name, 'project')}-${randomLetters(6)}`,
      name,
      created: new Date().toISOString(),
      sample,
      datasets: [],
    }
    await replaceJson(join(path, PROJECT_FILE), file)
  }

  /** Opens a project's folder, and learns who holds it; throws `project.missing`, `project.damaged`. */
  static open(path: string): ProjectFolder {
    const project = new ProjectFolder(path, readProjectFile(path))
    project.holder = ProjectLock.holder(path)
    project.rescan()
    return project
  }

  get id(): string {
    return this.file.id
  }

  /** Tries to get the right to write. */
  lock(shell: string): boolean {
    if (this.#lock) return true
    const taken = ProjectLock.take(this.path, shell)
    if ('lock' in taken) this.#lock = taken.lock
    this.holder = 'holder' in taken ? taken.holder : undefined
    return this.#lock !== undefined
  }

  /** Throws `project.held` when another program has it. */
  writable(): this {
    if (this.#lock) return this
    throw heldBy(this.file.name, this.holder ?? { pid: 0, host: '', shell: '', since: '' })
  }

  get isHeld(): boolean {
    return this.#lock !== undefined
  }

  release(): void {
    this.#lock?.release()
    this.#lock = undefined
  }

  async change(change: Partial<ProjectFile>): Promise<void> {
    this.writable()
    const file = { ...this.file, ...change }
    this.file = file
    const saved = this.#saved.then(() => replaceJson(join(this.path, PROJECT_FILE), file))
    this.#saved = saved.catch(() => undefined)
    this.#unsaved++
    try {
      await saved
    } finally {
      this.#unsaved--
    }
  }

  /** Reads again what is on the disk; answers the runs that came and went. */
  rescan(): { readonly added: readonly RunEntry[]; readonly gone: readonly RunKey[] } {
    if (this.#unsaved === 0) this.file = readProjectFile(this.path)
    const folder = join(this.path, 'runs')
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^[a-z0-9][a-z0-9-]{0,63}$/.test(name)) : []
    const added = names.flatMap((name) => this.#addRun(name))
    const gone = [...this.runs].filter(([, run]) => !run.live && !existsSync(run.folder)).map(([key]) => key)
    for (const key of gone) this.runs.delete(key)
    return { added, gone }
  }

  #addRun(name: string): RunEntry[] {
    const folder = join(this.path, 'runs', name)
    if (this.runs.has(`${this.id}.${name}`) || !existsSync(join(folder, 'run.json'))) return []
    try {
      const run = new RunEntry(this.id, folder)
      this.runs.set(run.key, run)
      this.damaged.delete(name)
      return [run]
    } catch (error) {
      this.damaged.set(name, asAlambicError(error).toJSON() as unknown as WireError)
      return []
    }
  }

  /** A folder for a new run. */
  newRunFolder(hint: string): string {
    const day = new Date().toISOString().slice(5, 10).replace('-', '')
    return join(this.path, 'runs', `${day}-${slug(hint, 'run')}-${randomLetters(4)}`)
  }

  async measure(): Promise<void> {
    this.#bytes = await folderBytes(this.path)
  }

  summary(): Project {
    const runs = [...this.runs.values()].map((run) => run.summary())
    const last = runs.toSorted((a, b) => a.updated.localeCompare(b.updated)).at(-1)
    const models = this.models.list()
    return defined({
      project: this.id,
      name: this.file.name,
      path: this.path,
      created: this.file.created,
      updated: last?.updated ?? this.file.created,
      sample: this.file.sample,
      task: this.#task(),
      baseline: baselineOf(models),
      bytes: this.#bytes,
      models: models.length,
      datasets: this.file.datasets.length,
      runs: runs.length,
      active: runs.filter(({ state }) => ['queued', 'preparing', 'running', 'pausing'].includes(state)).length,
      lastRun: last && { run: last.run, title: last.title, state: last.state, updated: last.updated },
      heldBy: this.holder,
      problem: [...this.damaged.values()][0],
    })
  }

  #task(): Project['task'] {
    const classified = this.file.datasets.find(({ classes }) => classes !== undefined)
    if (!classified) return undefined
    return classified.shape?.length === 3 ? 'imageClassification' : 'classification'
  }

  datasets(): DatasetInfo[] {
    return this.file.datasets.map((entry) => {
      const path = this.datasetPath(entry)
      const missing = entry.kind !== 'named' && !existsSync(path)
      const problem = {
        code: 'data.gone',
        message: 'the files of this data set are not where they were',
        subject: path,
        fix: 'Locate them where they are now, put them back, or import the data again.',
      }
      return { ...defined(entry), reference: path, ...(missing ? { problem } : {}) }
    })
  }

  /** Of data that was copied in, from the project's folder, so that the folder can be moved. */
  datasetPath({ reference, kind, linked }: z.output<typeof Dataset>): string {
    return kind === 'named' || linked ? reference : join(this.path, reference)
  }

  /** Recipe files of the project, by name. */
  recipes(): string[] {
    const folder = join(this.path, 'recipes')
    if (!existsSync(folder)) return []
    return readdirSync(folder)
      .filter((name) => /\.ya?ml$/.test(name) && statSync(join(folder, name)).isFile())
      .map((name) => join(folder, name))
  }
}

function baselineOf(models: ReturnType<ModelStore['list']>): Project['baseline'] {
  const measured = models.flatMap(({ model, parent, measured }) => {
    const { accuracy, accuracyError, n } = (measured ?? {}) as { accuracy?: number; accuracyError?: number; n?: number }
    if (parent !== undefined || accuracy === undefined || n === undefined) return []
    return [{ model, accuracy, error: accuracyError ?? 0, n }]
  })
  return measured.toSorted((a, b) => b.accuracy - a.accuracy)[0]
}

export function readProjectFile(path: string): ProjectFile {
  const file = join(path, PROJECT_FILE)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new AlambicError('project.missing', `"${basename(path)}" is not a project`, {
      subject: path,
      expected: `a folder with a ${PROJECT_FILE}`,
      fix: 'Choose the folder of a project, or make a new one.',
      cause,
    })
  }
  try {
    return ProjectFile.parse(JSON.parse(text))
  } catch (cause) {
    throw new AlambicError('project.damaged', `the ${PROJECT_FILE} of "${basename(path)}" cannot be read`, {
      subject: file,
      expected: 'a project file of format 1',
      fix: 'Put the file back from a copy; models and runs are beside it.',
      cause,
    })
  }
}
