import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

/** The oldest Node that the set-up itself runs on; package.json says the same under `engines`. */
const oldest = 20

/**
 * Sets up, then runs a TypeScript entry on the project's own Node and ends as it ends. The version is looked at before
 * anything else is loaded, so that an old Node gives one clear line.
 *
 * @param {string} entry path from the root
 * @param {string[]} args
 */
export const launch = async (entry, args) => {
  if (Number(process.versions.node.split('.')[0]) < oldest) {
    console.error(`alambic: Node ${oldest} or newer is needed, this is ${process.versions.node}. See nodejs.org.`)
    process.exit(1)
  }
  const { SetupError, ensureInstalled, root } = await import('./install.mjs')
  try {
    run(ensureInstalled(), join(root, entry), args, join(root, 'node_modules', '.bin'))
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(`alambic: ${error.message}`)
    process.exit(1)
  }
}

/**
 * @param {string} node
 * @param {string} entry
 * @param {string[]} args
 * @param {string} tools folder that goes first in the child's PATH
 */
const run = (node, entry, args, tools) => {
  const path = [dirname(node), tools, process.env.PATH ?? ''].join(delimiter)
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', entry, ...args], {
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  })
  // A terminal sends Ctrl-C to the child as well; a second one from here would read as "stop at once".
  const terminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY)
  process.on('SIGINT', () => terminal || child.kill('SIGINT'))
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP'])) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`alambic: ${node} could not be started: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]))
}
