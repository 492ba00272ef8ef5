import { createHash } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { AlambicError } from '../../protocol/errors.ts'
import { staging, unpackFiles } from '../install.ts'

/** What onnxruntime-node itself says of the files that are too large for its package. */
interface InstallMetadata {
  readonly requirements: Readonly<Record<string, readonly string[]>>
  readonly manifests: Readonly<Record<string, Readonly<Record<string, { readonly package: string; path: string }>>>>
  readonly packages: Readonly<
    Record<string, { readonly name: string; readonly versions: readonly { readonly feed: string; version: string }[] }>
  >
  readonly feeds: Readonly<Record<string, { readonly index: string }>>
}

export interface AddCudaOptions {
  /** Where the libraries go: beside onnxruntime's own. */
  readonly folder: string
  /** Address of the package feed's index, if not the one that onnxruntime-node names. */
  readonly feed?: string
  /** Platform and architecture, if not these. */
  readonly platform?: string
  readonly onProgress?: (done: number, total: number) => void
  readonly signal?: AbortSignal
}

export interface AddedCuda {
  readonly files: readonly string[]
  readonly version: string
  readonly bytes: number
  readonly sha512: string
}

/**
 * Gets onnxruntime's CUDA and TensorRT providers from the feed that onnxruntime-node names, checks the package against
 * the hash in the feed's catalog and unpacks the libraries. Nothing stays behind when any of it fails. Throws
 * `engines.platform`, `engines.offline`, `engines.refused`, `engines.checksum`, `engines.incomplete` or
 * `engines.not-permitted`.
 */
export async function addCuda(options: AddCudaOptions): Promise<AddedCuda> {
  const wanted = wantedFiles(options.platform ?? `${process.platform}/${process.arch}`)
  const feed = await openFeed(options.feed ?? wanted.feed, wanted.package, wanted.version, options.signal)
  const folder = await staging(options.folder)
  try {
    const archive = join(folder, 'package')
    const { sha512, bytes } = await download(feed.url, archive, options)
    if (sha512 !== feed.sha512) {
      throw new AlambicError('engines.checksum', `the package ${wanted.package} is not the one that its feed lists`, {
        subject: wanted.package,
        expected: `SHA-512 ${feed.sha512}`,
        found: sha512,
        fix: 'Try again; if it stays so, something between this machine and the feed changes files.',
      })
    }
    await unpack(archive, wanted.paths, folder)
    const files = wanted.paths.map((path) => join(options.folder, basename(path)))
    for (const file of files) await rename(join(folder, basename(file)), file)
    return { files, version: wanted.version, bytes, sha512 }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The libraries in the package, by their paths in it. */
function wantedFiles(platform: string) {
  const load = createRequire(import.meta.url)
  const metadata = load('onnxruntime-node/script/install-metadata.js') as InstallMetadata
  const name = metadata.requirements[platform]?.find((requirement) => requirement.startsWith('cuda'))
  const manifest = Object.values(metadata.manifests[`${platform}:${name}`] ?? {})
  const source = metadata.packages[manifest[0]?.package ?? '']
  const version = source?.versions[0]
  const feed = metadata.feeds[version?.feed ?? '']
  if (source && version && feed) {
    return { package: source.name, version: version.version, feed: feed.index, paths: manifest.map(({ path }) => path) }
  }
  throw new AlambicError('engines.platform', `onnxruntime has no CUDA provider for ${platform}`, {
    expected: Object.keys(metadata.requirements)
      .filter((key) => metadata.requirements[key]?.some((requirement) => requirement.startsWith('cuda')))
      .join(', '),
    found: platform,
    fix: 'Use --device webgpu, which computes on cards of any vendor.',
  })
}

/** Address and hash of a package, by NuGet's protocol (Server API, version 3). */
async function openFeed(index: string, name: string, version: string, signal: AbortSignal | undefined) {
  const id = name.toLowerCase()
  const { resources } = (await json(index, signal)) as { resources: { '@id': string; '@type': string }[] }
  const resource = (type: string): string => {
    const found = resources.find((r) => r['@type'].startsWith(type))?.['@id']
    if (found !== undefined) return found.endsWith('/') ? found : `${found}/`
    throw new AlambicError('engines.refused', `the feed has no ${type}`, { subject: index })
  }
  const leaf = (await json(`${resource('RegistrationsBaseUrl')}${id}/${version}.json`, signal)) as {
    catalogEntry: string
  }
  const entry = (await json(leaf.catalogEntry, signal)) as { packageHash: string; packageHashAlgorithm: string }
  if (entry.packageHashAlgorithm !== 'SHA512') {
    throw new AlambicError('engines.refused', 'the feed lists no SHA-512 of the package', { subject: name })
  }
  const sha512 = Buffer.from(entry.packageHash, 'base64').toString('hex')
  return { url: `${resource('PackageBaseAddress')}${id}/${version}/${id}.${version}.nupkg`, sha512 }
}

async function get(url: string, signal: AbortSignal | undefined): Promise<Response> {
  const response = await fetch(url, signal ? { signal } : {}).catch((cause: unknown) => {
    signal?.throwIfAborted()
    const reason = (cause as { cause?: { message?: string } }).cause?.message ?? String(cause)
    throw new AlambicError('engines.offline', 'the package feed cannot be reached', {
      subject: new URL(url).host,
      found: reason,
      fix: 'Connect to the network and try again; nothing was changed.',
      cause,
    })
  })
  if (response.ok) return response
  throw new AlambicError('engines.refused', 'the package feed did not give what was asked for', {
    subject: url,
    expected: 'status 200',
    found: `status ${response.status}`,
  })
}

const json = async (url: string, signal: AbortSignal | undefined): Promise<unknown> => (await get(url, signal)).json()

async function download(url: string, path: string, { onProgress, signal }: AddCudaOptions) {
  const response = await get(url, signal)
  const total = Number(response.headers.get('content-length') ?? 0)
  const hash = createHash('sha512')
  const file = await open(path, 'w')
  let bytes = 0
  try {
    for await (const chunk of response.body ?? []) {
      const piece = chunk as Uint8Array
      hash.update(piece)
      await file.write(piece)
      bytes += piece.byteLength
      onProgress?.(bytes, Math.max(total, bytes))
    }
  } finally {
    await file.close()
  }
  return { sha512: hash.digest('hex'), bytes }
}

/** Unpacks some files of an archive into a folder. */
async function unpack(archive: string, paths: readonly string[], folder: string): Promise<void> {
  const { written, failures } = await unpackFiles(archive, (name) =>
    paths.includes(name) ? join(folder, basename(name)) : undefined,
  )
  const left = paths.filter((path) => !written.has(path))
  if (left.length === 0 && failures.length === 0) return
  throw new AlambicError('engines.incomplete', 'the package lacks libraries that onnxruntime needs', {
    expected: paths.join(', '),
    found: failures[0]?.message ?? `without ${left.join(', ')}`,
  })
}
