import { createHash, randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import type { Model } from '../graph/graph.ts'
import { withUniqueNodeNames } from '../graph/node-names.ts'
import type { Tensor } from '../graph/tensor.ts'
import { encodeChunks, MAX_FILE_BYTES, tooLarge } from './encode.ts'
import { quoted } from './wire/failure.ts'

/** Weights in a file of their own, beside the model. */
export interface ExternalLayout {
  /** Name of that file, without a folder. */
  readonly file: string
  /** Initializers of at least this many bytes go there; 1024 unless told. */
  readonly threshold?: number
}

export interface WriteOptions {
  /** `auto` (unless told) writes one file while it stays below 2 GiB, else the weights to `<name>.data` beside it. */
  readonly externalData?: 'never' | 'auto' | ExternalLayout
}

export interface WriteResult {
  /** Bytes of all files together. */
  readonly bytes: number
  /** SHA-256 of the model's own file, in hexadecimal. */
  readonly sha256: string
  /** Paths of the files that were written; the model first. */
  readonly files: readonly string[]
}

const THRESHOLD = 1024

/**
 * Writes a model, atomically: to temporary files in the same folder, flushed to the disk and then renamed, so that a
 * crash leaves the old file or the new one. Names of nodes are made unique: onnxruntime opens no other file. Weights go from where they lie straight to the file. Throws
 * `onnx.too-large`, `onnx.external-name` or `onnx.unwritable`.
 */
export async function writeModel(given: Model, path: string, options: WriteOptions = {}): Promise<WriteResult> {
  const { externalData = 'auto' } = options
  const model = { ...given, graph: withUniqueNodeNames(given.graph) }
  if (typeof externalData === 'object') return writeSplit(model, path, externalData)
  const { chunks, size } = encodeChunks(model)
  if (size <= MAX_FILE_BYTES) {
    const file = await writeTemporary(path, chunks)
    await commit([file])
    return { bytes: file.bytes, sha256: file.sha256, files: [path] }
  }
  if (externalData === 'never') throw tooLarge(size)
  return writeSplit(model, path, { file: `${basename(path)}.data` })
}

async function writeSplit(model: Model, path: string, layout: ExternalLayout): Promise<WriteResult> {
  if (layout.file !== basename(layout.file) || ['', '.', '..', basename(path)].includes(layout.file)) {
    throw new AlambicError(
      'onnx.external-name',
      `${quoted(layout.file)} cannot be the name of a file beside the model`,
      {
        expected: "a file name without a folder, other than the model's",
        found: layout.file,
      },
    )
  }
  const outside = new ExternalChunks(layout)
  const { chunks, size } = encodeChunks(model, { place: (tensor) => outside.place(tensor) })
  if (size > MAX_FILE_BYTES) throw tooLarge(size)
  const dataPath = join(dirname(path), layout.file)
  const data = await writeTemporary(dataPath, outside.chunks)
  const file = await writeTemporary(path, chunks).catch(async (error: unknown) => {
    await rm(data.temporary, { force: true })
    throw error
  })
  await commit([data, file])
  return { bytes: file.bytes + data.bytes, sha256: file.sha256, files: [path, dataPath] }
}

/** From this size on a tensor begins on a page, so that a runtime can map it (onnx.proto, `external_data`). */
const PAGE = 4096

class ExternalChunks {
  readonly chunks: Uint8Array[] = []
  readonly #location: string
  readonly #threshold: number
  #offset = 0

  constructor({ file, threshold = THRESHOLD }: ExternalLayout) {
    this.#location = file
    this.#threshold = threshold
  }

  place(tensor: Tensor): { location: string; offset: number } | undefined {
    const { length } = tensor.bytes
    if (tensor.dtype === 'string' || length === 0 || length < this.#threshold) return undefined
    const alignment = length >= PAGE ? PAGE : 64
    const padding = (alignment - (this.#offset % alignment)) % alignment
    if (padding > 0) this.chunks.push(new Uint8Array(padding))
    const offset = this.#offset + padding
    this.chunks.push(tensor.bytes)
    this.#offset = offset + length
    return { location: this.#location, offset }
  }
}

interface Temporary {
  readonly path: string
  readonly temporary: string
  readonly bytes: number
  readonly sha256: string
}

/** One call of write(2) must stay below 2 GiB; smaller ones leave the event loop time between them. */
const SLICE = 2 ** 24

/** Small chunks are gathered up to this size, to save calls. */
const GATHER = 2 ** 20

async function writeTemporary(path: string, chunks: readonly Uint8Array[]): Promise<Temporary> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  const hash = createHash('sha256')
  let bytes = 0
  const file = await open(temporary, 'wx').catch((cause: NodeJS.ErrnoException) => {
    throw unwritable(path, cause)
  })
  try {
    for (const slice of slices(chunks)) {
      hash.update(slice)
      for (let at = 0; at < slice.length;) at += (await file.write(slice, at)).bytesWritten
      bytes += slice.length
    }
    await file.sync()
    await file.close()
  } catch (cause) {
    await file.close().catch(() => undefined)
    await rm(temporary, { force: true })
    throw unwritable(path, cause as NodeJS.ErrnoException)
  }
  return { path, temporary, bytes, sha256: hash.digest('hex') }
}

/** Chunks as pieces of a size that is good to write: big ones are cut, small ones gathered. */
function* slices(chunks: readonly Uint8Array[]): Generator<Uint8Array> {
  const gathered = new Uint8Array(GATHER)
  let used = 0
  for (const chunk of chunks) {
    if (used + chunk.length > GATHER && used > 0) {
      yield gathered.subarray(0, used)
      used = 0
    }
    if (chunk.length <= GATHER) {
      gathered.set(chunk, used)
      used += chunk.length
    } else {
      for (let at = 0; at < chunk.length; at += SLICE) yield chunk.subarray(at, at + SLICE)
    }
  }
  if (used > 0) yield gathered.subarray(0, used)
}

/** Gives finished files their names, weights before the model that refers to them. */
async function commit(files: readonly Temporary[]): Promise<void> {
  try {
    for (const { temporary, path } of files) await rename(temporary, path)
  } catch (cause) {
    for (const { temporary } of files) await rm(temporary, { force: true })
    throw unwritable(files[0]?.path ?? '', cause as NodeJS.ErrnoException)
  }
  await syncFolder(dirname(resolve(files[0]?.path ?? '.')))
}

/** Makes renames durable where the system can (Windows cannot open a folder). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  try {
    await handle?.sync()
  } catch {
    // Some file systems refuse to sync a folder; the files themselves are on the disk.
  } finally {
    await handle?.close()
  }
}

const unwritable = (path: string, cause: NodeJS.ErrnoException): AlambicError =>
  new AlambicError('onnx.unwritable', `${quoted(path)} cannot be written: ${cause.code ?? cause.message}`, {
    subject: path,
    fix: cause.code === 'ENOSPC' ? 'Free space on the disk.' : 'Check that its folder exists and may be written to.',
    cause,
  })
