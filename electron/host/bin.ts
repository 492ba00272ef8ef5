import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { AlambicError } from '../../workers/protocol/errors.ts'
import { replaceJson } from '../../workers/protocol/files/durable.ts'
import type { Discarded } from '../../workers/protocol/studio.ts'
import { defined } from './defined.ts'
import { folderBytes, move } from './folders.ts'
import { randomLetters } from './paths.ts'

const Entry = z.object({
  id: z.string(),
  kind: z.enum(['project', 'run', 'model', 'export']),
  name: z.string(),
  project: z.string().optional(),
  bytes: z.number(),
  deleted: z.string(),
  /** Where it is, and where it was. */
  path: z.string(),
  from: z.string(),
})
type Entry = z.output<typeof Entry>

/** Folders that were deleted: moved aside on their own disk, listed in `bin.json` of the data folder. */
export class Bin {
  readonly #index: string
  #entries: Entry[]

  constructor(home: string) {
    this.#index = join(home, 'bin.json')
    this.#entries = read(this.#index).filter(({ path }) => existsSync(path))
  }

  list(): Discarded[] {
    return this.#entries.map(({ path: _path, from: _from, ...entry }) => defined(entry) as Discarded)
  }

  /** Moves a folder into `.alambic-bin` beside it. */
  async add(kind: Entry['kind'], folder: string, name: string, project?: string): Promise<Discarded> {
    const id = `${kind}-${randomLetters(10)}`
    const entry: Entry = {
      id,
      kind,
      name,
      ...(project === undefined ? {} : { project }),
      bytes: await folderBytes(folder),
      deleted: new Date().toISOString(),
      path: join(dirname(folder), '.alambic-bin', id),
      from: folder,
    }
    await move(folder, entry.path)
    this.#entries.push(entry)
    await this.#save()
    const { path: _path, from: _from, ...rest } = entry
    return defined(rest)
  }

  /** Moves a folder back; answers where it is now. */
  async restore(
    id: string,
  ): Promise<{ readonly kind: Entry['kind']; readonly path: string; readonly project?: string }> {
    const entry = this.#entries.find((one) => one.id === id)
    if (!entry) throw new AlambicError('bin.unknown', 'this is not in the bin', { subject: id })
    if (existsSync(entry.from)) {
      throw new AlambicError('bin.taken', `there is something at "${entry.from}" again`, {
        subject: entry.from,
        fix: 'Move that away first.',
      })
    }
    await mkdir(dirname(entry.from), { recursive: true })
    await move(entry.path, entry.from)
    this.#entries = this.#entries.filter((one) => one !== entry)
    await this.#save()
    return defined({ kind: entry.kind, path: entry.from, project: entry.project })
  }

  async empty(): Promise<number> {
    const bytes = this.#entries.reduce((sum, entry) => sum + entry.bytes, 0)
    for (const { path } of this.#entries) await rm(path, { recursive: true, force: true })
    this.#entries = []
    await this.#save()
    return bytes
  }

  async #save(): Promise<void> {
    await mkdir(dirname(this.#index), { recursive: true })
    await replaceJson(this.#index, this.#entries)
  }
}

function read(path: string): Entry[] {
  try {
    return z.array(Entry).parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return []
  }
}
