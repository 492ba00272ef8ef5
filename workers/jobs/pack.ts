import { createReadStream } from 'node:fs'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { z } from 'zod'
import { AlambicError } from '../protocol/errors.ts'
import type { PackRequest, Report, UnpackRequest } from '../protocol/worker.ts'
import { encodeModel, readModel } from '../onnx/index.ts'
import { pack, Unpacker, type PackReport } from '../pack/index.ts'
import { syncFolder } from '../protocol/files/durable.ts'
import { openModel, zooReference } from '../recipes/open.ts'

/** Writes a model as a `.cmpz` container. The file appears only when it was decoded again and found equal. */
export async function packCall({ model, output, indexBits }: z.output<typeof PackRequest>): Promise<Report> {
  const started = performance.now()
  const { chunks, report } = pack(await bytesOf(model), { indexBits })
  const path = output ?? `${model.replace(/\.onnx$/, '')}.cmpz`
  await writeWhole(path, chunks)
  return { model, output: path, ...report, ...waterfall(report), ...speed(report.rawBytes, started) }
}

/**
 * Writes the ONNX file that a container holds, piece by piece; nothing remains when the container turns out to be
 * damaged.
 */
export async function unpackCall({ file, output }: z.output<typeof UnpackRequest>): Promise<Report> {
  const started = performance.now()
  const unpacker = new Unpacker()
  const path = output ?? file.replace(/(\.cmpz)?$/, '.onnx')
  const bytes = await writeWhole(path, decoded(file, unpacker))
  return { file, output: path, bytes, metadata: unpacker.metadata, ...speed(bytes, started) }
}

async function* decoded(file: string, unpacker: Unpacker): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) {
      yield* unpacker.push(chunk as Uint8Array)
    }
  } catch (cause) {
    if (cause instanceof AlambicError) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    throw new AlambicError('cmpz.unreadable', `"${file}" cannot be read: ${code ?? message}`, { subject: file, cause })
  }
  unpacker.finish()
}

/** The model as one ONNX file: a file's own bytes, unless its weights are in others. */
async function bytesOf(reference: string): Promise<Uint8Array> {
  if (zooReference(reference)) return encodeModel(await openModel(reference))
  const { model, externalFiles } = await readModel(reference)
  return externalFiles.length === 0 ? readFile(reference) : encodeModel(model)
}

/** Sizes on the way from the ONNX file to the container, in bytes. */
function waterfall({ tensors, bytes }: PackReport): Report {
  const sum = (part: (t: PackReport['tensors'][number]) => number) => tensors.reduce((n, t) => n + part(t), 0)
  return {
    parts: {
      positions: sum((t) => t.indexBytes),
      values: sum((t) => t.valueBytes),
      codebooks: sum((t) => t.codebookBytes),
      rest: bytes - sum((t) => t.indexBytes + t.valueBytes + t.codebookBytes),
    },
  }
}

const speed = (bytes: number, started: number): Report => {
  const seconds = (performance.now() - started) / 1000
  return { seconds, megabytesPerSecond: bytes / 1e6 / seconds }
}

/** Writes beside the file and renames when all is on disk; what fails on the way leaves nothing. Returns the bytes. */
async function writeWhole(path: string, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<number> {
  const temporary = `${path}.${process.pid}.tmp`
  const handle = await open(temporary, 'wx').catch((cause: NodeJS.ErrnoException) => {
    throw new AlambicError('cmpz.unwritable', `"${path}" cannot be written: ${cause.code ?? cause.message}`, {
      subject: path,
      fix: 'Check that its folder exists and may be written to.',
      cause,
    })
  })
  try {
    let bytes = 0
    for await (const piece of pieces) {
      for (let at = 0; at < piece.length;) at += (await handle.write(piece, at)).bytesWritten
      bytes += piece.length
    }
    await handle.sync()
    await handle.close()
    await rename(temporary, path)
    await syncFolder(dirname(path))
    return bytes
  } catch (error) {
    await handle.close().catch(() => undefined)
    await rm(temporary, { force: true })
    throw error
  }
}
