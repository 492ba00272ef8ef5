/** Builds the screens (`renderer/`) into `dist/renderer`, when they are not built or have changed. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { root, SetupError } from './install.mjs'

/** Where the built screens are: plain files with an index.html. */
export const screensFolder = join(root, 'dist', 'renderer')

/** What the built files depend on. */
const sources = ['renderer', 'workers/protocol', 'package-lock.json']

/** @param {string} path @returns {number} when the newest file in it was written, Unix milliseconds */
const newest = (path) => {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))))
}

/**
 * Builds when it is due; takes about a second.
 *
 * @returns {string} the folder with the built files
 * @throws {SetupError} when the build fails; its own words are above
 */
export const ensureScreens = () => {
  const index = join(screensFolder, 'index.html')
  const built = existsSync(index) ? statSync(index).mtimeMs : 0
  if (sources.every((path) => newest(join(root, path)) < built)) return screensFolder
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  const done = spawnSync(process.execPath, [vite, 'build', 'renderer', '--logLevel', 'warn'], {
    cwd: root,
    // Its report goes to stderr: stdout is for what the command itself prints.
    stdio: ['ignore', 2, 2],
  })
  if (done.status !== 0) throw new SetupError('the screens could not be built; the lines above say why.')
  return screensFolder
}
