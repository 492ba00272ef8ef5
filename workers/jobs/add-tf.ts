import { cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runTool, type ToolRun } from '../datasets/tools.ts'
import { staging, unpackFiles } from '../executors/install.ts'
import { ADDON, TFJS_NODE, tfFolder } from '../executors/tf/place.ts'
import { AlambicError } from '../protocol/errors.ts'

/** The wheel that brings TensorFlow's library, and its hash in PyPI's index. */
export const WHEEL = {
  package: 'tensorflow-cpu',
  version: '2.21.0',
  sha256: 'dcc8afd32930e42d5296b6ee19078b773706830af4ea97fbe503b9f5e0f820cb',
  bytes: 274_000_000,
  /** Platform and interpreter are those of the one wheel that is wanted, not of the Python that fetches it. */
  tags: ['--platform=manylinux_2_27_x86_64', '--python-version=3.12', '--implementation=cp', '--abi=cp312'],
}

/** The library of the wheel, and the headers that TensorFlow.js' addon is built against. */
const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']
const HEADERS = /^tensorflow\/include\/((tensorflow\/(c|core\/platform)|xla\/tsl|tsl\/platform)\/.*\.h)$/

/** A program to try, with what comes before its own arguments. */
export type Command = readonly [command: string, ...first: string[]]

export interface AddTfOptions {
  /** Where the engine goes, if not into the data home. */
  readonly folder?: string
  readonly npm?: Command
  /** Programs to try in turn. */
  readonly pip?: readonly Command[]
  readonly compilers?: readonly Command[]
  readonly onProgress?: (activity: string, done: number, total: number) => void
  readonly signal?: AbortSignal
}

export interface AddedTf {
  readonly files: readonly string[]
  readonly version: string
  readonly sha256: string
}

const PIPS: readonly Command[] = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']]
const COMPILERS: readonly Command[] = [['c++'], ['g++'], ['clang++']]

/**
 * Gets TensorFlow: TensorFlow.js' native backend from npm (a locked install that runs no scripts), TensorFlow's library
 * out of its wheel on PyPI (by hash), and builds the addon between them with the machine's C++ compiler. It needs
 * nothing but the two registries. An engine that is there stays until the new one is whole; nothing stays behind when
 * any of it fails. Throws `engines.no-tool`, `engines.offline`, `engines.checksum`, `engines.incomplete`,
 * `engines.build-failed` or `engines.not-permitted`.
 */
export async function addTf(options: AddTfOptions = {}): Promise<AddedTf> {
  const target = options.folder ?? tfFolder()
  const own = [process.env['CXX']].filter((name) => name !== undefined && name !== '') as string[]
  const compilers = options.compilers ?? [...own.map((name): Command => [name]), ...COMPILERS]
  const [pip, compiler] = [
    await firstOf(
      options.pip ?? PIPS,
      'pip',
      'Install pip (Debian: python3-pip); nothing is run with Python.',
      options,
    ),
    await firstOf(compilers, 'a C++ compiler', 'Install one (Debian: g++), or name it in the variable CXX.', options),
  ]
  const folder = await staging(dirname(target))
  try {
    await installPackages(folder, options)
    const wheel = await fetchWheel(folder, pip, options)
    options.onProgress?.('unpack', 0, 1)
    await unpackWheel(wheel, join(folder, TFJS_NODE, 'deps'))
    await rm(dirname(wheel), { recursive: true })
    options.onProgress?.('build', 0, 1)
    await buildAddon(folder, compiler, options)
    options.onProgress?.('build', 1, 1)
    await rm(join(folder, TFJS_NODE, 'deps', 'include'), { recursive: true })
    await putInPlace(folder, target)
    const { version, sha256 } = WHEEL
    return {
      files: [join(target, ADDON), ...LIBRARIES.map((l) => join(target, TFJS_NODE, 'deps', 'lib', l))],
      version,
      sha256,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The first program that answers. */
async function firstOf(
  candidates: readonly Command[],
  what: string,
  fix: string,
  { signal }: AddTfOptions,
): Promise<Command> {
  for (const candidate of candidates) {
    const [command, ...first] = candidate
    const asked = { command, args: [...first, '--version'], folder: process.cwd(), bytes: 0, missing: fix }
    const found = await runTool({ ...asked, signal }).then(
      () => true,
      () => false,
    )
    signal?.throwIfAborted()
    if (found) return candidate
  }
  throw new AlambicError('engines.no-tool', `${what} is needed for TensorFlow, and is not on this machine`, {
    subject: what,
    expected: candidates.map((c) => c.join(' ')).join(', '),
    found: 'none of them',
    fix,
  })
}

/** Runs a tool; its failures are those of adding an engine. */
async function tool(run: Omit<ToolRun, 'missing'>, code = 'engines.incomplete'): Promise<void> {
  try {
    await runTool({ ...run, missing: `Install ${run.command}.` })
  } catch (thrown) {
    if (!(thrown instanceof AlambicError)) throw thrown
    const { message, subject, expected, found, fix } = thrown
    const isChecksum = /DO NOT MATCH THE HASHES|EINTEGRITY/i.test(found ?? '')
    const own = isChecksum ? 'engines.checksum' : thrown.code === 'data.tool-failed' ? code : recoded(thrown.code)
    throw new AlambicError(own, message, { subject, expected, found, fix, cause: thrown })
  }
}

const recoded = (code: string): string => code.replace(/^data\./, 'engines.')

/** What npm has of it: the lock says which bytes. */
async function installPackages(folder: string, { onProgress, signal, ...options }: AddTfOptions): Promise<void> {
  const [command, ...first] = options.npm ?? ['npm']
  await cp(join(import.meta.dirname, '..', 'executors', 'tf', 'engine'), folder, { recursive: true })
  const args = [...first, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--fetch-retries=1']
  const total = 50_000_000
  const tell = onProgress && ((p: { done: number }) => onProgress('packages of', p.done, total))
  await tool({ command, args, folder, bytes: total, onProgress: tell, signal })
}

/** TensorFlow's wheel, which pip checks against the hash. Where pip keeps a download until it is done can be seen. */
async function fetchWheel(folder: string, [command, ...first]: Command, options: AddTfOptions): Promise<string> {
  const place = join(folder, 'wheel')
  await mkdir(place)
  const { version, sha256, bytes, tags } = WHEEL
  await writeFile(join(place, 'wanted.txt'), `${WHEEL.package}==${version} --hash=sha256:${sha256}\n`)
  const quiet = ['--disable-pip-version-check', '--no-cache-dir', '--progress-bar=off', '--retries=1']
  const only = ['--no-deps', '--only-binary=:all:', '--require-hashes', ...tags]
  const args = [...first, 'download', ...quiet, ...only, '--dest=.', '--requirement=wanted.txt']
  const tell = options.onProgress
  const onProgress = tell && ((p: { done: number }) => tell('download', p.done, bytes))
  const environment = { TMPDIR: place }
  await tool({ command, args, folder: place, bytes, environment, onProgress, signal: options.signal })
  const [wheel] = (await readdir(place)).filter((name) => name.endsWith('.whl'))
  if (wheel !== undefined) return join(place, wheel)
  throw new AlambicError('engines.incomplete', 'pip came back without the wheel', { subject: WHEEL.package })
}

async function unpackWheel(wheel: string, deps: string): Promise<void> {
  const { written, failures } = await unpackFiles(wheel, (name) => {
    const header = HEADERS.exec(name)?.[1]
    if (header !== undefined) return join(deps, 'include', header)
    const library = LIBRARIES.find((l) => name === `tensorflow/${l}`)
    return library === undefined ? undefined : join(deps, 'lib', library)
  })
  const left = LIBRARIES.filter((l) => !written.has(`tensorflow/${l}`))
  if (left.length === 0 && failures.length === 0) return
  throw new AlambicError('engines.incomplete', `the wheel of ${WHEEL.package} lacks what TensorFlow.js needs`, {
    expected: LIBRARIES.join(', '),
    found: failures[0]?.message ?? `without ${left.join(', ')}`,
  })
}

/** The addon needs only Node's stable C interface (Node-API 8), so any Node loads what is built once. */
async function buildAddon(folder: string, [command, ...first]: Command, { signal }: AddTfOptions): Promise<void> {
  const where = join(folder, TFJS_NODE)
  const addon = join(folder, ADDON)
  await mkdir(dirname(addon), { recursive: true })
  const headers = join(folder, 'node_modules', 'node-api-headers', 'include')
  const args = [
    ...first,
    ...['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-DBUILDING_NODE_EXTENSION'],
    ...[`-I${headers}`, `-I${join(where, 'deps', 'include')}`, '-I..'],
    ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join('binding', name)),
    ...['-Ldeps/lib', ...LIBRARIES.map((l) => `-l:${l}`), '-Wl,-rpath,$ORIGIN/../../deps/lib'],
    ...['-o', addon],
  ]
  await tool({ command, args, folder: where, bytes: 0, signal }, 'engines.build-failed')
}

/** The new engine takes the place of an old one. */
async function putInPlace(folder: string, target: string): Promise<void> {
  const old = `${folder}.old`
  await rename(target, old).catch(() => undefined)
  await rename(folder, target)
  await rm(old, { recursive: true, force: true })
}
