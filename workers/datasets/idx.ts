import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { AlambicError } from '../protocol/errors.ts'

export interface IdxArray {
  readonly dims: readonly number[]
  readonly data: Uint8Array
}

/** Reads an IDX file of bytes (LeCun's format: two zeros, type 8, rank, big-endian sizes, data), gzipped or not. */
export async function readIdx(path: string, rank: number): Promise<IdxArray> {
  const raw = await readFile(path).catch(() => undefined)
  if (!raw) throw new AlambicError('data.missing-file', `there is no file "${path}"`, { subject: path })
  const bytes = raw[0] === 0x1f && raw[1] === 0x8b ? gunzipSync(raw) : raw
  const magic = bytes.length >= 4 ? bytes.readUInt32BE(0) : -1
  if (magic !== 0x0800 + rank) {
    throw new AlambicError('data.idx-magic', `"${path}" is not an IDX file of bytes with ${rank} dimensions`, {
      subject: path,
      expected: `the number 0x${(0x0800 + rank).toString(16)} at its start`,
      found: magic < 0 ? `a file of ${bytes.length} bytes` : `0x${magic.toString(16)}`,
    })
  }
  const header = 4 + 4 * rank
  const dims = Array.from({ length: rank }, (_, i) => (bytes.length >= header ? bytes.readUInt32BE(4 + 4 * i) : 0))
  const expected = header + dims.reduce((n, d) => n * d, 1)
  if (bytes.length !== expected) {
    throw new AlambicError('data.idx-size', `"${path}" is truncated or too long`, {
      subject: path,
      expected: `${expected} bytes for ${dims.join(' × ')}`,
      found: `${bytes.length} bytes`,
      fix: 'Download it again.',
    })
  }
  return { dims, data: bytes.subarray(header) }
}
