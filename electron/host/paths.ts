import { realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { AlambicError } from '../../workers/protocol/errors.ts'

/** True when `path` is `folder` or in it; both absolute and resolved. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way))
}

/** Where a path really is, links followed; of what is not there yet, where it would be. */
async function real(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(await real(parent), basename(path))
  }
}

/** Which paths a person may name: all of them in the desktop shell, those under chosen folders in a browser. */
export class PathGuard {
  readonly roots: readonly string[]
  readonly #everywhere: boolean

  constructor(roots: readonly string[], everywhere: boolean) {
    this.roots = roots.map((root) => resolve(root))
    this.#everywhere = everywhere
  }

  /** The real place of a path that may be used; throws `path.outside` else. */
  async check(path: string): Promise<string> {
    if (!isAbsolute(path)) throw outside(path, 'an absolute path')
    const place = await real(resolve(path))
    if (this.#everywhere) return place
    for (const root of this.roots) if (isWithin(await real(root), place)) return place
    throw outside(path, 'a path in one of the folders that were chosen at start')
  }
}

const outside = (path: string, expected: string): AlambicError =>
  new AlambicError('path.outside', 'this path is not open to the studio', {
    subject: path,
    expected,
    fix: 'Start Alambic with --root and the folder, or drop the files on the window.',
  })

/**
 * A relative path from outside as its segments: forward slashes, no way up, no drive, nothing that means something else
 * on another system. Throws `path.traversal`.
 */
export function safeSegments(path: string): readonly string[] {
  const segments = path.split('/')
  if (path.length > 4096 || segments.length > 64 || !segments.every(isSafeName)) {
    throw new AlambicError('path.traversal', 'this is not the relative path of a file', {
      subject: path.slice(0, 200),
      expected: 'names joined by /, without "..", drive letters or control characters',
    })
  }
  return segments
}

/** Names that Windows gives to devices, with any ending. */
const devices = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i

const isSafeName = (name: string): boolean =>
  name.length > 0 &&
  Buffer.byteLength(name) <= 255 &&
  !/[\p{Cc}\\/:*?"<>|]/u.test(name) &&
  // Also dots that another system's file names take for dots.
  !/^\.+$/.test(name.normalize('NFKC')) &&
  !/[. ]$/.test(name) &&
  !devices.test(name)

/** A name as part of an id: lower-case letters, digits and dashes. */
export function slug(name: string, fallback: string): string {
  const plain = name
    .normalize('NFKD')
    .replaceAll(/\p{M}+/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40)
    .replaceAll(/-+$/g, '')
  return plain === '' ? fallback : plain
}

const letters = 'abcdefghijkmnpqrstuvwxyz23456789'

/** Some random letters and digits that are not mixed up with each other. */
export const randomLetters = (count: number): string =>
  [...crypto.getRandomValues(new Uint8Array(count))].map((byte) => letters[byte % letters.length]).join('')
