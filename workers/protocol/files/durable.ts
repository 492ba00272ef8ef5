import { createHash } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

/** Makes sure that what a folder lists survives a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } catch (error) {
    // Some file systems (and Windows) can't sync a folder; the rename itself is still atomic there.
    if (!['EINVAL', 'EPERM', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    await handle.close()
  }
}

/** Writes a file so that it exists either wholly or not at all: temp, fsync, and no rename yet. */
export async function writeSynced(path: string, bytes: Uint8Array | string): Promise<void> {
  const handle = await open(path, 'w')
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The last replacement of each file that is still going on. */
const going = new Map<string, Promise<void>>()

/**
 * Replaces a file atomically: a reader sees the old one or the new one, also after a crash. Replacements of one file
 * happen in the order in which they were asked for.
 */
export function replaceFile(path: string, bytes: Uint8Array | string): Promise<void> {
  const next = (going.get(path) ?? Promise.resolve()).catch(() => undefined).then(() => replaceNow(path, bytes))
  const forget = () => {
    if (going.get(path) === next) going.delete(path)
  }
  going.set(path, next)
  next.then(forget, forget)
  return next
}

async function replaceNow(path: string, bytes: Uint8Array | string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    await writeSynced(temporary, bytes)
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Replaces a file with a JSON document, atomically. */
export const replaceJson = (path: string, value: unknown): Promise<void> =>
  replaceFile(path, `${JSON.stringify(value, null, 2)}\n`)

/** True when a file is simply not there. */
export const isMissing = (thrown: unknown): boolean =>
  ['ENOENT', 'ENOTDIR'].includes((thrown as NodeJS.ErrnoException | null)?.code ?? '')
