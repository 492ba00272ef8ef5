import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isAlive, processStamp } from '../host/processes.ts'

const SECRET = /^[\w-]{43}$/

/** Files that only this person may read. */
function writePrivate(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  rmSync(path, { force: true })
  writeFileSync(path, text, { mode: 0o600 })
}

export const newSecret = (): string => randomBytes(32).toString('base64url')

/** What a cookie holds: the same over restarts, so that a page that is open connects again by itself. */
export function sessionSecret(home: string): string {
  const path = join(home, 'session.key')
  try {
    const known = readFileSync(path, 'utf8')
    if (SECRET.test(known)) return known
  } catch {
    // None yet.
  }
  const secret = newSecret()
  try {
    writePrivate(path, secret)
  } catch {
    // On a full disk pages have to be opened anew after a restart.
  }
  return secret
}

interface Running {
  readonly pid: number
  readonly stamp: string
  readonly address: string
}

const runningFile = (home: string): string => join(home, 'running.json')

/** Tells a later start that this studio is here. */
export function announce(home: string, address: string): void {
  const running: Running = { pid: process.pid, stamp: processStamp(process.pid) ?? '', address }
  try {
    writePrivate(runningFile(home), JSON.stringify(running))
  } catch {
    // A later start opens a studio of its own, which sees who holds the projects.
  }
}

/** The address of a studio that runs on this data folder already. */
export function runningStudio(home: string): string | undefined {
  try {
    const { pid, stamp, address } = JSON.parse(readFileSync(runningFile(home), 'utf8')) as Running
    return pid !== process.pid && isAlive(pid, stamp) ? address : undefined
  } catch {
    return undefined
  }
}

export function retract(home: string): void {
  if (runningStudio(home) === undefined) rmSync(runningFile(home), { force: true })
}
