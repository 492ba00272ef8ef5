import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, realpathSync, type Stats } from 'node:fs'
import { isAbsolute, join, relative, sep } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import { beyond, type ExternalReference } from './context.ts'
import type { Limits } from './limits.ts'
import { quoted } from './wire/failure.ts'

interface OpenFile {
  readonly descriptor: number
  readonly size: number
  /** What was read of it, by `offset:length`: tied weights are held once. */
  readonly ranges: Map<string, Uint8Array>
  loaded: number
}

/** One call of read(2) must stay below 2 GiB. */
const SLICE = 2 ** 28

/**
 * Reads weights that lie beside a model. A model may only name regular files in its own folder or below, without
 * links: else a file from a stranger could have any file of this machine copied into the model that is exported.
 */
export class ExternalFiles {
  readonly #folder: string
  readonly #limits: Limits
  readonly #open = new Map<string, OpenFile>()
  #loaded = 0

  constructor(folder: string, limits: Limits) {
    this.#folder = realpathSync(folder)
    this.#limits = limits
  }

  /** Names of the files that were read, relative to the model's folder. */
  get names(): readonly string[] {
    return [...this.#open.keys()]
  }

  /** Bytes that were read from all of them. */
  get bytesRead(): number {
    return this.#loaded
  }

  /** Exactly `size` bytes; each range gets a buffer of its own, so that its elements are aligned in memory. */
  read(reference: ExternalReference, size: number): Uint8Array {
    const { location, offset } = reference
    const file = this.#fileAt(location)
    if (offset + size > file.size) {
      throw new AlambicError(
        'onnx.external-range',
        `needs bytes ${offset} to ${offset + size} of ${quoted(location)}`,
        {
          expected: `a file of at least ${offset + size} bytes`,
          found: `${file.size} bytes`,
          fix: `Copy ${quoted(location)} again, from where the model came from: it is too short.`,
        },
      )
    }
    const key = `${offset}:${size}`
    const known = file.ranges.get(key)
    if (known) return known
    this.#charge(file, location, size)
    const bytes = readRange(file.descriptor, offset, size)
    file.ranges.set(key, bytes)
    return bytes
  }

  close(): void {
    for (const file of this.#open.values()) closeSync(file.descriptor)
  }

  /** A file can't be made to fill more memory than it has bytes by many tensors that overlap. */
  #charge(file: OpenFile, location: string, size: number): void {
    file.loaded += size
    this.#loaded += size
    if (file.loaded > file.size) {
      throw new AlambicError('onnx.external-overlap', `overlaps other tensors in ${quoted(location)}`, {
        expected: `tensors of at most ${file.size} bytes in all`,
        found: `${file.loaded} bytes`,
      })
    }
    const { externalBytes } = this.#limits
    if (this.#loaded > externalBytes) throw beyond('externalBytes', 'bytes of external weights', externalBytes)
  }

  #fileAt(location: string): OpenFile {
    const known = this.#open.get(location)
    if (known) return known
    const path = this.#resolve(location)
    const descriptor = openRegular(path, location)
    const file = { descriptor, size: fstatSync(descriptor).size, ranges: new Map<string, Uint8Array>(), loaded: 0 }
    this.#open.set(location, file)
    return file
  }

  #resolve(location: string): string {
    const segments = location.split(/[/\\]/)
    if (isAbsolute(location) || /^[/\\]|^[a-z]:/i.test(location)) throw forbidden(location, 'an absolute path')
    if (segments.includes('..')) throw forbidden(location, 'a path with ".."')
    if (location.includes('\0')) throw forbidden(location, 'a path with a zero byte')
    const path = join(this.#folder, location)
    let real: string
    try {
      real = realpathSync(path)
    } catch (cause) {
      throw missing(location, cause)
    }
    const inside = relative(this.#folder, real)
    if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside))
      throw forbidden(location, 'a link out of the folder')
    if (real !== path) throw forbidden(location, 'a link')
    return path
  }
}

/** Opens without following a link that was put there after the check, and without waiting at a pipe. */
function openRegular(path: string, location: string): number {
  const before = lstatSync(path)
  refuseSpecial(before, location)
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  } catch (cause) {
    throw new AlambicError('onnx.external-unreadable', `has its data in ${quoted(location)}, which cannot be opened`, {
      fix: `Allow reading of ${quoted(location)}.`,
      cause,
    })
  }
  try {
    refuseSpecial(fstatSync(descriptor), location)
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
  return descriptor
}

function refuseSpecial(stats: Stats, location: string): void {
  if (!stats.isFile()) throw forbidden(location, 'not a regular file')
  if (stats.nlink > 1) throw forbidden(location, 'a hard link (the file has another name elsewhere)')
}

const forbidden = (location: string, what: string): AlambicError =>
  new AlambicError('onnx.external-path', `has its data in ${quoted(location)}, which is ${what}`, {
    expected: "a plain file inside the model's folder",
    found: what,
    fix: 'Copy the file beside the model, and have the model name it without a path.',
  })

const missing = (location: string, cause: unknown): AlambicError =>
  new AlambicError('onnx.external-missing', `has its data in ${quoted(location)}, which is not there`, {
    fix: `Put ${quoted(location)} beside the model.`,
    cause,
  })

function readRange(descriptor: number, offset: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  let at = 0
  while (at < size) {
    const read = readSync(descriptor, bytes, at, Math.min(SLICE, size - at), offset + at)
    if (read === 0)
      throw new AlambicError('onnx.external-range', 'has its data in a file that shrank while it was read')
    at += read
  }
  return bytes
}
