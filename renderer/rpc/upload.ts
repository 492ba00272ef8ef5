import { AlambicError } from '../../workers/protocol/errors.ts'
import { endpoints } from '../../workers/protocol/studio/wire.ts'
import type { DroppedFile } from './dropped.ts'

/** Tries of one file before it is given up. */
const TRIES = 3

/**
 * Sends files to the host, one after the other.
 *
 * @param progress bytes sent so far, over all files
 * @throws {AlambicError} `upload.failed`, or `upload.cancelled`
 */
export async function uploadFiles(
  upload: string,
  files: readonly DroppedFile[],
  { progress, signal }: { progress: (bytes: number) => void; signal: AbortSignal },
): Promise<void> {
  let before = 0
  for (const [index, { path, file }] of files.entries()) {
    await sendWithRetries(`${endpoints.upload}/${upload}/${index}`, { path, file }, signal, (sent) =>
      progress(before + sent),
    )
    before += file.size
    progress(before)
  }
}

async function sendWithRetries(
  address: string,
  { path, file }: DroppedFile,
  signal: AbortSignal,
  progress: (sent: number) => void,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const status = await send(address, file, signal, progress)
    if (status >= 200 && status < 300) return
    if (signal.aborted) throw new AlambicError('upload.cancelled', 'the copy was cancelled', { subject: path })
    if (attempt === TRIES || (status >= 400 && status < 500)) {
      throw new AlambicError('upload.failed', `"${path}" could not be copied to Alambic`, {
        subject: path,
        found: status === 0 ? 'the connection broke off' : `HTTP status ${status}`,
        fix: 'Check that Alambic is still running and that the disk has room, then drop the files again.',
      })
    }
  }
}

/** `fetch` does not tell how much of a body is sent; XMLHttpRequest does. Answers the status, 0 for a broken connection. */
const send = (address: string, file: File, signal: AbortSignal, progress: (sent: number) => void): Promise<number> =>
  new Promise((resolve) => {
    const request = new XMLHttpRequest()
    request.open('PUT', address)
    request.setRequestHeader('content-type', 'application/octet-stream')
    request.upload.onprogress = ({ loaded }) => progress(loaded)
    request.onloadend = () => resolve(request.status)
    signal.addEventListener('abort', () => request.abort(), { once: true })
    request.send(file)
  })
