import { badData } from './errors.ts'

const BLOCK = 512

/**
 * The regular files of a tar archive (POSIX ustar) by name. Nothing is written to disk, so names need no checking;
 * links and other kinds of entries are left out.
 */
export function readTar(bytes: Uint8Array, file: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>()
  for (let at = 0; at + BLOCK <= bytes.length;) {
    const header = bytes.subarray(at, at + BLOCK)
    if (header.every((byte) => byte === 0)) break
    const size = octal(header, 124, 12)
    if (octal(header, 148, 8) !== checksum(header) || !(at + BLOCK + size <= bytes.length)) {
      throw badData('archive', `the archive "${file}" is damaged`, {
        file,
        expected: 'a whole tar archive',
        found: `a broken entry at byte ${at}`,
        fix: 'Get the file again.',
      })
    }
    const kind = header[156] ?? 0
    const prefix = text(header, 345, 155)
    const name = `${prefix === '' ? '' : `${prefix}/`}${text(header, 0, 100)}`.replace(/^\.\//, '')
    if (kind === 0 || kind === 0x30) files.set(name, bytes.subarray(at + BLOCK, at + BLOCK + size))
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
  }
  return files
}

const text = (header: Uint8Array, at: number, length: number): string =>
  String.fromCharCode(...header.subarray(at, at + length)).replace(/\0.*$/s, '')

const octal = (header: Uint8Array, at: number, length: number): number => Number.parseInt(text(header, at, length), 8)

/** The sum of the header's bytes, with the checksum's own taken as spaces. */
const checksum = (header: Uint8Array): number =>
  header.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 0x20 : byte), 0)
