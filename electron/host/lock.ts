import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { AlambicError, isDiskFull } from '../../workers/protocol/errors.ts'
import type { Holder } from '../../workers/protocol/studio.ts'
import { isAlive, processStamp } from './processes.ts'

interface LockFile extends Holder {
  readonly stamp: string
  /** Of the folder that was locked: in a copy of it, the lock is of no meaning. */
  readonly folder: string
}

const FILE = '.lock'

/** The right to write into a project. One process has it at a time; a crash of its holder frees it. */
export class ProjectLock {
  readonly #path: string
  #held = true

  private constructor(path: string) {
    this.#path = path
  }

  /** Takes the lock of a folder, or says who holds it. On a full or read-only disk nobody is kept out. */
  static take(folder: string, shell: string): { lock: ProjectLock } | { holder: Holder } {
    const path = join(folder, FILE)
    const mine: LockFile = {
      pid: process.pid,
      host: hostname(),
      shell,
      since: new Date().toISOString(),
      stamp: processStamp(process.pid) ?? '',
      folder: identityOf(folder),
    }
    for (let attempt = 0; attempt < 5; attempt++) {
      if (create(path, mine)) return { lock: new ProjectLock(path) }
      const other = read(path)
      if (other && !isStale(other, mine.folder)) return { holder: holderOf(other) }
      moveAway(path)
    }
    throw new AlambicError('project.lock', `the lock of "${folder}" cannot be taken`, {
      subject: path,
      fix: 'Close other copies of Alambic, then remove the file.',
    })
  }

  /** Who holds a folder now. */
  static holder(folder: string): Holder | undefined {
    const other = read(join(folder, FILE))
    return other && !isStale(other, identityOf(folder)) ? holderOf(other) : undefined
  }

  release(): void {
    if (!this.#held) return
    this.#held = false
    if (read(this.#path)?.pid === process.pid) rmSync(this.#path, { force: true })
  }
}

/** A link is made whole or not at all, and never over another. */
function create(path: string, content: LockFile): boolean {
  const temporary = `${path}.${process.pid}`
  try {
    writeFileSync(temporary, JSON.stringify(content))
    linkSync(temporary, path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (isDiskFull(error) || code === 'EROFS') return true
    throw error
  } finally {
    rmSync(temporary, { force: true })
  }
}

function read(path: string): LockFile | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as LockFile
  } catch {
    return undefined
  }
}

/** Of another machine nothing is known: its lock holds until it is released. */
const isStale = ({ host, pid, stamp, folder }: LockFile, here: string): boolean =>
  host === hostname() && (folder !== here || !isAlive(pid, stamp))

/** Stays when a folder is moved or renamed, and is another one for a copy. */
function identityOf(folder: string): string {
  const { dev, ino } = statSync(folder, { bigint: true })
  return `${dev}:${ino}`
}

function moveAway(path: string): void {
  const aside = `${path}.stale-${process.pid}`
  try {
    renameSync(path, aside)
    rmSync(aside, { force: true })
  } catch {
    // Somebody else was quicker; the next attempt sees what is there now.
  }
}

const holderOf = ({ pid, host, shell, since }: LockFile): Holder => ({ pid, host, shell, since })

export const heldBy = (name: string, holder: Holder): AlambicError =>
  new AlambicError('project.held', `the project "${name}" is open elsewhere`, {
    subject: name,
    found: `${holder.shell}, process ${holder.pid} on ${holder.host}, since ${holder.since}`,
    fix: 'Work there, or close it first.',
  })
