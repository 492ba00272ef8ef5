import { createWriteStream, existsSync } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AlambicError } from '../../workers/protocol/errors.ts'
import { freeBytes } from './disk.ts'
import { isWithin, safeSegments } from './paths.ts'

interface Announced {
  readonly files: readonly { readonly path: string; readonly bytes: number }[]
  readonly folder: string
}

/** Files that a browser sends: announced first, then streamed to disk one by one, then scanned like anything dropped. */
export class Uploads {
  readonly #root: string
  readonly #known = new Map<string, Announced>()

  constructor(home: string) {
    this.#root = join(home, 'uploads')
  }

  /** What earlier hosts left is of no use: uploads do not outlive a session. */
  async clear(): Promise<void> {
    await rm(this.#root, { recursive: true, force: true })
  }

  async start(upload: string, files: Announced['files'], floor: number): Promise<readonly number[]> {
    if (this.#known.has(upload)) {
      throw new AlambicError('upload.exists', 'there is an upload with this id already', { subject: upload })
    }
    for (const { path } of files) safeSegments(path)
    if (new Set(files.map(({ path }) => path.toLowerCase())).size < files.length) {
      throw new AlambicError('upload.twice', 'two files of this upload have the same path', { subject: upload })
    }
    const needed = files.reduce((sum, { bytes }) => sum + bytes, 0)
    const free = await freeBytes(this.#root)
    if (free - needed < floor) {
      throw new AlambicError('disk.full', 'there is too little disk space for these files', {
        expected: `${needed + floor} bytes`,
        found: `${free} bytes`,
        fix: 'Free some space, or link the files where they are.',
      })
    }
    const folder = join(this.#root, upload)
    await mkdir(folder, { recursive: true })
    this.#known.set(upload, { files, folder })
    return files.map(() => 0)
  }

  /** True for a path of something that was uploaded. */
  holds(path: string): boolean {
    return isWithin(this.#root, path)
  }

  /** The folder of an upload. */
  folder(upload: string): string {
    const known = this.#known.get(upload)
    if (!known) throw unknown(upload)
    return known.folder
  }

  #place(upload: string, index: number): { path: string; bytes: number } {
    const file = this.#known.get(upload)?.files[index]
    if (!file) throw unknown(`${upload}/${index}`)
    return { path: join(this.folder(upload), ...safeSegments(file.path)), bytes: file.bytes }
  }

  /** Bytes of a file that are there. */
  async received(upload: string, index: number): Promise<number> {
    const { path } = this.#place(upload, index)
    return existsSync(path) ? (await stat(path)).size : 0
  }

  /** Writes one file; refuses more bytes than were announced, and keeps nothing of one that broke off. */
  async receive(upload: string, index: number, body: Readable): Promise<void> {
    const { path, bytes } = this.#place(upload, index)
    await mkdir(dirname(path), { recursive: true })
    let seen = 0
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        seen += chunk.length
        done(seen > bytes ? wrongSize(upload, bytes, seen) : null, chunk)
      },
    })
    try {
      await pipeline(body, count, createWriteStream(path))
      if (seen !== bytes) throw wrongSize(upload, bytes, seen)
    } catch (error) {
      await rm(path, { force: true })
      throw error
    }
  }

  /** Removes an upload and what came of it. */
  async remove(upload: string): Promise<boolean> {
    const known = this.#known.get(upload)
    this.#known.delete(upload)
    if (known) await rm(known.folder, { recursive: true, force: true })
    return known !== undefined
  }
}

const unknown = (subject: string): AlambicError =>
  new AlambicError('upload.unknown', 'there is no such upload', { subject, fix: 'Drop the files again.' })

const wrongSize = (upload: string, bytes: number, seen: number): AlambicError =>
  new AlambicError('upload.size', 'a file is not as long as it was announced', {
    subject: upload,
    expected: `${bytes} bytes`,
    found: `${seen} bytes`,
    fix: 'Send it again.',
  })
