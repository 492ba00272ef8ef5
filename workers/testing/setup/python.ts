import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** An asset cannot be had here; the message is the reason that skipped tests show. */
export class SetupFailure extends Error {}

/** The oldest Python that the pinned packages are built for. */
const oldest = [3, 11] as const

const minutes = 60_000

/**
 * Runs a program quietly.
 *
 * @returns what it printed on stdout
 * @throws {SetupFailure} with the last lines of its output
 */
export const run = (command: string, args: readonly string[], what: string): string => {
  const done = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 10 * minutes,
    maxBuffer: 64 * 2 ** 20,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', PIP_DISABLE_PIP_VERSION_CHECK: '1' },
  })
  if (done.error !== undefined) throw new SetupFailure(`${what}: ${done.error.message}`)
  if (done.status === 0) return done.stdout
  const said = `${done.stdout}\n${done.stderr}`.trim().split('\n').slice(-3).join(' | ')
  throw new SetupFailure(`${what} ended with code ${done.status}: ${said}`)
}

const succeeds = (command: string, args: readonly string[]): boolean => spawnSync(command, args).status === 0

/** The first Python on the PATH that is new enough. */
const findPython = (): string | undefined => {
  const isNewEnough = `import sys; sys.exit(sys.version_info < (${oldest.join(', ')}))`
  return ['python3', 'python', 'py'].find((name) => succeeds(name, ['-c', isNewEnough]))
}

const hasVenv = (python: string): boolean => succeeds(python, ['-c', 'import venv, ensurepip'])

/** Installs Debian's Python with venv, where that is allowed. */
const installSystemPython = (): void => {
  const command = 'apt-get install -y --no-install-recommends python3-venv'
  const wanted = `Python ${oldest.join('.')} or newer with the venv module`
  if (!succeeds('apt-get', ['--version'])) throw new SetupFailure(`${wanted} is not installed on this machine`)
  if (process.getuid?.() !== 0) throw new SetupFailure(`${wanted} is not installed; \`sudo ${command}\` installs it`)
  console.error(`test set-up: ${command} …`)
  run('apt-get', ['update'], 'apt-get update')
  run('apt-get', command.split(' ').slice(1), command)
}

/** A Python on the PATH that can make virtual environments. */
const pythonWithVenv = (): string => {
  const found = findPython()
  if (found !== undefined && hasVenv(found)) return found
  installSystemPython()
  const installed = findPython()
  if (installed !== undefined && hasVenv(installed)) return installed
  throw new SetupFailure(`the system's Python is older than ${oldest.join('.')}`)
}

/**
 * Makes a virtual environment with pinned packages.
 *
 * @param folder where it goes; what was there is removed
 * @param requirements pip's requirements file
 * @returns the path of its Python
 * @throws {SetupFailure}
 */
export const makePython = (folder: string, requirements: string): string => {
  const system = pythonWithVenv()
  console.error('test set-up: installing the Python packages onnx and onnxruntime (once) …')
  rmSync(folder, { recursive: true, force: true })
  run(system, ['-m', 'venv', folder], 'python -m venv')
  const inUnix = join(folder, 'bin', 'python')
  const python = existsSync(inUnix) ? inUnix : join(folder, 'Scripts', 'python.exe')
  const options = ['--only-binary=:all:', '--no-deps', '--retries=2', '--quiet']
  run(python, ['-m', 'pip', 'install', ...options, '-r', requirements], 'pip install')
  run(python, ['-c', 'import onnx, onnxruntime'], 'importing onnx and onnxruntime')
  return python
}
