import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import type { Model } from '../graph/graph.ts'
import { beyond, type Finding } from './context.ts'
import { decodeModel, type DecodeOptions } from './decode.ts'
import { ExternalFiles } from './external.ts'
import { defaultLimits, type Limits } from './limits.ts'
import { findWeights } from './weights.ts'
import { quoted, within } from './wire/failure.ts'

export interface ReadOptions extends Pick<DecodeOptions, 'limits'> {
  /** Also looks at every weight for NaN and infinity; takes about a second for a gigabyte. */
  readonly scanWeights?: boolean
}

export interface ReadResult {
  readonly model: Model
  /** What is odd about the model but does not stop anything. */
  readonly warnings: readonly Finding[]
  /** Bytes of the model's file, and of the files beside it that its weights lie in. */
  readonly bytes: number
  /** Those files' names, relative to the model's folder. */
  readonly externalFiles: readonly string[]
}

/**
 * Opens an ONNX model and checks it on the way (see `decodeModel` and `ExternalFiles` for what is checked). Weights
 * are held once, in the buffer that the file was read into. Throws AlambicErrors with codes `onnx.…`.
 */
export async function readModel(path: string, options: ReadOptions = {}): Promise<ReadResult> {
  const limits = { ...defaultLimits, ...options.limits }
  const bytes = await readWhole(path, limits)
  const files = new ExternalFiles(dirname(path), limits)
  const warnings: Finding[] = []
  try {
    const model = within(
      () => quoted(basename(path)),
      () =>
        decodeModel(bytes, {
          limits,
          readExternal: (reference, size) => files.read(reference, size),
          onFinding: (finding) => warnings.push(finding),
        }),
    )
    if (options.scanWeights) warnings.push(...findWeights(model))
    return { model, warnings, bytes: bytes.length + files.bytesRead, externalFiles: files.names }
  } finally {
    files.close()
  }
}

/**
 * Everything that is checked before a native library may see a model: as `readModel`, and each weight is looked at
 * for NaN and infinity, which are reported as warnings.
 */
export const precheck = (path: string, options: Omit<ReadOptions, 'scanWeights'> = {}): Promise<ReadResult> =>
  readModel(path, { ...options, scanWeights: true })

/** One call of read(2) must stay below 2 GiB. */
const SLICE = 2 ** 28

async function readWhole(path: string, limits: Limits): Promise<Uint8Array> {
  // Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(
    (cause: NodeJS.ErrnoException) => {
      throw notOpened(path, cause)
    },
  )
  try {
    const stats = await file.stat()
    if (!stats.isFile()) {
      throw new AlambicError('onnx.not-a-file', `${quoted(path)} is not a regular file`, {
        subject: path,
        fix: 'Choose a file that ends with .onnx.',
      })
    }
    if (stats.size > limits.fileBytes) throw beyond('fileBytes', 'bytes in the file', limits.fileBytes, stats.size)
    const bytes = new Uint8Array(stats.size)
    let at = 0
    while (at < bytes.length) {
      const { bytesRead } = await file.read(bytes, at, Math.min(SLICE, bytes.length - at), at)
      if (bytesRead === 0) break
      at += bytesRead
    }
    return bytes.subarray(0, at)
  } finally {
    await file.close()
  }
}

const notOpened = (path: string, cause: NodeJS.ErrnoException): AlambicError =>
  cause.code === 'ENOENT'
    ? new AlambicError('onnx.missing-file', `there is no file ${quoted(path)}`, {
        subject: path,
        fix: 'Check the path.',
        cause,
      })
    : new AlambicError('onnx.unreadable', `${quoted(path)} cannot be opened: ${cause.code ?? cause.message}`, {
        subject: path,
        cause,
      })
