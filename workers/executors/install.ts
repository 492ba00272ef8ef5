import { closeSync, createReadStream, mkdirSync, openSync, writeSync } from 'node:fs'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Unzip, UnzipInflate } from 'fflate'
import { AlambicError } from '../protocol/errors.ts'

/** A new folder inside another, in which an engine is put together before it takes its place. */
export async function staging(folder: string): Promise<string> {
  try {
    await mkdir(folder, { recursive: true })
    return await mkdtemp(join(folder, '.adding-'))
  } catch (cause) {
    throw new AlambicError('engines.not-permitted', `"${folder}" can't be written to`, {
      subject: folder,
      found: cause instanceof Error ? cause.message : String(cause),
      fix: 'Run it as whoever installed Alambic.',
      cause,
    })
  }
}

/**
 * Unpacks files of a zip archive, piece by piece: they are larger than memory should hold.
 *
 * @param targetOf where a file of the archive goes; undefined for one that is not wanted
 * @returns the names of those that were written whole, and what went wrong
 */
export async function unpackFiles(
  archive: string,
  targetOf: (name: string) => string | undefined,
): Promise<{ readonly written: ReadonlySet<string>; readonly failures: readonly Error[] }> {
  const written = new Set<string>()
  const failures: Error[] = []
  const unzip = new Unzip((file) => {
    const path = targetOf(file.name)
    if (path === undefined) return
    mkdirSync(dirname(path), { recursive: true })
    const target = openSync(path, 'w')
    file.ondata = (error, data, final) => {
      if (error) failures.push(error)
      else writeSync(target, data)
      if (final || error) closeSync(target)
      if (final && !error) written.add(file.name)
    }
    file.start()
  })
  unzip.register(UnzipInflate)
  for await (const chunk of createReadStream(archive, { highWaterMark: 2 ** 20 })) unzip.push(chunk as Uint8Array)
  unzip.push(new Uint8Array(), true)
  return { written, failures }
}
