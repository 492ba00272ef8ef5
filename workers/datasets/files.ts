import { constants } from 'node:buffer'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { badData } from './errors.ts'

/** Files that belong together: a folder, or an archive in memory. */
export interface FileSet {
  /** The folder or archive, for messages. */
  readonly where: string
  readonly names: readonly string[]
  /** A file's bytes; `data.missing-file` if there is none of that name. */
  read(name: string): Promise<Uint8Array>
}

const unzip = promisify(gunzip)

/** A file's bytes; `data.missing-file` if it can't be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw badData('missing-file', `the file "${path}" can't be read`, {
      file: path,
      expected: 'a readable file',
      found: (cause as NodeJS.ErrnoException).code ?? String(cause),
      cause,
    })
  }
}

/** The files of a folder, without its subfolders. */
export async function folderFiles(folder: string): Promise<FileSet> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.flatMap((entry) => (entry.isDirectory() || entry.name.startsWith('.') ? [] : entry.name))
  return { where: folder, names: names.sort(), read: (name) => readBytes(join(folder, name)) }
}

/** Entries of an archive by name, with what comes before the name in the archive left out. */
export function archiveFiles(where: string, entries: ReadonlyMap<string, Uint8Array>, prefix: string): FileSet {
  const inside = new Map<string, Uint8Array>()
  for (const [name, bytes] of entries) if (name.startsWith(prefix)) inside.set(name.slice(prefix.length), bytes)
  return {
    where,
    names: [...inside.keys()].sort(),
    read: async (name) => {
      const bytes = inside.get(name)
      if (bytes) return bytes
      throw badData('missing-file', `there is no "${name}" in "${where}"`, {
        file: where,
        expected: name,
        found: [...inside.keys()].join(', ') || 'nothing',
      })
    },
  }
}

/** The bytes of a gzip file unpacked, any other bytes as they are; `data.gzip` if they are damaged. */
export async function ungzipped(bytes: Uint8Array, file: string): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  try {
    return await unzip(bytes, { maxOutputLength: constants.MAX_LENGTH })
  } catch (cause) {
    throw badData('gzip', `"${file}" is damaged: it can't be unpacked`, {
      file,
      expected: 'a whole gzip file',
      found: cause instanceof Error ? cause.message : String(cause),
      fix: 'Get the file again.',
      cause,
    })
  }
}

export const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false
