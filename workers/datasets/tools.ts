import { spawn } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import type { Watch } from './progress.ts'

export interface ToolRun extends Watch {
  readonly command: string
  readonly args: readonly string[]
  /** Where the tool runs; the size of what it has written there is the progress of a download. */
  readonly folder: string
  /** About how many bytes it downloads. */
  readonly bytes: number
  /** What the person can do if the tool isn't there. */
  readonly missing: string
  /** What its environment has beside this process' own. */
  readonly environment?: Readonly<Record<string, string>>
}

/** How package tools say that there is no way out to their registry. */
const OFFLINE =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET|Could not resolve|Could not connect|Temporary failure|Network is unreachable/i
const FORBIDDEN = /\bE40[13]\b|EACCES|EPERM|Permission denied|are you root|403 +Forbidden/i

/** Why a package tool failed, from what it printed: offline, not permitted, or anything else. */
export function toolFailure(command: string, status: string, output: string): AlambicError {
  const said = output.trim().split('\n').slice(-4).join(' ').slice(-400)
  const details = { subject: command, found: said || status }
  if (OFFLINE.test(output)) {
    return new AlambicError('data.offline', `${command} could not reach its registry`, {
      ...details,
      fix: 'Connect to the network, or set the registry or proxy that it should use, and try again.',
    })
  }
  if (FORBIDDEN.test(output)) {
    return new AlambicError('data.not-permitted', `${command} was not permitted to get the package`, {
      ...details,
      fix: 'Ask whoever runs this machine, or install the package as they allow.',
    })
  }
  return new AlambicError('data.tool-failed', `${command} ended with ${status}`, details)
}

/** Runs a package tool to its end; throws `data.offline`, `data.not-permitted`, `data.no-tool` or `data.tool-failed`. */
export async function runTool(run: ToolRun): Promise<Buffer> {
  const { folder, bytes, onProgress, signal } = run
  signal?.throwIfAborted()
  const timer = setInterval(() => {
    const report = (done: number): void =>
      onProgress?.({ phase: 'download', done: Math.min(done, bytes), total: bytes, unit: 'bytes' })
    if (onProgress) void folderSize(folder).then(report)
  }, 250)
  try {
    return await finished(run)
  } finally {
    clearInterval(timer)
  }
}

function finished({ command, args, folder: cwd, missing, environment, signal }: ToolRun): Promise<Buffer> {
  return new Promise<Buffer>((done, fail) => {
    // npm is a script on Windows, which only a shell runs; nothing in these arguments comes from outside.
    const shell = process.platform === 'win32'
    const env = { ...process.env, ...environment }
    const child = spawn(command, args, {
      cwd,
      env,
      shell,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(signal ? { signal } : {}),
    })
    const output: Buffer[] = []
    const errors: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (signal?.aborted) fail(signal.reason as Error)
      else if (error.code !== 'ENOENT') fail(error)
      else
        fail(new AlambicError('data.no-tool', `${command} is not on this machine`, { subject: command, fix: missing }))
    })
    child.on('close', (code, killed) => {
      const status = killed ?? `exit code ${code}`
      if (code === 0) done(Buffer.concat(output))
      else fail(toolFailure(command, status, Buffer.concat(errors).toString()))
    })
  })
}

/** Bytes of all files in a folder; files that vanish meanwhile count as nothing. */
async function folderSize(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])
  const sizes = entries.map(async (entry) => {
    const found = entry.isFile() ? await stat(join(entry.parentPath, entry.name)).catch(() => undefined) : undefined
    return found?.size ?? 0
  })
  return (await Promise.all(sizes)).reduce((a, b) => a + b, 0)
}
